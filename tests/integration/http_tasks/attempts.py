"""One attempt of an HTTP task with what a scheduler lends it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from task_scheduler import HttpTask
from task_scheduler.targets import TargetPolicy
from task_scheduler.tasks.context import Lent, RunContext

SECRETS = {"TOKEN": "t0ken/with ?&#", "DB": "pass\u00e9"}


class Attempt:
    """One attempt with what a scheduler lends it."""

    def __init__(self, task: HttpTask, policy: TargetPolicy | None = None, **secrets: str) -> None:
        self.output = b""
        self.context = RunContext(
            run_id=1,
            task_id=task.task_id,
            scheduled_at=datetime(2026, 11, 25, 6, tzinfo=UTC),
            attempt=1,
            token=1,
            key="2026-11-25T06:00:00+00:00",
        )
        self.task = task
        known = {**SECRETS, **secrets}
        self.context.lent = Lent(
            read_secret=known.__getitem__,
            targets=policy or TargetPolicy(is_trusted=True),
            keep_output=self._keep,
        )

    def _keep(self, output: bytes) -> None:
        self.output = output

    def run(self) -> tuple[bool, str]:
        token = self.context.activate()
        try:
            return self.task.execute(), str(self.context.error)
        finally:
            self.context.deactivate(token)


def run(task: HttpTask, **options: Any) -> tuple[bool, str, bytes]:
    attempt = Attempt(task, **options)
    is_ok, error = attempt.run()
    return is_ok, error, attempt.output
