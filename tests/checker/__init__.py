"""The history checker: the one judge of all campaigns (kills, crash points, storage faults, ...).

Responsible for: reading the evidence of a campaign and naming every broken invariant (I1 to I24 of
the reliability invariants). It shares no code with the scheduler, and believes the ledger only
where what the tasks wrote and what was done to the scheduler do not speak against it.

How to use it::

    from tests import checker

    history = checker.History(
        tasks=[
            checker.Task(
                "backup",
                "process",                      # or "thread": what its attempts die with
                (
                    checker.Revision(
                        rules=(checker.Every(period=1_000_000, anchor=start),),
                        policies=checker.Policies(overlap="queue", max_retries=2),
                        asked=added, acked=added,
                    ),
                ),
            )
        ],
        ended_at=stopped,                       # when the last scheduler was told to stop
        ledger=checker.read_ledger(folder / "scheduler.db"),
        lines=[checker.Line("begin", "backup", key, attempt, token, pid, at), ...],
        operations=[checker.Operation("pause", "backup", asked, acked, "ok"), ...],
        faults=[
            checker.Fault("kill", "scheduler", t0, t1),
            checker.Fault("down", "scheduler", t1, t2),
        ],
    )
    for violation in checker.violations(history):
        print(violation)                        # number, sentence, first offending row
        print(violation.show())                 # with the rows that show it

All moments and durations are microseconds. The rows are in `tests.checker.history`, each with what
its fields mean; only `tasks`, `ended_at` and `ledger` are needed, and what is not given is not
judged. An edit of a schedule is one more `Revision` of its task, every other call of a client an
`Operation`; both have an outcome: ``ok``, ``fail`` or ``indeterminate``. `Limits` is what the
machine is granted: raise it where it is busy, never to let a violation pass.

`shrink(history, violation)` returns the least of a history that still shows a violation.

Two passes read the begins: one by key, one by moments alone; where they differ, that is reported as
``A/B``. `to_plain` and `from_plain` keep a history as JSON.
"""

from __future__ import annotations

from tests.checker.evidence import Violation
from tests.checker.history import (
    SECOND,
    Attempt,
    Count,
    Cron,
    Entry,
    Epoch,
    Every,
    Fault,
    History,
    Ledger,
    Leftover,
    Limits,
    Line,
    Once,
    Operation,
    Output,
    Policies,
    Revision,
    Run,
    Sighting,
    Skip,
    Task,
    Usage,
    from_plain,
    to_plain,
)
from tests.checker.ledgers import read_ledger
from tests.checker.oracle import instants
from tests.checker.shrinking import shrink
from tests.checker.verdict import Figures, figures, violations

__all__ = [
    "SECOND",
    "Attempt",
    "Count",
    "Cron",
    "Entry",
    "Epoch",
    "Every",
    "Fault",
    "Figures",
    "History",
    "Ledger",
    "Leftover",
    "Limits",
    "Line",
    "Once",
    "Operation",
    "Output",
    "Policies",
    "Revision",
    "Run",
    "Sighting",
    "Skip",
    "Task",
    "Usage",
    "Violation",
    "figures",
    "from_plain",
    "instants",
    "read_ledger",
    "shrink",
    "to_plain",
    "violations",
]
