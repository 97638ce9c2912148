"""Monitoring of one process: its metrics, their way out, and traces.

Responsible for: joining them. Metrics are counted from the start on, and served, written and traced
only while this process runs the ledger: a standby would take the address from the one that does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from task_scheduler.core.events import Event, SchedulerStarted, SchedulerStopped
from task_scheduler.core.faults import FaultKind, Trouble
from task_scheduler.core.model import Claim
from task_scheduler.core.ports import Clock
from task_scheduler.core.settlement import Settlement
from task_scheduler.observe.exporter import Exporter, ExportPlan
from task_scheduler.observe.metrics import Metrics
from task_scheduler.observe.trace_ids import TraceIds

if TYPE_CHECKING:
    from task_scheduler.observe.tracing import TracePlan, Tracing

__all__ = ["Monitoring", "MonitoringPlan"]


@dataclass(frozen=True, slots=True)
class MonitoringPlan:
    """What the configuration wants; None: not that."""

    export: ExportPlan | None = None
    traces: TracePlan | None = None


class Monitoring:
    """Listen to what happens, and let those know who ask."""

    def __init__(
        self, metrics: Metrics | None, *, clock: Clock, ledger_id: Callable[[], str]
    ) -> None:
        self.metrics = metrics
        self.tracing: Tracing | None = None
        self.exporter: Exporter | None = None
        self._clock = clock
        self._ledger_id = ledger_id
        self._plan = MonitoringPlan()
        self._why = ""
        self._is_active = False
        self._guard = threading.RLock()

    @property
    def hears_routine(self) -> bool:
        """Whether it wants to hear what happens all the time: traces are made of that."""
        return self.tracing is not None

    def __call__(self, event: Event) -> None:
        """Take an event."""
        if isinstance(event, SchedulerStarted):
            self.begin()
        if self.metrics is not None:
            self.metrics(event)
        # Once: another thread may take up a configuration without traces meanwhile.
        tracing = self.tracing
        if tracing is not None:
            tracing(event)
        if isinstance(event, SchedulerStopped):
            self.close()

    def begin(self) -> None:
        """Serve and trace from now on: this process runs the ledger."""
        with self._guard:
            self._is_active = True
            self._open()

    def note_ends(self, settlements: Sequence[Settlement]) -> None:
        """Take attempts whose ends are durable."""
        if self.metrics is not None:
            self.metrics.note_ends(settlements)

    def traceparent(self, claim: Claim) -> str | None:
        """Return what an attempt is told of its trace; None where there are none."""
        tracing = self.tracing
        return None if tracing is None else tracing.ids.traceparent(claim.run_id, claim.attempt)

    def adopt(self, plan: MonitoringPlan, why: str = "") -> None:
        """Go by a plan from now on; what is the same goes on as it is.

        `why` says why it is not what the configuration wants.
        """
        with self._guard:
            before, self._plan, self._why = self._plan, plan, why
            if not self._is_active:
                return
            if before.export != plan.export:
                self._close_exporter()
            if before.traces != plan.traces:
                self._close_tracing()
            self._open()

    def render(self) -> bytes:
        """Return the metrics; empty where none are counted."""
        return b"" if self.metrics is None else self.metrics.render()

    def trouble(self) -> Trouble | None:
        """Return why metrics or traces do not get out, if so."""
        if self._why:
            return Trouble(FaultKind.MONITORING_FAILED, "monitoring", self._why)
        exporter, tracing = self.exporter, self.tracing
        found = None if exporter is None else exporter.trouble()
        return found or (None if tracing is None else tracing.trouble())

    def close(self) -> None:
        """Serve and send nothing more."""
        with self._guard:
            self._is_active = False
            self._close_exporter()
            self._close_tracing()

    def _open(self) -> None:
        plan = self._plan
        if self.exporter is None and plan.export is not None and self.metrics is not None:
            self.exporter = Exporter(plan.export, self.render, clock=self._clock)
            self.exporter.start()
        if self.tracing is None and plan.traces is not None:
            from task_scheduler.observe.tracing import Tracing  # an extra

            ids = TraceIds(self._ledger_id(), plan.traces.sample_ratio)
            self.tracing = Tracing(plan.traces, ids)

    def _close_exporter(self) -> None:
        exporter, self.exporter = self.exporter, None
        if exporter is not None:
            exporter.close()

    def _close_tracing(self) -> None:
        tracing, self.tracing = self.tracing, None
        if tracing is not None:
            tracing.close()
