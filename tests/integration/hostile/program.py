"""The scheduler with its witnesses and one hostile task: ``...program FOLDER ORDER``.

ORDER is JSON: ``span`` (seconds), ``hostile`` (None, or ``args`` and ``options`` of the script),
``is_restart`` (the ledger has the witnesses already, and the hostile task goes). Prints the first
moment (microseconds) once it runs, and stops when its input ends.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from task_scheduler import (
    BaseTask,
    CommandTask,
    FunctionTask,
    ScheduleRule,
    ScheduleType,
    ScriptTask,
    TaskScheduler,
)
from tests.integration.hostile.witnesses import (
    FOLDER_VARIABLE,
    PRINTED_LINES,
    WITNESSES,
    Witness,
)

HERE = Path(__file__).parent
_EVERY_ONE: dict[str, Any] = {
    # Also where the machine is slow, or a launcher is stopped: late, and all of them.
    "overlap": "queue",
    "overlap_limit": 1_000,
    "misfire": "run_all",
    "catch_up_limit": 1_000,
    "timeout": 60,
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOSTILE_PERIOD = 0.7
_LEAD_SECONDS = 0.3


def task_of(witness: Witness) -> BaseTask:
    """Make one of the witnesses."""
    busy = witness.busy
    match witness.kind:
        case "function":
            call = "tests.integration.hostile.in_thread:note"
            return FunctionTask(witness.task_id, None, call, **_EVERY_ONE)
        case "isolated":
            call = "tests.integration.hostile.witnesses:work"
            return FunctionTask(
                witness.task_id, None, call, (busy,), isolation="process", **_EVERY_ONE
            )
        case "script":
            script, args = str(HERE / "witnesses.py"), [str(busy)]
            return ScriptTask(witness.task_id, None, script, args=args, **_EVERY_ONE)
    argv = ["/bin/sh", str(HERE / "witness.sh"), str(busy), str(PRINTED_LINES)]
    return CommandTask(witness.task_id, None, argv, **_EVERY_ONE)


def main(folder: Path, order: dict[str, Any]) -> None:
    """Run them on the ledger in `folder` until the input ends."""
    os.environ[FOLDER_VARIABLE] = str(folder / "witness")
    scheduler = TaskScheduler(
        {},
        storage={"path": str(folder / "state" / "scheduler.db"), "retention_runs": 0},
        language="en",
        logging={"log_dir": str(folder / "logs"), "console": False},
        tasks={"max_retries": 0},
        stop_timeout_seconds=0,
    )
    if order["is_restart"]:
        scheduler.remove_task("hostile")
        scheduler.start()
        print("running again", flush=True)
        sys.stdin.read()
        scheduler.stop(0)
        return
    while True:
        begin = datetime.now(UTC) + timedelta(seconds=_LEAD_SECONDS)
        scheduler.add_tasks(tasks_from(begin, order["span"], order["hostile"]))
        if datetime.now(UTC) < begin:
            # Otherwise the machine was so slow that the first moments were never owed.
            break
    scheduler.start()
    print(
        "running",
        (begin - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1),
        flush=True,
    )
    sys.stdin.read()
    scheduler.stop(0)


def tasks_from(
    begin: datetime, span: float, hostile: dict[str, Any] | None
) -> list[tuple[BaseTask, ScheduleRule]]:
    """Return all tasks with their rules."""

    def every(seconds: float) -> ScheduleRule:
        end = begin + timedelta(seconds=span)
        return ScheduleRule(ScheduleType.INTERVAL, seconds=seconds, start_at=begin, end_at=end)

    pairs = [(task_of(witness), every(witness.period)) for witness in WITNESSES]
    if hostile is not None:
        script = str(HERE / "attacker.py")
        task = ScriptTask("hostile", None, script, args=hostile["args"], **hostile["options"])
        pairs.append((task, every(_HOSTILE_PERIOD)))
    return pairs


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
