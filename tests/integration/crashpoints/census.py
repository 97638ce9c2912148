"""Which processes of a trial live: all whose environment or command line names its folder."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path


def living(folder: Path) -> dict[int, str]:
    """Return the processes that carry the folder's name, with their own."""
    wanted = os.fsencode(folder)
    found = {}
    for place in Path("/proc").iterdir():
        if not place.name.isdigit() or int(place.name) == os.getpid():
            continue
        try:
            if wanted in (place / "environ").read_bytes() + (place / "cmdline").read_bytes():
                found[int(place.name)] = (place / "comm").read_text().strip()
        except OSError:
            continue  # it ended meanwhile, or is another user's
    return found


def wait_until_gone(folder: Path, seconds: float) -> dict[int, str]:
    """Wait until nothing of the trial lives; return what still does at the deadline."""
    wait_for(lambda: not living(folder), seconds)
    return living(folder)


def wait_for(condition: Callable[[], object], seconds: float) -> bool:
    """Look again and again until a condition holds; False when it does not come in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.01)
    return True


def end_all(folder: Path) -> None:
    """Kill what a trial that broke off left running."""
    for pid in living(folder):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
