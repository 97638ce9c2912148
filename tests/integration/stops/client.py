"""Who changes things all the time: ``python -m tests.integration.stops.client CONFIG ACKS SEED``.

Responsible for: requests from a process of its own, one after another, and a line for each that was
acknowledged, synced before the next. What is refused is written too, with its reason. Ends at the
end of its standard input.
"""

from __future__ import annotations

import json
import os
import random
import select
import sys
import time
from pathlib import Path
from typing import Any

from task_scheduler import FunctionTask, TaskScheduler
from task_scheduler.errors import TaskSchedulerError

ON_REQUEST = "on-request"
GUEST = "guest-"


def main(config: Path, acks: Path, seed: str) -> None:
    """Ask until nobody wants it any more."""
    rng = random.Random(seed)
    scheduler = TaskScheduler(config)
    descriptor = os.open(acks, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    number = 0
    while not select.select([sys.stdin], [], [], rng.uniform(0.005, 0.05))[0]:
        number += 1
        op, task_id = rng.choice(("run", "run", "add")), f"{GUEST}{number}"
        if op == "add":
            ops = [op, *rng.choice(([], ["pause"], ["remove"], ["pause", "resume"]))]
        else:
            ops = [op]
        for each in ops:
            began = time.time()
            line: dict[str, Any] = {"op": each, "task_id": task_id, "began": began}
            try:
                line["run_id"] = carry_out(scheduler, each, task_id)
            except TaskSchedulerError as error:
                line["refused"] = f"{type(error).__name__}: {error}"
            line["seconds"] = round(time.time() - began, 3)
            os.write(descriptor, json.dumps(line).encode() + b"\n")
            os.fsync(descriptor)
            if "refused" in line:
                break


def carry_out(scheduler: TaskScheduler, op: str, task_id: str) -> int | None:
    """Ask for one change and wait for its acknowledgement."""
    match op:
        case "run":
            return scheduler.run_task(ON_REQUEST, request_id=task_id)
        case "add":
            scheduler.add_task(
                FunctionTask(task_id, None, "tests.integration.stops.requested:work")
            )
        case "pause":
            scheduler.pause_task(task_id, "a guest")
        case "resume":
            scheduler.resume_task(task_id)
        case "remove":
            scheduler.remove_task(task_id)
    return None


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
