"""An examination: everything that the checks need, read once.

Responsible for: reading it, from the ledger, the disk, the kernel and the scheduler's own process,
in a bounded time and without changing anything. What cannot be read is None and judged as unknown.
"""

from __future__ import annotations

import os
import sqlite3
import zoneinfo
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from stat import S_ISVTX
from typing import Any

from task_scheduler.core.model import SECOND, Microseconds
from task_scheduler.core.ports import Clock
from task_scheduler.doctor import pace, surroundings
from task_scheduler.doctor.channels import judge_channels
from task_scheduler.doctor.confinement import judge_confinement
from task_scheduler.doctor.findings import Finding
from task_scheduler.doctor.memory import judge_memory, look_at_memory
from task_scheduler.doctor.pace import Load, SeatUse
from task_scheduler.doctor.services import judge_service, look_at_service
from task_scheduler.doctor.surroundings import ClockState, DatabaseState, OpenFile, Space
from task_scheduler.errors import StoreError
from task_scheduler.observe.clock_sync import read_clock_sync
from task_scheduler.state_files import StateFiles
from task_scheduler.stores.bounded_check import check_until
from task_scheduler.stores.sqlite import read_only
from task_scheduler.version import __version__

__all__ = ["Subject", "examine"]

_SAMPLE = 10_000
"""The newest runs, and skips, that are looked at."""
_SHOWN = 20
_DAY: Microseconds = 86_400 * SECOND
_SAMPLE_SECONDS = 0.5
"""For how long the processor time of the scheduler is watched."""
_OTHERS = 0o077
_WRITABLE = 0o022


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whose examination it is."""

    files: StateFiles
    clock: Clock
    workers: int
    holder: Mapping[str, Any] | None
    """Who holds the ledger, as `TaskScheduler.holder` says it."""
    fetch: Callable[..., Any]
    """Of a reader of the ledger."""
    measures: Mapping[str, Any] | None = None
    """The scheduler's own figures, where one runs."""
    confinement: Mapping[str, Any] | None = None
    """What it can hold tasks to, where one runs."""
    problems: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    """What keeps it from its work, as `fault_board.problem_of` says it."""
    limit_seconds: float = 5.0
    """For the check of the database."""
    folder: Path | None = None
    """Of the configuration: a service is known by it."""
    channels: Sequence[str] = ()
    """By which the configuration has people told."""
    memory_most: int | None = None
    """Bytes that the scheduler's process should have, as it is configured."""


def examine(subject: Subject, checks: Iterable[str]) -> list[Finding]:
    """Return what these checks find, in the order of the checks."""
    reading = _Reading(subject)
    found: list[Finding] = []
    for check in checks:
        answer = _CHECKS[check](reading)
        found += [answer] if isinstance(answer, Finding) else answer
    return found


