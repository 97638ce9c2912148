"""The values that everything speaks of: entry, run, attempt, claim, outcome, policies.

Responsible for: their shapes and the words for them. Decides nothing, reads no clock.

Units: every moment is an ``int`` of microseconds since the Unix epoch (UTC), every duration an
``int`` of microseconds, unless the name ends in ``_seconds``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

__all__ = [
    "SECOND",
    "AfterMode",
    "Backoff",
    "ChainOn",
    "Claim",
    "Completion",
    "Entry",
    "Isolation",
    "LaunchSpec",
    "Link",
    "Microseconds",
    "MisfirePolicy",
    "OnLost",
    "Outcome",
    "OverlapPolicy",
    "Policies",
    "RunState",
    "SkipReason",
    "WaitingFor",
]

Microseconds: TypeAlias = int
SECOND: Microseconds = 1_000_000


class RunState(StrEnum):
    """Where a run stands. Scheduled, retrying and queued are all `WAITING`."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    LOST = "lost"
    SKIPPED = "skipped"


class Outcome(StrEnum):
    """How one attempt ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    LOST = "lost"


class SkipReason(StrEnum):
    """Why an occurrence got no attempt."""

    OVERLAP = "overlap"
    PAUSED = "paused"
    BLACKOUT = "blackout"
    MISFIRE = "misfire"
    COALESCED = "coalesced"
    CATCH_UP_LIMIT = "catch_up_limit"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    REMOVED = "removed"
    RESTORED = "restored"
    """It lies before the point from which a restored ledger goes on: it may have run already."""


class WaitingFor(StrEnum):
    """What a waiting run waits for besides its due moment."""

    RETRY = "retry"
    OVERLAP = "overlap"
    PAUSE = "pause"
    CODE = "code"
    """Its task's code is not bound in the process that holds the ledger."""
    POOL = "pool"
    """A place in its task's pool."""
    RATE = "rate"
    """The moment at which its task's rate limit allows another start."""
    THREAD = "thread"
    """A timed-out function whose thread still runs: its retry is due only when the thread ends."""


class MisfirePolicy(StrEnum):
    """What becomes of due moments that were noticed too late."""

    RUN_ONCE = "run_once"
    RUN_ALL = "run_all"
    SKIP = "skip"


class OverlapPolicy(StrEnum):
    """What becomes of a due moment while the previous run lives."""

    SKIP = "skip"
    QUEUE = "queue"
    ALLOW = "allow"
    REPLACE = "replace"


class ChainOn(StrEnum):
    """How a parent has to end for its child to come."""

    SUCCESS = "success"
    FAILURE = "failure"
    """Failed, timed out or lost."""
    ALWAYS = "always"
    """Cancelled too; a run that was skipped has not ended, it never was."""


class AfterMode(StrEnum):
    """Whether a child comes after all of its parents have ended, or after each."""

    ALL = "all"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Link:
    """A parent, and how it has to end."""

    task_id: str
    on: ChainOn = ChainOn.SUCCESS


class OnLost(StrEnum):
    """What becomes of a run whose attempt may or may not have had its effect."""

    AT_LEAST_ONCE = "at_least_once"
    AT_MOST_ONCE = "at_most_once"


class Backoff(StrEnum):
    """How the delay before a retry grows."""

    CONSTANT = "constant"
    EXPONENTIAL = "exponential"


