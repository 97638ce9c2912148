"""How late functions start beside one that computes all the time.

Responsible for: measuring it in a process of its own. A benchmark may call `measure` and `table`.
"""

from __future__ import annotations

import json
import tempfile
import uuid
from pathlib import Path

from tests.integration.crash import census
from tests.integration.crash.lives import Life

FOREGROUND = 0.000_5
"""Seconds: the switch interval of `tsk up`."""
_MEASURE_SECONDS = 150.0


def measure(*, count: int = 1000, apart: float = 0.005, switch: float = 0.0) -> list[float]:
    """Return how late, in seconds, each of `count` functions started, the earliest first.

    They are due `apart` seconds after each other, 0 for all at once; `switch` is the switch
    interval of the interpreter, 0 for its own. Fewer values than `count` did not all start.
    """
    with tempfile.TemporaryDirectory() as folder:
        mark = uuid.uuid4().hex
        arguments = [folder, str(count), str(apart), str(switch)]
        life = Life("hog_program", arguments, witness_folder=Path(folder), mark=mark)
        try:
            output, errors = life.process.communicate(timeout=_MEASURE_SECONDS)
        finally:
            life.process.kill()
            census.wait_until_gone(mark, 5)
        if not output:
            raise RuntimeError(f"it measured nothing: {errors.decode()}")
    return sorted(json.loads(output))


def table(count: int = 1000) -> str:
    """Return the figures as lines: both switch intervals, due one by one and all at once."""
    lines = [f"lateness of {count} functions beside a CPU-bound one, in ms   p50     p99     max"]
    for name, switch in (("tsk up, 0.5 ms", FOREGROUND), ("embedded, 5 ms", 0.0)):
        for when, apart in (("5 ms apart", 0.005), ("all at once", 0.0)):
            late = measure(count=count, apart=apart, switch=switch)
            p50, p99 = late[len(late) // 2], late[int(len(late) * 0.99)]
            figures = "".join(f"{value * 1_000:8.1f}" for value in (p50, p99, late[-1]))
            lines.append(f"  switch interval of {name:<16}{when:<18}{figures}")
    return "\n".join(lines)
