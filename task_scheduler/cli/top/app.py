"""The live view in the terminal.

Responsible for: the screen, its keys, and when it is read anew. What is true is read by `reading`
in a thread; what keys ask for is done by `actions` in another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from textual.app import App, ComposeResult
from textual.events import Event
from textual.events import Key as KeyEvent
from textual.widgets import Input, Static
from textual.worker import Worker, WorkerState

from task_scheduler.cli.display_width import showable
from task_scheduler.cli.moments import duration_text
from task_scheduler.cli.top import rows
from task_scheduler.cli.top.actions import Actions, Done
from task_scheduler.cli.top.board import SORTS, Board
from task_scheduler.cli.top.keys import GO, KEYS
from task_scheduler.cli.top.log_pane import LogPane
from task_scheduler.cli.top.pages import help_lines, task_lines
from task_scheduler.cli.top.reading import Reader, Reading, Wish
from task_scheduler.cli.top.screens import AskScreen, TextScreen
from task_scheduler.cli.top.task_list import TaskList
from task_scheduler.core.model import SECOND
from task_scheduler.i18n import translate

if TYPE_CHECKING:
    from task_scheduler.cli.session import Session

__all__ = ["TopApp"]

_READ_SECONDS = 1.0
_LOG_SECONDS = 0.1
_STALE_SECONDS = 5
_RUNNING_LINES = 4
_ACTIONS = {name: key.action for key in KEYS for name in key.names}
_BESIDE_THE_LOG = ("needs", "running")
"""What makes room where the output has the whole screen."""


class TopApp(App[None]):
    """What runs, what is next, every task, and what the chosen one writes."""

    CSS = """
    Screen { layout: vertical; overflow: hidden; }
    #verdict, #facts, #stale, #needs, #running, #coming, #log_title, #foot { height: auto; }
    #facts, #log_title, #foot { color: $text-muted; }
    #log_title { text-style: reverse; }
    #stale { text-style: reverse bold; display: none; }
    #running, #needs { display: none; }
    TaskList { height: 2fr; min-height: 4; scrollbar-size: 1 1; overflow-x: hidden; }
    LogPane { height: 1fr; min-height: 3; scrollbar-size: 1 1; overflow-x: hidden; }
    #search { display: none; height: 1; border: none; padding: 0; }
    .zoomed TaskList, .zoomed #coming { display: none; }
    AskScreen, TextScreen { align: center middle; }
    #question { width: auto; max-width: 90%; height: auto; border: round; padding: 0 2; }
    #page { width: 100%; height: auto; max-height: 90%; margin: 0 2; border: round; padding: 0 1; }
    """
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, session: Session, *, search: str = "") -> None:
        super().__init__()
        self._session = session
        self._clock = session.clock
        self._reader = Reader(session)
        self._actions = Actions(session)
        self._board = Board(search=search)
        self._reading: Reading | None = None
        self._read_at = 0
        self._is_reading = False
        self._is_whole_wanted = False
        self._is_live = True
        self._is_going = False
        """Whether ``g`` was pressed, and the key after it says where to go."""

    def compose(self) -> ComposeResult:
        """Make the screen."""
        for name in ("verdict", "facts", "stale", "needs", "running", "coming"):
            yield Static("", id=name, markup=False)
        yield TaskList(self._board, id="tasks")
        yield Static("", id="log_title", markup=False)
        yield LogPane(id="log")
        yield Input(id="search", placeholder=translate("top.search_hint"), compact=True)
        yield Static("", id="foot", markup=False)

    def on_mount(self) -> None:
        """Begin to read."""
        self._list.focus()
        self.query_one("#verdict", Static).update(translate("top.reading"))
        self._draw_foot()
        self.set_interval(_READ_SECONDS, self._read_on)
        self.set_interval(_LOG_SECONDS, self._output.read_on)
        self._read()

    # -- reading --------------------------------------------------------------------------------

    @property
    def _list(self) -> TaskList:
        return self.query_one(TaskList)

    @property
    def _output(self) -> LogPane:
        return self.query_one(LogPane)

    def _read_on(self) -> None:
        if self._is_live:
            self._read()
        self._draw_stale()
        self._draw_running()

    def _read(self, *, is_whole: bool = False) -> None:
        """Read in a thread, unless that goes on already."""
        self._is_whole_wanted |= is_whole
        if self._is_reading:
            return
        self._is_reading = True
        visible = self._list.visible_ids()
        wish = Wish(visible, self._board.current, self._is_whole_wanted)
        self._is_whole_wanted = False
        self._start("read", lambda: self._reader.read(wish))

    def _start(self, name: str, work: Callable[[], object]) -> None:
        """Do something in a thread; what it comes to arrives as a change of its worker's state."""
        self.run_worker(work, thread=True, group=name, name=name, exit_on_error=False)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Take what a thread has found, or what became of an action."""
        worker, result = event.worker, event.worker.result
        if event.state not in (WorkerState.SUCCESS, WorkerState.ERROR):
            return
        if worker.name == "read":
            self._is_reading = False
            if isinstance(result, Reading):
                self._take(result)
            if self._is_whole_wanted:
                self._read()
        elif isinstance(result, Done):
            severity: Literal["information", "error"]
            severity = "information" if result.is_well else "error"
            self.notify(result.text, severity=severity, markup=False)
            self._read(is_whole=True)
        if event.state is WorkerState.ERROR:
            text = translate("cli.unexpected", error=repr(worker.error))
            self.notify(text, severity="error", markup=False)

    def _take(self, reading: Reading) -> None:
        self._reading, self._read_at = reading, self._clock.boottime()
        if reading.is_read:
            self._board.take(
                reading.tasks,
                reading.last_of,
                now=reading.late_before,
                is_whole=reading.is_whole,
            )
        self._list.moments = self._session.moments()
        self._output.follow(reading.run, reading.files)
        self._draw()
        if reading.is_whole and reading.run is None and self._board.current is not None:
            # Now that it is known which task stands first: what does it write?
            self._read()

    # -- drawing --------------------------------------------------------------------------------

    def _draw(self) -> None:
        reading = self._reading
        if reading is None:
            return
        width = self.size.width
        is_fine = reading.word in ("fine", "empty")
        verdict = self.query_one("#verdict", Static)
        verdict.update(f"{'✓' if is_fine else '✕'} {showable(reading.sentence)}")
        verdict.styles.color = None if self.no_color else ("green" if is_fine else "red")
        verdict.styles.text_style = "bold"
        zone = self._session.moments().zone_name()
        self.query_one("#facts", Static).update(rows.cut(rows.facts_text(reading, zone), width))
        needs = rows.needs_texts(reading, width)
        self._put("needs", needs)
        self._draw_running()
        coming = rows.coming_text(reading, self._session.moments(), width)
        self.query_one("#coming", Static).update(coming)
        self._draw_log_title()
        self._draw_foot()
        self._draw_stale()
        self._list.renew()

    def _put(self, name: str, lines: list[str]) -> None:
        panel = self.query_one(f"#{name}", Static)
        panel.update("\n".join(lines))
        is_hidden = name in _BESIDE_THE_LOG and self.screen.has_class("zoomed")
        panel.display = bool(lines) and not is_hidden

    def _draw_running(self) -> None:
        """Draw what runs anew: its time goes on between two readings."""
        if self._reading is None or not self._is_live:
            return
        now, width = self._clock.now(), self.size.width
        self._put("running", rows.running_texts(self._reading, now, width, _RUNNING_LINES))

    def _draw_log_title(self) -> None:
        title = rows.log_title(
            self._reading, self.size.width, is_following=self._output.is_following
        )
        self.query_one("#log_title", Static).update(title)

    def _draw_stale(self) -> None:
        """Say what keeps this from being how things stand now."""
        text = self._stale_text()
        self._put("stale", [rows.cut(text, self.size.width)] if text else [])

    def _stale_text(self) -> str:
        reading = self._reading
        if reading is None:
            return ""
        age = (self._clock.boottime() - self._read_at) / SECOND
        if not self._is_live:
            return translate("top.not_live", age=duration_text(round(age)))
        if age > _STALE_SECONDS:
            return translate("top.stale", age=duration_text(round(age)))
        if not reading.is_read:
            return translate("top.unreadable")
        if reading.holder is None or reading.holder["state"] != "running":
            return translate("top.from_ledger")
        return ""

    def _draw_foot(self) -> None:
        board = self._board
        words = [
            f"{key.shown} {translate(f'top.key_{key.action}')}" for key in KEYS if key.is_in_foot
        ]
        if board.search:
            words.insert(0, translate("top.filtered", text=board.search, count=len(board.shown)))
        if board.is_failed_only:
            words.insert(0, translate("top.failed_only", count=len(board.shown)))
        if board.selected:
            words.insert(0, translate("top.selected", count=len(board.selected)))
        self.query_one("#foot", Static).update(rows.cut("  ".join(words), self.size.width))

    def on_resize(self) -> None:
        """Draw to the new size."""
        self.call_after_refresh(self._draw)

    # -- keys -----------------------------------------------------------------------------------

    async def on_event(self, event: Event) -> None:
        """Take keys here, one after the other.

        As bindings of widgets they would be overtaken by those that are typed quickly after them.
        """
        if isinstance(event, KeyEvent) and not event.is_forwarded and self._takes(event.key):
            event.stop()
            event.prevent_default()
            return
        await super().on_event(event)

    def _takes(self, key: str) -> bool:
        """Do what a key says; whether it says anything here."""
        if key == "ctrl+c":
            self.exit()
            return True
        is_typing = isinstance(self.focused, Input) and key != "escape"
        if len(self.screen_stack) > 1 or is_typing:
            return False
        was_going, self._is_going = self._is_going, not self._is_going and key == "g"
        if was_going:
            for step in GO:
                if key in step.names:
                    self._go(step.action)
            return True
        if self._is_going:
            return True
        action = _ACTIONS.get(key)
        if action is not None:
            getattr(self, f"action_{action}")()
        return action is not None

    def _go(self, action: str) -> None:
        board = self._board
        self.screen.remove_class("zoomed")
        match action:
            case "go_overview":
                board.search, board.is_failed_only, board.sort = "", False, SORTS[0]
            case "go_tasks":
                board.sort = "task"
            case "go_running":
                board.sort = "status"
            case "go_coming":
                board.sort = "next"
        board.arrange()
        board.cursor = 0
        if action == "go_running":
            states = [board.tasks[task_id]["status"] for task_id in board.shown]
            board.cursor = states.index("running") if "running" in states else 0
        self._list.move(0)
        self._draw()

    def _move(self, by: int) -> None:
        """Move the cursor, or the output where it has the whole screen."""
        if self.screen.has_class("zoomed"):
            self._output.scroll_lines(by)
            self._draw_log_title()
        else:
            self._list.move(by)

    def on_task_list_moved(self, _: TaskList.Moved) -> None:
        """Show the output of the task at the cursor."""
        self._read()

    def action_down(self) -> None:
        """Go one down."""
        self._move(1)

    def action_up(self) -> None:
        """Go one up."""
        self._move(-1)

    def action_page_down(self) -> None:
        """Go one screen down."""
        self._move(self._page)

    def action_page_up(self) -> None:
        """Go one screen up."""
        self._move(-self._page)

    def action_first(self) -> None:
        """Go to the first one."""
        self._move(-1_000_000)

    def action_last(self) -> None:
        """Go to the last one."""
        self._move(1_000_000)

    @property
    def _page(self) -> int:
        return self._output.page if self.screen.has_class("zoomed") else self._list.page

    def action_select(self) -> None:
        """Select the task at the cursor, for an action on several."""
        self._board.toggle()
        self._list.move(0)
        self._draw_foot()

    def action_sort(self) -> None:
        """Order by the next column."""
        self._board.turn_sort()
        self._draw()

    def action_reverse(self) -> None:
        """Turn the order round."""
        self._board.is_reversed = not self._board.is_reversed
        self._board.arrange()
        self._draw()

    def action_failed(self) -> None:
        """Show only the tasks whose last run failed, or all again."""
        self._board.is_failed_only = not self._board.is_failed_only
        self._board.arrange()
        self._draw()

    def action_live(self) -> None:
        """Let everything stand still, or go on."""
        self._is_live = not self._is_live
        self._read_on()

    def action_log(self) -> None:
        """Give the output the whole screen, or take it back."""
        self.screen.toggle_class("zoomed")
        self._draw()
        self.call_after_refresh(self._output.renew)

    def action_clear(self) -> None:
        """Leave what narrows the view."""
        self.screen.remove_class("zoomed")
        self.query_one("#search", Input).display = False
        self.set_focus(self._list)
        self._board.search, self._board.is_failed_only = "", False
        self._board.selected.clear()
        self._board.arrange()
        self._draw()

    def action_search(self) -> None:
        """Type what to look for."""
        field = self.query_one("#search", Input)
        field.display = True
        field.value = self._board.search
        # At once: what is typed next is for it.
        self.set_focus(field)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while it is typed."""
        self._board.search = event.value
        self._board.arrange()
        self._list.renew()
        self._draw_foot()

    def on_input_submitted(self, _: Input.Submitted) -> None:
        """Keep the filter."""
        self.query_one("#search", Input).display = False
        self.set_focus(self._list)
        self._list.move(0)

    # -- what is asked for ----------------------------------------------------------------------

    def action_details(self) -> None:
        """Show everything about the task at the cursor."""
        task_id = self._board.current
        if task_id is not None:
            task, last = self._board.tasks[task_id], self._board.last_of.get(task_id)
            moments = self._session.moments()
            self.push_screen(TextScreen(lambda width: task_lines(task, last, moments, width)))

    def action_leave(self) -> None:
        """End."""
        self.exit()

    def action_help(self) -> None:
        """Show the keys."""
        self.push_screen(TextScreen(help_lines))

    def action_run(self) -> None:
        """Run tasks now."""
        self._ask("run")

    def action_pause(self) -> None:
        """Pause tasks, or plan them again."""
        self._ask("pause")

    def action_retry(self) -> None:
        """Do the failed runs of tasks again."""
        self._ask("retry")

    def action_kill(self) -> None:
        """End the runs of tasks."""
        self._ask("kill")

    def _ask(self, what: str) -> None:
        """Do something with the tasks that are meant, after asking."""
        board = self._board
        ids = board.meant()
        deed = self._actions.planned(what, [board.tasks[i] for i in ids], board.last_of)
        if deed is None:
            self.notify(translate(f"top.nothing_to_{what}"), severity="warning", markup=False)
            return

        def answered(is_yes: bool | None) -> None:
            if is_yes:
                board.selected.clear()
                self._start("act", deed.do)

        self.push_screen(AskScreen(deed.question), answered)
