"""What reaches the engine from other threads: facts and commands, drained once a tick.

Responsible for: their shapes, and a queue that any thread may put into and only the engine takes
from. What a failed tick took is put back in its old order, so that nothing is lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from task_scheduler.core.model import Claim, Completion, Entry, Microseconds

__all__ = [
    "AddEntries",
    "BackfillRange",
    "CancelRun",
    "CollectLedger",
    "Command",
    "DeclareEntries",
    "EndSilences",
    "Fact",
    "Inbox",
    "KeepRecords",
    "PauseEntry",
    "ReleaseLedger",
    "RemoveEntries",
    "ReplanEntries",
    "RequestRun",
    "ResumeEntry",
    "Returned",
    "SetPools",
    "SilenceAlerts",
    "Started",
    "TakePing",
    "ThreadEnded",
]


class Started(NamedTuple):
    """A worker removed the claim from the gate and began."""

    run_id: int
    token: int
    at: Microseconds


@dataclass(frozen=True, slots=True)
class Returned:
    """A claim was too late or a clock step came between: it is handed back, uncounted."""

    claim: Claim


@dataclass(frozen=True, slots=True)
class ThreadEnded:
    """The thread of an attempt that had timed out has ended."""

    run_id: int
    task_id: str


def _ignore(_: Any) -> None:
    """Nobody waits for this answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A wish from outside; exactly one of its two answers is called after the commit."""

    actor: str = field(default="", compare=False)
    """Who asks, and from where, for the audit."""
    resolve: Callable[[Any], None] = field(default=_ignore, compare=False)
    reject: Callable[[BaseException], None] = field(default=_ignore, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddEntries(Command):
    """Add or change entries; answers with their ids."""

    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclareEntries(Command):
    """Take up what a configuration declares, new or changed, and archive what it does not any more.

    Answers with the ids that came ``restored`` out of the archive, and that were ``archived``.
    """

    entries: Sequence[Entry]
    archived: Sequence[str] = ()
    missing: Sequence[str] = ()
    """Functions that cannot be imported: entries that need them stay visible, and do not fire."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveEntries(Command):
    """Remove entries; their history stays. Answers with their ids."""

    task_ids: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseEntry(Command):
    """Plan nothing of an entry until it is resumed, by a command or at the moment `until`."""

    task_id: str
    reason: str | None = None
    until: Microseconds | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplanEntries(Command):
    """Ask the rules anew: a zone or a calendar changed. Answers with how many entries moved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeEntry(Command):
    """Plan an entry again; what fell into the pause is skipped, with that reason.

    The pause ends now, or as if it had ended, or to end, at the moment `resume_from`.
    """

    task_id: str
    resume_from: Microseconds | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRun(Command):
    """Run an entry now; answers with the run's id. The same `request_id` is the same run."""

    task_id: str
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillRange(Command):
    """Run the occurrences from `start` up to `end` that never ran; answers with counts."""

    task_id: str
    start: Microseconds
    end: Microseconds
    limit: int
    is_dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRun(Command):
    """End a run; answers whether there was anything left to cancel."""

    run_id: int
    reason: str = "cancelled on request"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseLedger(Command):
    """Let a held ledger go on; answers how many occurrences and runs do not start.

    What was due before `since` is skipped, what comes from it on is late. None: from where the
    ledger stands.
    """

    since: Microseconds | None
    keep_waiting: bool = False
    """Whether retries, requests and chained runs that waited in it start after all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectLedger(Command):
    """Record that somebody lets old runs go at once; retention does it, beside the engine."""

    is_vacuuming: bool = False
    """Whether the ledger is to be written anew too, however little that gains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPools(Command):
    """Give pools these numbers of places from now on; what runs goes on."""

    pools: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepRecords(Command):
    """Write what a listener remembers: named statements with their parameters, in order.

    Only the process that holds the ledger gives it; no client can.
    """

    statements: Sequence[tuple[str, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceAlerts(Command):
    """Let nobody hear of the tasks of a pattern until a moment."""

    pattern: str
    until: Microseconds
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndSilences(Command):
    """End the silences of a pattern now; answers with how many there were."""

    pattern: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TakePing(Command):
    """Take a sign of life of something that runs elsewhere.

    `kind` is ``success``, ``start``, ``fail``, or ``log`` for a text that says neither.
    """

    check_id: str
    kind: str
    text: str | None = None


Fact: TypeAlias = Completion | Started | Returned | ThreadEnded | Command


class Inbox:
    """A queue with many writers and one reader."""

    def __init__(self) -> None:
        self._facts: deque[Fact] = deque()

    def put(self, fact: Fact) -> None:
        """Add a fact; safe from any thread."""
        self._facts.append(fact)

    def take(self) -> list[Fact]:
        """Remove and return everything that is there now, in order of arrival."""
        facts = self._facts
        return [facts.popleft() for _ in range(len(facts))]

    def put_back(self, facts: Iterable[Fact]) -> None:
        """Return what `take` gave, before anything that arrived since."""
        self._facts.extendleft(reversed(list(facts)))

    def __len__(self) -> int:
        return len(self._facts)
