"""One look at the soaked scheduler from outside: its processes, its files, its ledger.

Responsible for: the figures of one moment, read from ``/proc``, the folders and the ledger without
the scheduler's code.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Sample:
    """The figures of one moment; sizes in bytes."""

    done: int
    """Runs that had ended by then, since the beginning."""
    seconds: float
    rss: int
    private: int
    threads: int
    descriptors: int
    children: int
    """Living descendants: launcher, supervisors, programs."""
    zombies: int
    launcher_private: int
    launcher_descriptors: int
    runs: int
    """Rows that the ledger holds."""
    skips: int
    ledger_bytes: int
    wal_bytes: int
    attempt_folders: int
    state_files: int
    log_files: int
    log_bytes: int


FIGURES = tuple(name for name in Sample.__slots__ if name not in ("done", "seconds"))
"""What may be flat or not."""


def take(pid: int, folder: Path, seconds: float) -> Sample:
    """Look at the scheduler's process and at everything in its folder."""
    state, logs = folder / "state", folder / "logs"
    database = state / "scheduler.db"
    done, runs, skips = _counts(database)
    children = list(_descendants(pid))
    launcher = next((child for child in children if _name_of(child) == "tsk-launcher"), 0)
    log_sizes = [_size(path) for path in logs.iterdir()]
    return Sample(
        done=done,
        seconds=round(seconds, 2),
        rss=_memory(pid, "Rss"),
        private=_memory(pid, "Private_Dirty") + _memory(pid, "Private_Clean"),
        threads=_count(Path(f"/proc/{pid}/task")),
        descriptors=_count(Path(f"/proc/{pid}/fd")),
        children=sum(_state_of(child) not in ("", "Z") for child in children),
        zombies=sum(_state_of(child) == "Z" for child in children),
        launcher_private=_memory(launcher, "Private_Dirty"),
        launcher_descriptors=_count(Path(f"/proc/{launcher}/fd")),
        runs=runs,
        skips=skips,
        ledger_bytes=_size(database),
        wal_bytes=_size(database.with_name("scheduler.db-wal")),
        attempt_folders=_count(state / "scheduler.runs"),
        state_files=_count(state),
        log_files=len(log_sizes),
        log_bytes=sum(log_sizes),
    )


def runs_done(database: Path) -> int:
    """Return how many runs have ended since the beginning; 0 before there is a ledger."""
    if not database.exists():
        return 0
    with contextlib.suppress(sqlite3.OperationalError):
        return _counts(database)[0]
    return 0


def _counts(database: Path) -> tuple[int, int, int]:
    query = (
        "SELECT (SELECT coalesce(sum(run_count), 0) FROM progress),"
        " (SELECT count(*) FROM runs), (SELECT count(*) FROM skips)"
    )
    uri = f"file:{database}?mode=ro"
    with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
        done, runs, skips = connection.execute(query).fetchone()
    return done, runs, skips


def _memory(pid: int, field: str) -> int:
    """Return one line of what the kernel sums up of a process's memory; 0 if it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


def _descendants(pid: int) -> Iterator[int]:
    """Give the living descendants of a process, and those that nobody has reaped."""
    for task in _entries(Path(f"/proc/{pid}/task")):
        with contextlib.suppress(OSError):
            for child in map(int, (task / "children").read_text().split()):
                yield child
                yield from _descendants(child)


def _state_of(pid: int) -> str:
    """Return the letter of a process's state; none for one that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _count(folder: Path) -> int:
    return len(_entries(folder))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
