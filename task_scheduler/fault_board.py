"""The fault board: what is wrong with the scheduler at this moment.

Responsible for: telling each fault once when it begins and once when it is over, and the problems
that a status shows. Does not find faults: the engine's loop and the watchdog report them.

A fault that goes and comes back within a moment is one fault: a disk at the edge of full would
else fill the log that lies on it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from task_scheduler.core.events import FaultBegan, FaultEnded
from task_scheduler.core.faults import Fault, FaultKind, Trouble
from task_scheduler.core.model import SECOND, Microseconds
from task_scheduler.core.ports import Clock, Emit
from task_scheduler.errors import StoreError
from task_scheduler.i18n import translate
from task_scheduler.ledger_view import LedgerView, iso
from task_scheduler.trouble import trouble_of

__all__ = ["FaultBoard", "overview", "problem_at", "problem_of"]

_QUIET: Microseconds = SECOND
"""How long a fault is gone before it is over."""


class FaultBoard:
    """The faults of one process; any thread may call. Events are told without the lock held."""

    def __init__(self, clock: Clock, emit: Emit) -> None:
        self._clock = clock
        self._emit = emit
        self._guard = threading.Lock()
        self._faults: dict[FaultKind, Fault] = {}
        self._began: dict[FaultKind, Microseconds] = {}
        self._gone: dict[FaultKind, Microseconds] = {}
        """Faults that have not shown since this moment, on the boot clock."""
        self.on_fault: Callable[[], None] = lambda: None
        """Called when a fault has begun, for whoever looks whether it is over."""

    def begin(self, trouble: Trouble, instead_of: Iterable[FaultKind] = ()) -> None:
        """Note a fault; told if it is new. `instead_of` are those that it takes the place of."""
        self.end(kind for kind in instead_of if kind is not trouble.kind)
        with self._guard:
            self._gone.pop(trouble.kind, None)
            known = self._faults.get(trouble.kind)
            since = self._clock.now() if known is None else known.since
            if known is None:
                self._began[trouble.kind] = self._clock.boottime()
            self._faults[trouble.kind] = Fault(trouble, since)
        if known is None:
            self.on_fault()
            self._emit(FaultBegan(trouble, since))

    def end(self, kinds: Iterable[FaultKind]) -> None:
        """Note that these do not show any more; `settle` tells it once that has lasted."""
        now = self._clock.boottime()
        with self._guard:
            for kind in kinds:
                if kind in self._faults:
                    self._gone.setdefault(kind, now)

    def settle(self, *, is_final: bool = False) -> None:
        """Tell the faults that are over; `is_final`: also those that are gone only just now."""
        now = self._clock.boottime()
        with self._guard:
            over = [k for k, at in self._gone.items() if is_final or now - at >= _QUIET]
            ended = [
                FaultEnded(self._faults.pop(k).trouble, self._gone.pop(k) - self._began.pop(k))
                for k in over
            ]
        for event in ended:
            self._emit(event)

    def tell_past(self, trouble: Trouble, lasted: Microseconds) -> None:
        """Tell of a fault that was noticed only when it was over."""
        self._emit(FaultBegan(trouble, self._clock.now() - lasted))
        self._emit(FaultEnded(trouble, lasted))

    @property
    def is_clear(self) -> bool:
        """Whether nothing is wrong."""
        return not self._faults

    def problems(self) -> list[dict[str, Any]]:
        """Return what is wrong now as plain values, oldest first."""
        with self._guard:
            faults = [f for kind, f in self._faults.items() if kind not in self._gone]
        return [fault.plain() for fault in sorted(faults, key=lambda fault: fault.since)]


def problem_of(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Return a problem as users read it: ``kind, what, since, where, why, remedy``."""
    kind, where, why = plain["kind"], plain["where"], plain["why"]
    return {
        "kind": kind,
        "what": translate(f"faults.{kind}", where=where, why=why),
        "since": iso(plain["since"]),
        "where": where,
        "why": why,
        "remedy": translate(f"faults.{kind}_remedy", where=where, why=why),
    }


def problem_at(error: Exception, now: Microseconds) -> dict[str, Any]:
    """Return what somebody meets who looks at a ledger, as `problem_of` does."""
    return problem_of(Fault(trouble_of(error), now).plain())


def overview(view: LedgerView, now: Microseconds) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the counts and the tasks of a ledger, and the problem where it cannot be read."""
    try:
        return {**view.counts(now), "tasks": {row["task_id"]: row for row in view.tasks()}}, []
    except StoreError as error:
        # What is wrong is the answer then.
        nothing = dict.fromkeys(("total_tasks", "running_tasks", "backlog"))
        return {**nothing, "tasks": {}}, [problem_at(error, now)]
