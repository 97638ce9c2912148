"""The evidence of one campaign, as plain values: what the checker takes and all it takes.

Responsible for: the shapes of the rows, and a history's plain form (JSON). Knows no scheduler.

Moments and durations are microseconds; moments count from the Unix epoch (UTC).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SECOND = 1_000_000
TERMINAL = frozenset({"succeeded", "failed", "timed_out", "cancelled", "lost", "skipped"})
LIVING = frozenset({"waiting", "running"})

# -- what was asked for ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Every:
    """Instants `anchor + n * period` from n = 0 on, none after `until`."""

    period: int
    anchor: int
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Cron:
    """Minutes (5 fields) or seconds (6 fields) of a zone's wall clock; Debian's rule for changes of
    clocks."""

    text: str
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Once:
    """One instant."""

    at: int


Rule = Every | Cron | Once


@dataclass(frozen=True, slots=True)
class Policies:
    """What the entry was told to do when things go otherwise; the words of docs/tasks.md."""

    misfire: str = "run_once"
    misfire_grace: int = 60 * SECOND
    catch_up_window: int = 86_400 * SECOND
    catch_up_limit: int = 100
    overlap: str = "skip"
    overlap_limit: int = 0
    on_lost: str = "at_least_once"
    max_recoveries: int = 3
    max_retries: int = 0
    retry_delay: int = 0
    retry_growth: int = 1
    """Factor from one retry to the next: 1 constant, 2 exponential."""
    retry_jitter: float = 0.0
    retry_max_delay: int = 3600 * SECOND
    timeout: int | None = None
    kill_grace: int = 10 * SECOND


@dataclass(frozen=True, slots=True)
class Revision:
    """The rules and policies of a task from a request on: `asked` of the client, `acked` to it.

    `outcome`: ``ok``, ``fail`` (it has no effect) or ``indeterminate`` (all of it or nothing).
    """

    rules: tuple[Rule, ...]
    policies: Policies
    asked: int
    acked: int
    outcome: str = "ok"


@dataclass(frozen=True, slots=True)
class Task:
    """One task under test, with all that was ever asked of its schedule."""

    task_id: str
    runs_in: str
    """``thread``: it dies with the scheduler's process; ``process``: with its supervisor."""
    revisions: tuple[Revision, ...]
    has_witness: bool = True
    """Whether its attempts write lines."""
    may_fail: bool = False
    """Whether an attempt can fail by itself."""

    @property
    def policies(self) -> Policies:
        """The policies of the latest revision that was not refused."""
        accepted = [revision for revision in self.revisions if revision.outcome != "fail"]
        return (accepted or self.revisions)[-1].policies


@dataclass(frozen=True, slots=True)
class Operation:
    """A call of a client: ``pause``, ``resume``, ``remove``, ``run``, ``cancel`` or ``release``.

    `key` names the run of ``run`` and ``cancel``; `point` is the moment from which a ``resume`` or
    ``release`` (of a restored ledger) goes on. `outcome` as in `Revision`.
    """

    kind: str
    task_id: str
    asked: int
    acked: int
    outcome: str = "ok"
    key: str | None = None
    point: int | None = None


# -- what the ledger says -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Run:
    """One row of `runs`."""

    run_id: int
    task_id: str
    key: str
    origin: str
    state: str
    scheduled_at: int
    token: int | None = None
    attempt: int = 0
    recoveries: int = 0
    ended_at: int | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One row of `attempts`."""

    run_id: int
    attempt: int
    token: int
    outcome: str
    started_at: int | None
    ended_at: int


@dataclass(frozen=True, slots=True)
class Skip:
    """One row of `skips`: a range of occurrences without an attempt."""

    skip_id: int
    task_id: str
    reason: str
    first_at: int
    last_at: int
    count: int | None
    blocker_run_id: int | None
    at: int
    """When it was decided; of a range that grew, when it began."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """One row of `epochs`: a process that held the ledger; the upper half of its tokens."""

    epoch: int
    boot_id: str
    pid: int
    started_at: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored entry as it stands at the end, with its counters."""

    task_id: str
    paused_at: int | None
    run_count: int
    success_count: int
    failure_count: int
    skip_count: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """All that it says at the end."""

    runs: Sequence[Run] = ()
    attempts: Sequence[Attempt] = ()
    skips: Sequence[Skip] = ()
    epochs: Sequence[Epoch] = ()
    entries: Sequence[Entry] | None = None
    """None: not read, so that nothing is demanded of them."""


# -- what was seen from outside -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """What a task says of itself: its `begin` or its `end`."""

    event: str
    task_id: str
    key: str
    attempt: int
    token: int
    pid: int
    at: int


@dataclass(frozen=True, slots=True)
class Fault:
    """What was done to the scheduler, from `began` until it surely had ended.

    ``kill`` of a target (``scheduler``, ``launcher``, ``supervisor`` or ``tree``, which is all of
    them and the tasks); ``down``: no scheduler ran; ``restore``: a backup of the moment `began` was
    put back at `ended`. Any other kind (``store``, ``stopped``, ``clock``, ...) excuses lateness.
    """

    kind: str
    target: str
    began: int
    ended: int


