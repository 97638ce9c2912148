"""The workload of the crash test as a configuration declares it.

Responsible for: the text of the file. Knows nothing of the scheduler's code.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.integration.crash.workload import Planned

KINDS = frozenset({"function", "async", "isolated", "script", "command"})
"""What a configuration can declare."""
_NEVER = "2100-01-01T00:00:00+00:00"
_CRASH = Path(__file__).resolve().parents[1] / "crash"


def document(
    workload: Iterable[Planned], start_at: int, *, reloads: int, stop_seconds: float
) -> str:
    """Return the file: the workload, what the client asks for, and so many entries more."""
    requested = {
        "type": "function",
        "function": "tests.integration.stops.requested:work",
        "overlap": "allow",
        "at": _NEVER,
    }
    more = {"type": "command", "command": ["true"], "at": _NEVER}
    entries = {
        "on-request": requested,
        **{planned.task_id: _entry(planned, start_at) for planned in workload},
        **{f"reloaded-{number}": more for number in range(reloads)},
    }
    return json.dumps(
        {
            "scheduler": {"stop_timeout_seconds": stop_seconds, "language": "en"},
            "storage": {"path": "scheduler.db", "retention_runs": 0},
            "logging": {"log_dir": "logs", "console": False},
            "tasks": {"max_retries": 0, "timeout": 60},
            "entries": entries,
        }
    )


def _entry(planned: Planned, start_at: int) -> dict[str, Any]:
    moment = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(start_at // 1_000_000))
    common = {"every": planned.period, "start_at": moment, **planned.policies}
    busy = planned.busy
    match planned.kind:
        case "script":
            args = [str(busy), *(["fail-first"] if planned.fails_first else [])]
            path = str(_CRASH / "task_script.py")
            return {"type": "script", "script_path": path, "args": args, **common}
        case "command":
            command = ["/bin/sh", str(_CRASH / "task_command.sh"), str(busy)]
            return {"type": "command", "command": command, **common}
        case "isolated":
            call = "tests.integration.crash.isolated:work"
            common["isolation"] = "process"
        case "async":
            call = "tests.integration.crash.in_thread:work_async"
        case _:
            call = "tests.integration.crash.in_thread:work"
    return {"type": "function", "function": call, "args": [busy], **common}
