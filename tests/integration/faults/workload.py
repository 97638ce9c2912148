"""The entries under storage faults, as data: what the program adds and what the checker expects."""

from __future__ import annotations

from dataclasses import dataclass

from tests import checker


@dataclass(frozen=True, slots=True)
class Planned:
    """One entry; `period` in seconds, None: it runs on request alone."""

    task_id: str
    kind: str
    period: float | None
    busy: float
    misfire: str = "run_once"
    overlap: str = "skip"

    def task(self, start_at: int, added_at: int) -> checker.Task:
        """Return it as the checker knows it."""
        rules: tuple[checker.Every, ...] = ()
        if self.period is not None:
            rules = (checker.Every(round(self.period * checker.SECOND), start_at),)
        policies = checker.Policies(misfire=self.misfire, overlap=self.overlap)
        revision = checker.Revision(rules, policies, asked=added_at, acked=added_at)
        runs_in = "thread" if self.kind == "function" else "process"
        # Without a descriptor, a process or room for its output a program cannot begin: its
        # attempt has failed then, and says why.
        return checker.Task(self.task_id, runs_in, (revision,), may_fail=runs_in == "process")


WORKLOAD = (
    Planned("function", "function", 0.2, 0.01),
    Planned("function-all", "function", 0.5, 0.02, "run_all", "queue"),
    Planned("command", "command", 0.8, 0.05),
    Planned("command-all", "command", 1.0, 0.05, "run_all", "queue"),
    Planned("asked", "function", None, 0.005, overlap="queue"),
    Planned("asked-program", "command", None, 0.02, overlap="queue"),
)
