"""What users see of monitoring: the metrics of this process, or of the one that runs the ledger.

Responsible for: that part of the facade, and for asking everything how it stands when the metrics
are rendered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from task_scheduler.control import HolderGoneError
from task_scheduler.core.faults import Trouble
from task_scheduler.core.model import Claim
from task_scheduler.core.settlement import Settlement
from task_scheduler.errors import (
    DefinitionError,
    RemoteError,
    SchedulerStoppedError,
    StoreError,
)
from task_scheduler.facade_part import FacadePart
from task_scheduler.tasks.attempt import perform
from task_scheduler.tasks.context import RunContext
from task_scheduler.tasks.task import BaseTask
from task_scheduler.vault import Vault

if TYPE_CHECKING:
    from task_scheduler.monitoring import Monitoring
    from task_scheduler.observe.resources import ResourceSampler
    from task_scheduler.observe.standing import Standing

__all__ = ["MonitoringCare"]


class MonitoringCare(FacadePart):
    """The part of `TaskScheduler` that shows figures."""

    _monitoring: Monitoring | None = None
    _resources: ResourceSampler | None = None

    def metrics(self) -> bytes:
        """Return the metrics in Prometheus' text format; empty unless monitoring is on."""
        return b"" if self._monitoring is None else self._monitoring.render()

    def running_metrics(self) -> str | None:
        """Return the metrics of the process that runs the ledger; None where none does.

        Empty where monitoring is off there, or it is of an earlier release.
        """
        if self._runtime.holding is not None:
            return self.metrics().decode()
        try:
            return str(self._runtime.ask_holder("metrics"))
        except RemoteError:
            return ""
        except (HolderGoneError, SchedulerStoppedError):
            return None

    @property
    def metrics_address(self) -> tuple[str, int] | None:
        """Where the metrics are served now; None while they are not."""
        exporter = None if self._monitoring is None else self._monitoring.exporter
        return None if exporter is None else exporter.address

    # -- inside ---------------------------------------------------------------------------------

    def _start_monitoring(self) -> None:
        """Begin to count and listen, where the configuration wants any of it."""
        settings = self.config.settings
        is_counting = settings.scheduler.enable_monitoring
        if self._monitoring is not None or not (is_counting or settings.monitoring.traces):
            self._take_up_monitoring()
            return
        from task_scheduler.monitoring import Monitoring
        from task_scheduler.observe.metrics import Metrics
        from task_scheduler.observe.resources import ResourceSampler

        metrics = None
        if is_counting:
            given = settings.monitoring.metrics
            limit = {} if given is None else {"task_limit": given.task_limit}
            metrics = Metrics(look=self._standing, mask=self._guard.masker.mask, **limit)
            self._resources = ResourceSampler(self._clock, folder=self.files.database.parent)
        self._monitoring = Monitoring(
            metrics,
            clock=self._clock,
            ledger_id=lambda: str(self._reader.fetch("ledger_row")["ledger_id"]),
        )
        self._take_up_monitoring()
        self._runtime.listeners.append(self._monitoring)
        if self._runtime.state == "running":
            # It came with a change of the configuration.
            self._monitoring.begin()

    def _take_up_monitoring(self) -> None:
        """Go by what the configuration says of monitoring now."""
        if self._monitoring is None:
            return
        from task_scheduler.config.monitoring import (
            export_plan_of,
            monitoring_secrets_of,
            trace_plan_of,
        )
        from task_scheduler.monitoring import MonitoringPlan

        section = self.config.settings.monitoring
        self._guard.masker.learn(monitoring_secrets_of(section))
        read = Vault(self._guard.rules.secrets, masker=self._guard.masker)

        def reveal(text: str) -> str:
            filled, _ = read.fill({"text": text})
            return filled.get("text", text)

        try:
            plan = MonitoringPlan(export_plan_of(section, reveal), trace_plan_of(section, reveal))
        except DefinitionError as error:
            # A secret that is not there: tasks go on without being watched, and it is told.
            self._monitoring.adopt(MonitoringPlan(), str(error))
        else:
            self._monitoring.adopt(plan)

    def _monitoring_trouble(self) -> Trouble | None:
        found = None if self._monitoring is None else self._monitoring.trouble()
        if found is None:
            return None
        # An endpoint, and what a client says of it, may have a secret in it.
        mask = self._guard.masker.mask
        return replace(found, where=mask(found.where), why=mask(found.why))

    def _note_ends(self, settlements: Sequence[Settlement]) -> None:
        if self._monitoring is not None:
            self._monitoring.note_ends(settlements)

    def _traceparent(self, claim: Claim) -> str | None:
        return None if self._monitoring is None else self._monitoring.traceparent(claim)

    def _perform(self, task: BaseTask, context: RunContext) -> tuple[bool, str | None]:
        """Run an attempt in this thread, inside its span where it has one."""
        tracing = None if self._monitoring is None else self._monitoring.tracing
        if tracing is None or context.traceparent is None:
            return perform(task, context)
        with tracing.within(context.traceparent):
            return perform(task, context)

    def _metrics_here(self) -> str:
        return self.metrics().decode()

    def _standing(self, ids: Sequence[str], room: int) -> Standing:
        """Return how everything stands, as far as it can be found out now."""
        from task_scheduler.observe.standing import Standing, TaskStanding

        known: dict[str, Any] = {}
        now, fetch = self._clock.now(), self._reader.fetch
        try:
            rows = fetch("standing_of_tasks", ids=list(ids), room=room)
            known["tasks"] = [TaskStanding(*row) for row in rows]
            known["entries"] = fetch("count_entries")
            known["queue_depth"] = fetch("count_backlog", now=now)
        except StoreError:
            known = {"is_ledger_readable": False}
        holding = self._runtime.holding
        if holding is not None and holding.is_active:
            known["is_active"] = True
            known["running"] = holding.running_count()
            known["measures"] = holding.measures
            known["programs"] = holding.processes.running_count()
            known |= _launcher_use(holding.processes.launcher.pid)
        known["faults"] = frozenset(
            str(problem["kind"]) for problem in self._runtime.vigil.problems()
        )
        monitoring = self._monitoring
        if monitoring is not None and monitoring.exporter is not None:
            known["scrapes"] = monitoring.exporter.results
        if monitoring is not None and monitoring.tracing is not None:
            known["spans"] = monitoring.tracing.results
        return Standing(**known)


def _launcher_use(pid: int | None) -> dict[str, Any]:
    """Return what the process uses that starts programs; nothing of it where there is none."""
    import psutil

    if pid is None:
        return {}
    try:
        process = psutil.Process(pid)
        times = process.cpu_times()
        memory = process.memory_info().rss
    except (psutil.Error, OSError):
        return {}
    return {"launcher_memory": memory, "launcher_cpu_seconds": times.user + times.system}
