"""What the client was told is done, and whether the ledger says so too.

Responsible for: the lines of the client and the comparison; knows nothing of the scheduler's code.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def read(acks: Path) -> list[dict[str, Any]]:
    """Return every line that is whole; the client may be writing the next."""
    if not acks.exists():
        return []
    lines = acks.read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def tasks_since(acks: list[dict[str, Any]], number: int) -> set[str]:
    """Return the tasks of the lines from the last before `number` on, the last one included."""
    return {line["task_id"] for line in acks[max(0, number - 1) :]}


def lost(acks: list[dict[str, Any]], database: Path) -> Iterator[tuple[str, str]]:
    """Name every acknowledged operation that the ledger knows nothing of, with its task."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as ledger:
        query = "SELECT run_id FROM runs WHERE task_id = 'on-request'"
        runs = {run_id for (run_id,) in ledger.execute(query)}
        entries = dict(
            ledger.execute(
                "SELECT e.task_id, p.paused_at IS NOT NULL FROM entries AS e"
                " JOIN progress AS p USING (task_id)"
            )
        )
    done: dict[str, str] = {}
    for line in acks:
        task_id, op = line["task_id"], line["op"]
        if "refused" in line:
            # It may have happened or not, but nobody was promised anything.
            done.pop(task_id, None)
        elif op == "run" and line["run_id"] not in runs:
            yield task_id, f"the run {task_id} was acknowledged and is not in the ledger"
        elif op != "run":
            done[task_id] = op
    for task_id, op in done.items():
        is_there, is_paused = task_id in entries, bool(entries.get(task_id))
        if is_there != (op != "remove") or is_paused != (op == "pause"):
            text = f"{op} of {task_id} was acknowledged; there: {is_there}, paused: {is_paused}"
            yield task_id, text


def not_run(acks: list[dict[str, Any]], state_of: Mapping[int, str]) -> Iterator[str]:
    """Name every acknowledged request that is neither over nor waiting at the very end."""
    for line in acks:
        if line["op"] == "run" and "refused" not in line:
            state = state_of.get(line["run_id"])
            if state not in ("succeeded", "waiting", "cancelled"):
                yield f"the requested run {line['task_id']} is {state}"