class _Reading:
    """The questions that several checks ask."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject

    @cached_property
    def load(self) -> Load:
        """How busy process and machine are; watched once, for a moment."""
        return _read_load(self.subject)

    def asked(self, statement: str, **parameters: Any) -> Any:
        """Return what the ledger says; None where it cannot be read: the faults tell why."""
        try:
            return self.subject.fetch(statement, **parameters)
        except StoreError:
            return None


def _scheduler(reading: _Reading) -> Finding:
    return surroundings.judge_scheduler(reading.subject.holder, version=__version__)


def _faults(reading: _Reading) -> list[Finding]:
    return surroundings.judge_faults(reading.subject.problems)


def _lateness(reading: _Reading) -> Finding:
    return pace.judge_lateness(reading.subject.measures)


def _seats(reading: _Reading) -> Finding:
    backlog = reading.asked("count_backlog", now=reading.subject.clock.now())
    return pace.judge_seats(reading.subject.measures, backlog=backlog, load=reading.load)


def _interpreter(reading: _Reading) -> Finding:
    return pace.judge_interpreter(
        reading.subject.measures,
        load=reading.load,
        functions=(reading.asked("running_functions") or [])[:_SHOWN],
    )


def _commits(reading: _Reading) -> Finding:
    return pace.judge_commits(reading.subject.measures)


def _slow_task(reading: _Reading) -> Finding:
    usage = reading.asked("seat_usage", sample=_SAMPLE, limit=_SHOWN) or {"tasks": []}
    uses = []
    if usage["tasks"]:
        window = (usage["last_at"] - usage["first_at"]) / SECOND
        uses = [
            SeatUse(task_id, runs, total / SECOND, longest / SECOND, window)
            for task_id, runs, total, longest in usage["tasks"]
        ]
    workers, measures = reading.subject.workers, reading.subject.measures
    return pace.judge_slow_task(uses, workers=workers, measures=measures)


def _overlaps(reading: _Reading) -> Finding:
    since = reading.subject.clock.now() - _DAY
    rows = reading.asked("overlap_skips", sample=_SAMPLE, since=since, limit=_SHOWN) or []
    return pace.judge_overlaps([(task_id, count) for task_id, count in rows])


def _unresolved(reading: _Reading) -> Finding:
    count, ids = reading.asked("unresolved_tasks", limit=_SHOWN) or (0, [])
    return surroundings.judge_unresolved(ids, count=count)


def _confinement(reading: _Reading) -> Finding:
    return judge_confinement(reading.subject.confinement)


def _clock(_: _Reading) -> Finding:
    state = read_clock_sync()
    return surroundings.judge_clock(None if state is None else ClockState(*state))


def _zones(reading: _Reading) -> Finding:
    year = datetime.fromtimestamp(reading.subject.clock.now() / SECOND, UTC).year
    version, source = _zone_version()
    return surroundings.judge_zones(version, year=year, source=source)


def _space(reading: _Reading) -> Finding:
    files = reading.subject.files
    try:
        disk = os.statvfs(files.database.parent)
    except OSError:
        return surroundings.judge_space(None)
    used = sum(_size(path) for path in (files.database, _log_of(files)))
    space = Space(
        folder=str(files.database.parent),
        free_bytes=disk.f_bavail * disk.f_frsize,
        ledger_bytes=used,
        # Some file systems (btrfs) make files as they need them, and say so with a zero.
        files=disk.f_favail if disk.f_files else None,
    )
    return surroundings.judge_space(space)


def _database(reading: _Reading) -> Finding:
    subject, path = reading.subject, str(reading.subject.files.database)
    if not subject.files.database.exists():
        return surroundings.judge_database(None)
    began = subject.clock.boottime()
    until = began + round(subject.limit_seconds * SECOND)
    try:
        result = check_until(lambda: read_only(path), lambda: subject.clock.boottime() >= until)
    except sqlite3.Error:
        return surroundings.judge_database(None)
    took = (subject.clock.boottime() - began) / SECOND
    return surroundings.judge_database(DatabaseState(path, *result, took))


def _service(reading: _Reading) -> Finding:
    return judge_service(look_at_service(reading.subject.folder, reading.subject.holder))


def _channels(reading: _Reading) -> list[Finding]:
    return judge_channels(reading.subject.channels, reading.asked("last_tries"))


def _memory(reading: _Reading) -> Finding:
    subject = reading.subject
    return judge_memory(look_at_memory(subject.holder), most=subject.memory_most)


def _log(reading: _Reading) -> Finding:
    return surroundings.judge_log(_size(_log_of(reading.subject.files)))


def _rights(reading: _Reading) -> Finding:
    files = reading.subject.files
    opened = []
    for path in (files.database, _log_of(files), files.lock, files.marks, files.socket, files.runs):
        with suppress(OSError):
            mode = path.stat().st_mode
            if mode & _OTHERS:
                opened.append(OpenFile(str(path), bool(mode & _WRITABLE)))
    folder = files.database.parent
    with suppress(OSError):
        mode = folder.stat().st_mode
        # A folder of the user's own may be read; in one that is written to files are exchanged.
        if mode & _WRITABLE and not mode & S_ISVTX:
            opened.append(OpenFile(str(folder), is_writable=True))
    return surroundings.judge_rights(opened, folder=str(folder))


_CHECKS: Mapping[str, Callable[[_Reading], Finding | list[Finding]]] = {
    "scheduler": _scheduler,
    "faults": _faults,
    "lateness": _lateness,
    "seats": _seats,
    "interpreter": _interpreter,
    "commits": _commits,
    "slow_task": _slow_task,
    "overlaps": _overlaps,
    "unresolved": _unresolved,
    "service": _service,
    "channels": _channels,
    "memory": _memory,
    "confinement": _confinement,
    "clock": _clock,
    "zones": _zones,
    "space": _space,
    "database": _database,
    "log": _log,
    "rights": _rights,
}


def _read_load(subject: Subject) -> Load:
    """Watch the scheduler's process for a moment."""
    import psutil

    crowd = None
    with suppress(OSError):
        crowd = os.getloadavg()[0] / (os.cpu_count() or 1)
    if subject.holder is None or not subject.holder.get("pid"):
        return Load(None, crowd)
    try:
        share = psutil.Process(subject.holder["pid"]).cpu_percent(_SAMPLE_SECONDS) / 100
    except (psutil.Error, OSError):
        return Load(None, crowd)
    return Load(share, crowd)


def _zone_version() -> tuple[str | None, str]:
    """Return which edition of the zones this interpreter reads, and where it has it from."""
    for folder in zoneinfo.TZPATH:
        if not (Path(folder) / "UTC").exists():
            continue
        for name, prefix in (("tzdata.zi", "# version "), ("+VERSION", "")):
            with suppress(OSError):
                first, *_ = (Path(folder) / name).read_text(encoding="utf-8").splitlines() or [""]
                if first.startswith(prefix):
                    return first.removeprefix(prefix).strip(), folder
        return None, folder
    with suppress(ImportError):
        import tzdata  # type: ignore[import-untyped]

        return tzdata.IANA_VERSION, "tzdata"
    return None, ""


def _log_of(files: StateFiles) -> Path:
    return files.database.with_name(files.database.name + "-wal")


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0
