"""What a scheduler stands on: process, ledger, disk, clock, zones, and who may touch its files.

Responsible for: judging what `examination` has read, each against a limit that is written down
here. Reads nothing by itself.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from task_scheduler.doctor.findings import Finding, Level

__all__ = [
    "ClockState",
    "DatabaseState",
    "OpenFile",
    "Space",
    "judge_clock",
    "judge_database",
    "judge_faults",
    "judge_log",
    "judge_rights",
    "judge_scheduler",
    "judge_space",
    "judge_unresolved",
    "judge_zones",
]

_MEGABYTE = 1024 * 1024
_SPARE = (1024 * _MEGABYTE, 100 * _MEGABYTE)
"""Bytes free below which it is a warning and a problem; a ledger that is larger needs room for a
copy of itself."""
_SPARE_FILES = (10_000, 100)
_LOG = (128 * _MEGABYTE, 256 * _MEGABYTE)
"""Bytes of the write-ahead log: above 64 MB it is folded in whole, unless a reader hinders it."""
_CLOCK_ERROR = 1_000_000
"""Microseconds that a synchronised clock may be off before anybody should look."""
_OLD_ZONES = 2
"""Years: somewhere the rules of a zone change several times a year."""
_NAMED = 5


@dataclass(frozen=True, slots=True)
class ClockState:
    """What the kernel knows of the wall clock."""

    is_synchronised: bool
    error_microseconds: int


@dataclass(frozen=True, slots=True)
class Space:
    """What the disk of the ledger has left; `files` is None where it has no such limit."""

    folder: str
    free_bytes: int
    ledger_bytes: int
    files: int | None = None


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """How far a check of the ledger came in its time, and what it found."""

    path: str
    damage: str
    checked: int
    tables: int
    seconds: float

    @property
    def is_whole(self) -> bool:
        """Whether every table was looked at."""
        return self.checked == self.tables


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file or folder of the ledger that others may read, or `is_writable` by them."""

    path: str
    is_writable: bool


def judge_scheduler(holder: Mapping[str, Any] | None, *, version: str) -> Finding:
    """Say whether a scheduler runs; of none the other checks know only what the ledger says."""
    if holder is None:
        return Finding(
            check="scheduler",
            level=Level.WARNING,
            sentence="scheduler_down",
            remedy="scheduler_down_remedy",
            command="tsk up",
        )
    figures = {"pid": holder["pid"], "state": holder["state"], "version": holder.get("version")}
    if holder["state"] == "mute":
        return Finding(
            check="scheduler",
            level=Level.PROBLEM,
            sentence="scheduler_mute",
            remedy="scheduler_mute_remedy",
            command="tsk status",
            figures=figures,
        )
    if holder["state"] != "running":
        return Finding(
            check="scheduler",
            level=Level.WARNING,
            sentence="scheduler_passive",
            remedy="scheduler_down_remedy",
            command="tsk up",
            figures=figures,
        )
    is_other = holder.get("version") != version
    return Finding(
        check="scheduler",
        level=Level.WARNING if is_other else Level.FINE,
        sentence="scheduler_other_version" if is_other else "scheduler",
        remedy="scheduler_other_version_remedy" if is_other else "",
        command="tsk down" if is_other else "",
        figures=figures,
        texts={"own": version},
    )


