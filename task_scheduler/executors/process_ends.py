"""Ends of programs as completions: what an exit record says, or what is said where there is none.

Responsible for: the shape. Whether a record may be believed is decided by `supervision`.
"""

from __future__ import annotations

import os
from pathlib import Path

from task_scheduler.core.model import Claim, Completion, Microseconds, Outcome
from task_scheduler.i18n import translate
from task_scheduler.supervision import attempt_folder

__all__ = ["end_of_record", "end_without_record", "why_lost"]

_MOST = 1 << 62


def end_of_record(claim: Claim, record: dict[str, object], output: Path) -> Completion:
    """Return what a sound exit record says."""
    code, number, error = record["exit_code"], record["signal"], record["error"]
    started_at, ended_at = record["started_at"], record["ended_at"]
    assert isinstance(started_at, int)
    assert isinstance(ended_at, int)
    if not isinstance(code, int):
        code = -number if isinstance(number, int) else None
    return Completion(
        run_id=claim.run_id,
        task_id=claim.task_id,
        attempt=claim.attempt,
        token=claim.token,
        outcome=Outcome(str(record["outcome"])),
        started_at=started_at,
        ended_at=ended_at,
        # Half a character, which JSON can name, cannot be stored.
        error=None if error is None else str(error).encode("utf-8", "replace").decode("utf-8"),
        exit_code=code,
        output_path=str(output),
        cpu_seconds=_number(record.get("cpu_seconds")),
        peak_memory_bytes=_whole(record.get("peak_memory_bytes", record.get("max_rss_bytes"))),
        read_bytes=_count(record.get("read_bytes")),
        written_bytes=_count(record.get("written_bytes")),
    )


def _number(value: object) -> float | None:
    """Return an amount of a record of any release, None if it is none."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value < _MOST else None  # type: ignore[operator, arg-type]


def _count(value: object) -> int | None:
    found = _number(value)
    return None if found is None else int(found)


def _whole(value: object) -> int | None:
    found = _number(value)
    # Nothing was measured where there was nothing to measure.
    return None if not found else int(found)


def end_without_record(
    claim: Claim, outcome: Outcome, sentence: str, *, now: Microseconds, output: Path
) -> Completion:
    """Return the end of an attempt that was lost, or never started."""
    try:
        # The permit is as old as the start, and nobody writes to it.
        permit = output.with_name("permit")
        started_at = permit.stat().st_mtime_ns // 1_000 if outcome is Outcome.LOST else now
    except OSError:
        started_at = now
    return Completion(
        run_id=claim.run_id,
        task_id=claim.task_id,
        attempt=claim.attempt,
        token=claim.token,
        outcome=outcome,
        started_at=min(started_at, now),
        ended_at=now,
        error=sentence,
        output_path=str(output) if output.exists() else None,
    )


def why_lost(folder: bytes) -> str:
    """Return what is said of an attempt that left no record, or none that can be read here."""
    number = attempt_folder.newer_format(folder)
    if number is None:
        return translate("supervision.lost")
    path = os.fsdecode(attempt_folder.path_in(folder, "exit.json"))
    return translate("supervision.lost_newer", format=number, path=path)
