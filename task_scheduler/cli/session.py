"""One invocation: its options, and what the commands reach through it.

Responsible for: opening the scheduler's facade at its first use, the zone and the colours that are
shown, and the difference between data (stdout) and talk (stderr).
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from task_scheduler.cli.display_width import showable, shown_json, shown_lines
from task_scheduler.cli.tables import Cell, Column, Row, pairs, table
from task_scheduler.cli.talk import hint_lines, talk_lines, talk_width
from task_scheduler.clock import SystemClock
from task_scheduler.errors import ConfigError
from task_scheduler.i18n import translate

if TYPE_CHECKING:
    from task_scheduler.cli.moments import Moments
    from task_scheduler.ledger_view import LedgerView
    from task_scheduler.scheduler import TaskScheduler

__all__ = ["CONFIG_VARIABLE", "Session"]

CONFIG_VARIABLE = "TASK_SCHEDULER_CONFIG"

_STYLES = {"dim": "2", "bold": "1", "red": "31", "green": "32", "yellow": "33", "blue": "34"}


@dataclass
class Session:
    """The options that every command has, and the services behind them."""

    config: str | None = None
    is_json: bool = False
    is_jsonl: bool = False
    language: str | None = None
    zone_name: str | None = None
    is_colourless: bool = False
    is_quiet: bool = False
    verbosity: int = 0
    is_silent_input: bool = False
    is_config_needed: bool = False
    """Whether the command is nothing without the declared tasks: then a wrong config ends it."""
    is_config_broken: bool = False
    is_log_shown: bool = False
    """Whether the log goes to the terminal too: for `tsk up` alone it is what the command says."""

    # -- the scheduler --------------------------------------------------------------------------

    @cached_property
    def scheduler(self) -> TaskScheduler:
        """The facade, made but not started; its config's language is spoken unless one is asked.

        A config that is wrong blinds nobody: with a warning, its ledger is opened without it.
        """
        from task_scheduler.cli.broken_config import first_problem, minimal_config
        from task_scheduler.scheduler import TaskScheduler

        _hush_log()
        options: dict[str, Any] = {} if self.language is None else {"language": self.language}
        if not self.is_log_shown:
            options["logging"] = {"console": False}
        try:
            return TaskScheduler(self.config_path, **options)
        except ConfigError as error:
            least = None if self.is_config_needed else minimal_config(error, self.config_path)
            if least is None:
                raise
            made = TaskScheduler(least, **options)
            self.is_config_broken = True
            sentence = translate("cli.broken_config", problem=showable(first_problem(error)))
            self.say(translate("cli.warning", sentence=sentence))
            return made

    def close(self) -> None:
        """Let go of the ledger and of the log, should the command have opened them."""
        made: TaskScheduler | None = vars(self).get("scheduler")
        if made is not None:
            made.stop()

    @property
    def config_path(self) -> str | None:
        """The config that was named; None: the one of the current folder, if there is one."""
        return self.config or os.environ.get(CONFIG_VARIABLE) or None

    @property
    def view(self) -> LedgerView:
        """What the ledger says."""
        return self.scheduler.view

    @cached_property
    def clock(self) -> SystemClock:
        """The machine's clocks."""
        return SystemClock()

    def moments(self) -> Moments:
        """Return how moments are shown, seen from now; raises ScheduleError for a wrong zone."""
        from task_scheduler.cli.moments import Moments
        from task_scheduler.schedules.zones import local_zone, zone_named

        zone = zone_named(self.zone_name) if self.zone_name else local_zone()
        return Moments(zone.tz, self.clock.now())

    # -- data -----------------------------------------------------------------------------------

    def put(self, text: str = "") -> None:
        """Write a line of data."""
        print(shown_lines(text))

    def put_sentence(self, text: str, style: str = "") -> None:
        """Write a sentence of data, broken between its words where stdout is a terminal."""
        for line in talk_lines(text, self.width):
            self.put(self.paint(line, style))

    def document(self, name: str, values: Mapping[str, Any]) -> None:
        """Write the one JSON document of a command; its schema's number rises when keys go."""
        text = json.dumps({"schema": f"tsk.{name}/1", **values}, ensure_ascii=False, indent=2)
        print(shown_json(text))

    def record(self, name: str, values: Mapping[str, Any]) -> None:
        """Write one line of a stream of JSON."""
        text = json.dumps({"schema": f"tsk.{name}/1", **values}, ensure_ascii=False)
        print(shown_json(text))
        sys.stdout.flush()

    def table(self, columns: list[Column], rows: list[Row]) -> None:
        """Write a table as wide as the terminal allows."""
        for line in table(columns, rows, width=self.width, paint=self.paint):
            self.put(line)

    def pairs(self, items: list[tuple[str, str]], *, indent: str = "") -> None:
        """Write names beside their values."""
        for line in pairs(items, width=self.width, paint=self.paint, indent=indent):
            self.put(line)

    @cached_property
    def width(self) -> int | None:
        """The columns there are; None: stdout is no terminal, and lines are as long as they are."""
        if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit():
            return max(40, shutil.get_terminal_size().columns)
        return None

    @property
    def talk_width(self) -> int | None:
        """The columns of the terminal behind stderr; None: it is none, and a sentence is a line."""
        return talk_width()

    @cached_property
    def has_colour(self) -> bool:
        """Whether stdout is a terminal that shows colours and nobody asked for none."""
        is_refused = self.is_colourless or bool(os.environ.get("NO_COLOR"))
        return not is_refused and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"

    def paint(self, text: str, style: str) -> str:
        """Return a text in a style, where there are colours."""
        if not style or not self.has_colour:
            return text
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m"

    # -- talk -----------------------------------------------------------------------------------

    def say(self, text: str) -> None:
        """Tell a person something that is not data."""
        if not self.is_quiet:
            for line in talk_lines(shown_lines(text), self.talk_width):
                print(line, file=sys.stderr, flush=True)

    def hint(self, text: str, command: str, *words: str) -> None:
        """Tell a person what to type next; `words` are quoted as the shell needs it."""
        if not self.is_quiet:
            command = " ".join([command, *map(shlex.quote, words)])
            for line in hint_lines(text, command, self.talk_width):
                print(shown_lines(line), file=sys.stderr, flush=True)

    def can_ask(self) -> bool:
        """Whether a person is there to answer."""
        return not self.is_silent_input and sys.stdin.isatty() and sys.stderr.isatty()

    def declared_ids(self) -> frozenset[str]:
        """Return the tasks that the config declares, whether the ledger has them yet or not."""
        return frozenset(self.scheduler.config.settings.entries)

    def shown_config(self) -> str:
        """Return the config file that is used, or that there is none."""
        path: Path | None = self.scheduler.config.path
        if self.is_config_broken:
            from task_scheduler.config.source import DEFAULT_NAME

            path = Path.cwd() / (self.config_path or DEFAULT_NAME)
            return translate("cli.config_ignored", path=path)
        return translate("cli.no_config") if path is None else str(path)


def _hush_log() -> None:
    """Let Python not write our log to the terminal where nobody keeps it: here an error says it."""
    import logging  # with the facade, which takes longer

    from task_scheduler.observe.logs import LOGGER_NAME

    logger = logging.getLogger(LOGGER_NAME)
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())


def state_cell(state: str) -> Cell:
    """Return the word of a run's state or an attempt's outcome, in its colour."""
    return Cell(translate(f"cli.state_{state}"), _STATE_STYLES.get(state, ""))


_STATE_STYLES = {
    "failed": "red",
    "timed_out": "red",
    "lost": "red",
    "running": "blue",
    "cancelled": "yellow",
    "skipped": "yellow",
}