@dataclass(frozen=True, slots=True)
class Sighting:
    """How a reader saw a run while the campaign went on."""

    at: int
    run_id: int
    state: str
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Count:
    """How a reader saw a task's counters meanwhile."""

    at: int
    task_id: str
    run_count: int
    success_count: int
    failure_count: int
    skip_count: int


@dataclass(frozen=True, slots=True)
class Output:
    """What an attempt wrote and what was kept of it, both in bytes, with the digests of both."""

    token: int
    written: int
    kept: int
    cap: int
    is_flagged: bool
    digest_written: str = ""
    """Of the first `cap` bytes at most."""
    digest_kept: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """A measure that must stay below a bound: rows, bytes, descriptors, seconds of a tick."""

    at: int
    what: str
    amount: float
    bound: float


@dataclass(frozen=True, slots=True)
class Leftover:
    """A process of the campaign that outlived it."""

    pid: int
    name: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What is granted to the machine, not to the scheduler."""

    lag: int = 1_500_000
    """An instant that came so long before the end needs a disposition."""
    ahead: int = 300_000
    """How long before its moment an occurrence may be planned."""
    over: int = 4_000_000
    """A run that was due so long before the end must be over; add what its attempts take."""
    late: int = 5_000_000
    """Outside of faults nothing begins later than this."""
    heal: int = 5_000_000
    """How long after a fault its lateness is made up for."""
    settle: int = 1_000_000
    """Between what happens and what is known of it, where the machine is busy."""
    skew: int = 0
    """How far a task's clock may be behind the scheduler's."""


@dataclass(frozen=True, slots=True)
class History:
    """All the evidence of one campaign."""

    tasks: Sequence[Task]
    ended_at: int
    """When everything was told to stop."""
    ledger: Ledger
    lines: Sequence[Line] = ()
    operations: Sequence[Operation] = ()
    faults: Sequence[Fault] = ()
    sightings: Sequence[Sighting] = ()
    counts: Sequence[Count] = ()
    outputs: Sequence[Output] = ()
    usages: Sequence[Usage] = ()
    leftovers: Sequence[Leftover] = ()
    limits: Limits = field(default_factory=Limits)


# -- plain form -----------------------------------------------------------------------------------

_RULES: Mapping[str, type[Every | Cron | Once]] = {"every": Every, "cron": Cron, "once": Once}
_LISTS: Mapping[str, type[Any]] = {
    "lines": Line,
    "operations": Operation,
    "faults": Fault,
    "sightings": Sighting,
    "counts": Count,
    "outputs": Output,
    "usages": Usage,
    "leftovers": Leftover,
}
_ROWS: Mapping[str, type[Any]] = {
    "runs": Run,
    "attempts": Attempt,
    "skips": Skip,
    "epochs": Epoch,
    "entries": Entry,
}


def to_plain(history: History) -> dict[str, Any]:
    """Return a history as JSON data: rows are lists of their fields in order."""
    ledger: dict[str, Any] = {}
    for name in _ROWS:
        rows = getattr(history.ledger, name)
        ledger[name] = None if rows is None else [dataclasses.astuple(row) for row in rows]
    return {
        "tasks": [_plain_task(task) for task in history.tasks],
        "ended_at": history.ended_at,
        "ledger": ledger,
        **{name: [dataclasses.astuple(row) for row in getattr(history, name)] for name in _LISTS},
        "limits": dataclasses.asdict(history.limits),
    }


def from_plain(plain: Mapping[str, Any]) -> History:
    """Read what `to_plain` gave."""
    ledger: dict[str, Any] = {
        name: None if plain["ledger"][name] is None else [row(*x) for x in plain["ledger"][name]]
        for name, row in _ROWS.items()
    }
    return History(
        tasks=[_task_of_plain(task) for task in plain["tasks"]],
        ended_at=plain["ended_at"],
        ledger=Ledger(**ledger),
        **{name: [row(*x) for x in plain[name]] for name, row in _LISTS.items()},
        limits=Limits(**plain["limits"]),
    )


def _plain_task(task: Task) -> dict[str, Any]:
    revisions = []
    for revision in task.revisions:
        rules = [
            [type(rule).__name__.lower(), *dataclasses.astuple(rule)] for rule in revision.rules
        ]
        revisions.append(
            {
                "rules": rules,
                "policies": dataclasses.asdict(revision.policies),
                "asked": revision.asked,
                "acked": revision.acked,
                "outcome": revision.outcome,
            }
        )
    return {
        "task_id": task.task_id,
        "runs_in": task.runs_in,
        "revisions": revisions,
        "has_witness": task.has_witness,
        "may_fail": task.may_fail,
    }


def _task_of_plain(plain: Mapping[str, Any]) -> Task:
    revisions = tuple(
        Revision(
            rules=tuple(_RULES[name](*values) for name, *values in revision["rules"]),
            policies=Policies(**revision["policies"]),
            asked=revision["asked"],
            acked=revision["acked"],
            outcome=revision["outcome"],
        )
        for revision in plain["revisions"]
    )
    return Task(**{**plain, "revisions": revisions})
