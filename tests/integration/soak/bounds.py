"""What the soaked scheduler is configured to keep, and the bounds that follow from it.

Responsible for: numbers alone. The program takes its configuration from here, and the campaign
demands what that configuration promises.
"""

from __future__ import annotations

from tests.integration.soak.sample import Sample

WORKERS = 10
KEPT_RUNS = 20
RETENTION_DAYS = 30 / 86_400
"""Half a minute: the programs' runs go by age, those of the functions by number."""
LOG_BYTES = 1_000_000
LOG_FILES = 3
PROGRAM_SECONDS = 0.5
PROGRAMS = 3

_WALK = 20_000
"""Runs added from one walk of the retention to the end of the next, with room to spare."""
_ROW_BYTES = 500
"""Of a run, its attempts and its places in the indexes: about 230, with room for holes."""
_WAL_BYTES = 72 * 1024 * 1024
"""The log is emptied at 64 MB."""
_ATTEMPTS = 3


def bounds(tasks: int) -> dict[str, float]:
    """Return the most that each figure of a sample may ever be, by its name."""
    runs = (tasks + PROGRAMS + 1) * KEPT_RUNS + _WALK
    # By age and by number; a run of the program that fails has three attempts.
    folders = PROGRAMS * KEPT_RUNS * _ATTEMPTS + _WALK * PROGRAMS * _ATTEMPTS // tasks
    return {
        # The engine, the workers, the listeners and one request at a time.
        "threads": WORKERS + 10,
        # An event loop of a coroutine has three.
        "descriptors": 30 + 3 * WORKERS,
        "launcher_descriptors": 20 + WORKERS,
        # The launcher; per worker a supervisor and its program.
        "children": 1 + 2 * WORKERS,
        "zombies": WORKERS,
        "runs": runs,
        "skips": runs,
        "ledger_bytes": 1_000_000 + runs * _ROW_BYTES,
        "wal_bytes": _WAL_BYTES,
        "attempt_folders": folders,
        "state_files": 10,
        "log_files": LOG_FILES + 1,
        "log_bytes": (LOG_FILES + 1) * (LOG_BYTES + 10_000),
    }


def beyond(samples: list[Sample], tasks: int) -> list[str]:
    """Name every figure that was beyond its bound, with the highest that was seen."""
    found = []
    for name, bound in bounds(tasks).items():
        highest = max(getattr(sample, name) for sample in samples)
        if highest > bound:
            found.append(f"{name} reached {highest:,.0f}, beyond the bound of {bound:,.0f}")
    return found