def judge_faults(problems: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Return what keeps the scheduler from its work, each with its own remedy."""
    if not problems:
        return [Finding(check="faults", level=Level.FINE, sentence="faults_none")]
    return [
        Finding(
            check="faults",
            level=Level.PROBLEM,
            sentence="fault",
            remedy="fault_remedy",
            figures={name: fault.get(name) for name in ("kind", "since", "where", "why")},
            texts={"what": str(fault["what"]), "advice": str(fault["remedy"])},
        )
        for fault in problems
    ]


def judge_unresolved(ids: Sequence[str], *, count: int) -> Finding:
    """Say which tasks cannot run, because no process has their code."""
    if not count:
        return Finding(check="unresolved", level=Level.FINE, sentence="unresolved_none")
    more = count - min(len(ids), _NAMED)
    names = ", ".join(ids[:_NAMED]) + (f" +{more}" if more else "")
    return Finding(
        check="unresolved",
        level=Level.WARNING,
        sentence="unresolved",
        remedy="unresolved_remedy",
        command=f"tsk why {shlex.quote(ids[0])}",
        figures={"count": count, "task_ids": list(ids[:_NAMED])},
        texts={"names": names},
    )


def judge_clock(state: ClockState | None) -> Finding:
    """Say whether somebody keeps the wall clock right."""
    if state is None:
        return Finding(check="clock", level=Level.UNKNOWN, sentence="clock_unknown")
    figures = {
        "is_synchronised": state.is_synchronised,
        "error_seconds": state.error_microseconds / 1_000_000,
    }
    is_fine = state.is_synchronised and state.error_microseconds <= _CLOCK_ERROR
    return Finding(
        check="clock",
        level=Level.FINE if is_fine else Level.WARNING,
        sentence="clock" if state.is_synchronised else "clock_free",
        remedy="" if is_fine else "clock_remedy",
        command="" if is_fine else "timedatectl set-ntp true",
        figures=figures,
        texts={"error": f"{state.error_microseconds / 1_000:.3g} ms"},
    )


def judge_zones(version: str | None, *, year: int, source: str = "") -> Finding:
    """Say how old the rules of time zones are; `version` is the publisher's, as ``2026b``."""
    if version is None or not version[:4].isdigit():
        return Finding(check="zones", level=Level.UNKNOWN, sentence="zones_unknown")
    age = year - int(version[:4])
    is_old = age >= _OLD_ZONES
    is_of_package = source == "tzdata"
    command = "pip install --upgrade tzdata" if is_of_package else "apt-get install tzdata"
    return Finding(
        check="zones",
        level=Level.WARNING if is_old else Level.FINE,
        sentence="zones_old" if is_old else "zones",
        remedy="zones_remedy" if is_old else "",
        command=command if is_old else "",
        figures={"version": version, "years": age, "source": source},
    )


def judge_space(space: Space | None) -> Finding:
    """Say whether the disk of the ledger has room for what is to come."""
    if space is None:
        return Finding(check="space", level=Level.UNKNOWN, sentence="space_unknown")
    wanted = max(_SPARE[0], 2 * space.ledger_bytes)
    level = Level.WARNING if space.free_bytes < wanted else Level.FINE
    sentence = "space"
    if space.files is not None and space.files < _SPARE_FILES[0]:
        level, sentence = Level.WARNING, "space_files"
    is_spent = space.files is not None and space.files < _SPARE_FILES[1]
    if is_spent or space.free_bytes < _SPARE[1]:
        level = Level.PROBLEM
    return Finding(
        check="space",
        level=level,
        sentence=sentence,
        remedy="" if level is Level.FINE else "space_remedy",
        command="" if level is Level.FINE else "storage.retention_days",
        figures={
            "folder": space.folder,
            "free_bytes": space.free_bytes,
            "ledger_bytes": space.ledger_bytes,
            "free_files": space.files,
        },
        texts={
            "free": size_text(space.free_bytes),
            "used": size_text(space.ledger_bytes),
            "files": str(space.files),
        },
    )


def judge_database(state: DatabaseState | None) -> Finding:
    """Say whether the ledger is sound, as far as there was time to look."""
    if state is None:
        return Finding(check="database", level=Level.UNKNOWN, sentence="database_none")
    figures = {
        "path": state.path,
        "checked_tables": state.checked,
        "tables": state.tables,
        "damage": state.damage or None,
        "seconds": round(state.seconds, 3),
    }
    if state.damage:
        return Finding(
            check="database",
            level=Level.PROBLEM,
            sentence="database_damaged",
            remedy="database_damaged_remedy",
            command="tsk restore",
            figures=figures,
            texts={"why": state.damage},
        )
    return Finding(
        check="database",
        level=Level.FINE if state.is_whole else Level.UNKNOWN,
        sentence="database" if state.is_whole else "database_partly",
        remedy="" if state.is_whole else "database_partly_remedy",
        command="" if state.is_whole else "tsk doctor database --limit 10m",
        figures=figures,
        texts={"took": f"{state.seconds:.1f}"},
    )


def judge_log(log_bytes: int) -> Finding:
    """Say whether the write-ahead log is folded into the ledger as it should be."""
    level = Level.FINE
    if log_bytes >= _LOG[0]:
        level = Level.PROBLEM if log_bytes >= _LOG[1] else Level.WARNING
    return Finding(
        check="log",
        level=level,
        sentence="log",
        remedy="" if level is Level.FINE else "log_remedy",
        figures={"log_bytes": log_bytes},
        texts={"size": size_text(log_bytes)},
    )


def judge_rights(opened: Sequence[OpenFile], *, folder: str) -> Finding:
    """Say whether others may read or write what belongs to the ledger."""
    if not opened:
        return Finding(check="rights", level=Level.FINE, sentence="rights", figures={"open": []})
    # What others may write is what they may make the scheduler run.
    writable = [file.path for file in opened if file.is_writable]
    paths = writable or [file.path for file in opened]
    letters = "w" if writable else "rwx"
    return Finding(
        check="rights",
        level=Level.PROBLEM if writable else Level.WARNING,
        sentence="rights_writable" if writable else "rights_readable",
        remedy="rights_remedy",
        command=f"chmod go-{letters} {' '.join(shlex.quote(path) for path in paths[:_NAMED])}",
        figures={"open": paths},
        texts={"paths": ", ".join(paths[:_NAMED]), "folder": folder},
    )


def size_text(count: float) -> str:
    """Return bytes as people write them."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1024 or unit == "GB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    raise AssertionError