class Isolation(StrEnum):
    """Where a function runs: in a worker thread, or in a process of its own that can be killed."""

    THREAD = "thread"
    PROCESS = "process"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """The rules of one entry for everything that can go otherwise than planned."""

    timeout_seconds: float | None = 300.0
    max_retries: int = 3
    retry_delay_seconds: float = 5.0
    backoff: Backoff = Backoff.CONSTANT
    retry_jitter: float = 0.0
    """The share of the delay, 0..1, by which it is spread both ways."""
    retry_max_delay_seconds: float = 3600.0
    misfire: MisfirePolicy = MisfirePolicy.RUN_ONCE
    misfire_grace_seconds: float = 60.0
    catch_up_window_seconds: float = 86_400.0
    catch_up_limit: int = 100
    overlap: OverlapPolicy = OverlapPolicy.SKIP
    overlap_limit: int = 0
    """For `queue`: the runs that may wait; for `allow`: the runs that may live at a time.
    0: the policy's own default, one waiting run and any number of living ones."""
    on_lost: OnLost = OnLost.AT_LEAST_ONCE
    kill_grace_seconds: float = 10.0
    isolation: Isolation = Isolation.THREAD
    priority: int = 0
    """Greater starts first where several due runs wait for a worker."""
    pool: str | None = None
    """The pool of which an attempt needs a place."""
    rate_limit: str | None = None
    """The most starts in any stretch of time, such as ``10/1m``."""
    after: tuple[Link, ...] = ()
    """The tasks after whose runs it runs."""
    after_mode: AfterMode = AfterMode.ALL

    @property
    def is_claimed_ahead(self) -> bool:
        """Whether a run may be claimed before its moment: nothing can change its decision."""
        is_limited = self.pool is not None or self.rate_limit is not None
        return not is_limited and self.overlap is not OverlapPolicy.REPLACE


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A task, its rules and its policies: one stored row. All of it is plain JSON data."""

    task_id: str
    name: str
    kind: str
    """``function``, ``script``, ``command``, ``log_cleanup`` or ``custom``."""
    executor: str
    """``thread`` or ``process``: which executor starts its runs."""
    definition: Mapping[str, Any]
    rules: tuple[Mapping[str, Any], ...]
    """Each a rule's plain form (`schedules.rule.to_plain`)."""
    policies: Policies = field(default_factory=Policies)
    is_code_bound: bool = False
    """Whether it fires only while a live process has bound its code by id."""
    origin: str = "api"
    """Who declared it: ``api``, ``config`` or ``preset``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchSpec:
    """A command as supervision starts it: plain data, no shell."""

    argv: tuple[str, ...]
    working_dir: str
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to the scheduler's own environment; wins over it."""
    timeout_seconds: float | None = None
    kill_grace_seconds: float = 10.0
    confinement: Mapping[str, Any] = field(default_factory=dict)
    """What the task asks for (`tasks.confinement`), then what it gets (`confinement.plan`)."""
    inherited: tuple[str, ...] | None = None
    """Patterns of the variables of the scheduler that it inherits; None: all of them."""
    withheld: frozenset[str] = frozenset()
    """Variables of the scheduler that it never inherits: they hold secrets."""
    masks: tuple[bytes, ...] = ()
    """What is replaced in its output."""
    python: Mapping[str, Any] | None = None
    """Of a script of Python: the `warm` and `preload` that its task asks for, then (`warm_rules`)
    the `preload` with which it is forked from a template; None: it is executed as any program."""


class Claim(NamedTuple):
    """A node's revocable reservation of one attempt of a run, as it travels to a worker.

    A tuple, as all values of which every run makes one: a frozen dataclass takes four times as
    long to make.
    """

    run_id: int
    task_id: str
    key: str
    attempt: int
    token: int
    """Fences stale owners: greater than every earlier token of the ledger."""
    scheduled_at: Microseconds
    due_at: Microseconds
    start_by: Microseconds | None
    """After this moment the claim is handed back instead of started; None: never too late."""
    priority: int
    slot: int
    """The index of its mark byte."""
    executor: str
    timeout: Microseconds | None
    clock_offset: Microseconds
    """Wall clock minus boot clock at the claim: a difference at the start tells a clock step."""


class Completion(NamedTuple):
    """What an executor reports, exactly once, of a claim that it started."""

    run_id: int
    task_id: str
    attempt: int
    token: int
    outcome: Outcome
    started_at: Microseconds
    ended_at: Microseconds
    error: str | None = None
    exit_code: int | None = None
    is_still_running: bool = False
    """The attempt is over for us, its thread is not: it keeps the task's seat."""
    output_path: str | None = None
    cpu_seconds: float | None = None
    """What a program used with all that it started; None where nobody measured."""
    peak_memory_bytes: int | None = None
    read_bytes: int | None = None
    """From disks, by all of its tree; what caches gave is left out."""
    written_bytes: int | None = None
