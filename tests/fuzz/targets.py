"""What is fuzzed: for each reader sound inputs, and the call that must answer or refuse them.

Responsible for: saying which errors are answers. Anything else that comes out of `read` is a
finding.
"""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from task_scheduler.config import Config
from task_scheduler.config.calendar_files import CalendarError, read_calendar
from task_scheduler.control import ControlServer, command_of
from task_scheduler.core.inbox import AddEntries
from task_scheduler.errors import TaskSchedulerError
from task_scheduler.schedules.rule import describe, from_plain, occurrences_of
from task_scheduler.supervision import attempt_folder
from task_scheduler.supervision.orders import MessageStream, Order
from tests.unit.core.engine_bench import Bench, entry

__all__ = ["TARGETS", "Target"]

_NOW = 1_770_000_000_000_000
_ANCHOR = _NOW - 86_400_000_000


@dataclass(frozen=True, slots=True)
class Target:
    """A reader of input from outside."""

    corpus: Sequence[str]
    read: Callable[[str], object]
    answers: tuple[type[BaseException], ...] = (TaskSchedulerError,)
    """What it may raise."""


def _corpus(name: str) -> list[str]:
    """Return the sound inputs of a reader, from `corpus/<name>.txt`."""
    content = (Path(__file__).parent / "corpus" / f"{name}.txt").read_bytes().decode()
    return content.split("\n====\n")


def _rule(plain: dict[str, Any]) -> None:
    rule = from_plain(plain)
    times = occurrences_of(rule)
    first = times.first(_ANCHOR)
    if first is not None:
        times.next_after(first, _ANCHOR)
    describe(rule)


def _cron(text: str) -> None:
    _rule({"type": "cron", "cron": text, "timezone": "America/New_York"})


def _recurrence(text: str) -> None:
    _rule({"type": "rrule", "rrule": text, "timezone": "Europe/Berlin"})


def _on_calendar(text: str) -> None:
    _rule({"type": "on_calendar", "on_calendar": text, "timezone": "Asia/Tokyo"})


def _plain_rule(text: str) -> None:
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError):
        return
    if isinstance(plain, dict):
        _rule(plain)


_MEMORY = Path("/dev/shm")
# Of a file on a disk the making takes longer than the reading.
_FOLDER = Path(
    tempfile.mkdtemp(prefix="task-scheduler-fuzz-", dir=_MEMORY if _MEMORY.is_dir() else None)
)
atexit.register(shutil.rmtree, _FOLDER, ignore_errors=True)


def _written(name: str, text: str) -> Path:
    path = _FOLDER / name
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return path


def _ics(text: str) -> None:
    read_calendar(_written("days.ics", text))


def _yaml(text: str) -> None:
    read_calendar(_written("days.yaml", text))


def _config(text: str) -> None:
    Config.load(_written("scheduler_config.json", text), environ={})


def _config_toml(text: str) -> None:
    Config.load(_written("farm.toml", text), environ={})


def _config_yaml(text: str) -> None:
    Config.load(_written("farm.yaml", text), environ={})


def _exit_record(text: str) -> None:
    folder = bytes(_FOLDER)
    _written("exit.json", text)
    attempt_folder.read_exit_record(folder)
    attempt_folder.newer_format(folder)
    for name, read in (
        ("members", attempt_folder.read_members),
        ("trouble", attempt_folder.read_trouble),
        ("lock", attempt_folder.read_holder),
        ("cancel", attempt_folder.read_cancel_reason),
    ):
        _written(name, text)
        read(folder)


def _order(text: str) -> None:
    for content in MessageStream().feed(text.encode("utf-8", "surrogatepass")):
        Order(content)
    Order(text.encode("utf-8", "surrogatepass"))


def _serve(op: str, values: dict[str, Any]) -> Any:
    command = command_of(op, values)
    if isinstance(command, AddEntries):
        return [entry.task_id for entry in command.entries]
    bench = Bench()
    bench.add(entry())
    return bench.command(command)


def _control(text: str) -> None:
    server: Any = ControlServer.__new__(ControlServer)
    server._handle = _serve
    answer = server._answer(text.encode("utf-8", "surrogatepass"), (None, None))
    json.loads(answer)


class _Damaged:
    """A ledger with a row to damage, used for many inputs: to make one takes the most time."""

    _in_use: ClassVar[_Damaged | None] = None
    _inputs = 500

    def __init__(self) -> None:
        self._bench = Bench()
        self._bench.add(entry(), entry("other"))
        self._end_all()
        self._bench.tick()
        self._left = self._inputs
        query = "SELECT * FROM entries WHERE task_id = 'pump'"
        found = self._bench.ledger._connection.execute(query)
        names = [column[0] for column in found.description]
        self._sound = dict(zip(names, found.fetchone(), strict=True))

    @classmethod
    def read(cls, text: str) -> None:
        """Damage the row with a text; a ledger that fails, or is worn, is used for no other."""
        ledger, cls._in_use = cls._in_use or cls(), None
        if ledger._read(text):
            cls._in_use = ledger

    def _read(self, text: str) -> bool:
        bench = self._bench
        json_like = text.replace("\0", "").encode("utf-8", "replace").decode()
        self._write(dict.fromkeys(("definition", "rules", "policies"), json_like))
        bench.engine.look_again()
        bench.tick(after=15)
        bench.tick(after=15)
        due = {claim.task_id for claim in bench.hands.gate.values()}
        assert "other" in due, "a damaged row kept another task from its time"
        if "pump" in due:
            # It was no damage: what has begun for it is not undone by writing its row.
            return False
        self._end_all()
        self._write(self._sound)
        self._left -= 1
        return self._left > 0

    def _end_all(self) -> None:
        for run_id in list(self._bench.hands.gate):
            self._bench.end(self._bench.start(run_id))
        self._bench.hands.started.clear()
        self._bench.events.clear()

    def _write(self, values: dict[str, Any]) -> None:
        columns = ", ".join(f"{name} = ?" for name in values)
        execute = self._bench.ledger._connection.execute
        with self._bench.ledger.transaction():
            execute(f"UPDATE entries SET {columns} WHERE task_id = 'pump'", tuple(values.values()))
            # Or what was read before would be taken for it.
            execute("UPDATE progress SET revision = revision + 1 WHERE task_id = 'pump'")


def _row(text: str) -> None:
    """Put a stranger's JSON into the columns of an entry, and let the engine go on."""
    _Damaged.read(text)


_OF_CALENDARS = (TaskSchedulerError, CalendarError)

TARGETS: dict[str, Target] = {
    "cron": Target(_corpus("cron"), _cron),
    "recurrence": Target(_corpus("recurrence"), _recurrence),
    "on_calendar": Target(_corpus("on_calendar"), _on_calendar),
    "rule": Target(_corpus("rule"), _plain_rule),
    "ics": Target(_corpus("ics"), _ics, _OF_CALENDARS),
    "yaml": Target(_corpus("yaml"), _yaml, _OF_CALENDARS),
    "config": Target(_corpus("config"), _config),
    "config_toml": Target(_corpus("config_toml"), _config_toml),
    "config_yaml": Target(_corpus("config_yaml"), _config_yaml),
    "exit_record": Target(_corpus("exit_record"), _exit_record),
    "order": Target(_corpus("order"), _order, Order.FOREIGN),
    "control": Target(_corpus("control"), _control),
    "row": Target(_corpus("row"), _row),
}
"""Every reader by its name."""
