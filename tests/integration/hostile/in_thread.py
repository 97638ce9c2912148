"""The witness that runs in a thread of the scheduler's own process."""

from __future__ import annotations

from task_scheduler import current_run
from tests.integration.hostile.witnesses import bear_witness


def note() -> None:
    """Append the line of a run."""
    run = current_run()
    bear_witness(run.task_id, run.key, run.attempt)
