"""What users ask of a scheduler about itself: its own figures, and what is wrong with it.

Responsible for: that part of the facade, and who is asked for the figures: this process if it
holds the ledger, else the one that does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from task_scheduler.control import HolderGoneError
from task_scheduler.doctor.findings import CHECKS, Finding, Level
from task_scheduler.errors import RemoteError, SchedulerStoppedError, StoreError
from task_scheduler.facade_part import FacadePart
from task_scheduler.fault_board import problem_at, problem_of
from task_scheduler.i18n import translate
from task_scheduler.ledger_view import LedgerView

if TYPE_CHECKING:
    from task_scheduler.insights.insight import Insight

__all__ = ["Checkup"]


class Checkup(FacadePart):
    """The part of `TaskScheduler` that looks at the scheduler itself."""

    def measures(self) -> dict[str, Any] | None:
        """Return the scheduler's own figures; None where nobody holds the ledger.

        ``start_lateness``, ``queue_wait``, ``duration``, ``tick``, ``commit`` and ``wake_delay``:
        each ``recent`` (the last five to ten minutes) and ``whole``, with ``count`` and quantiles
        in seconds; ``full_share``: for how much of the time every seat was taken.
        """
        return self._asked("measures", self._measures_here)

    def examine(
        self, checks: Sequence[str] = CHECKS, *, limit_seconds: float = 5.0
    ) -> list[Finding]:
        """Return what is wrong with the scheduler and what it stands on, as `tsk doctor` shows it.

        `checks` are some of `doctor.findings.CHECKS`; the look at the database ends after
        `limit_seconds`. Changes nothing; works with the scheduler up or down.
        """
        # Imported here: few programs ask, and every one pays for what it imports.
        from task_scheduler.doctor.examination import Subject, examine

        holder = self._runtime.holder()
        problems = [problem_of(plain) for plain in (holder or {}).get("problems", ())]
        held: list[Finding] = []
        try:
            held = _held(self.view)
        except StoreError as error:
            # Of a ledger that fails, the scheduler itself tells more.
            problems = problems or [problem_at(error, self._clock.now())]
        is_mute = holder is not None and holder["state"] == "mute"
        subject = Subject(
            files=self.files,
            clock=self._clock,
            workers=self.config.settings.scheduler.max_workers,
            holder=holder,
            fetch=self._reader.fetch,
            measures=None if is_mute else self.measures(),
            confinement=None
            if is_mute or "confinement" not in checks
            else self._asked("confinement", self._guard.offered),
            problems=problems,
            limit_seconds=limit_seconds,
            folder=self.config.folder.absolute(),
            channels=tuple(self.config.settings.alerts.channels),
            memory_most=self.config.settings.scheduler.memory_warning
            or self.config.settings.scheduler.memory_limit,
        )
        return [*(held if "faults" in checks else ()), *examine(subject, checks)]

    def is_turning(self) -> bool:
        """Whether the scheduler in this process gets on with its work, or stands by for another.

        One whose ledger cannot be written tries again, and turns all the same.
        """
        return self._runtime.vigil.is_turning()

    def verdict(self) -> str:
        """Return in one sentence how the scheduler in this process stands, as `tsk status` does."""
        if self._runtime.state == "standby":
            return translate("service.standing_by", path=self.files.database)
        problems = [problem_of(plain) for plain in self._runtime.vigil.problems()]
        tasks = needy = 0
        try:
            tasks, needy = self._reader.fetch("count_needy")
        except StoreError as error:
            problems = problems or [problem_at(error, self._clock.now())]
        if problems:
            return translate("cli.verdict_faults", what=problems[0]["what"])
        word = "problems" if needy else "fine" if tasks else "empty"
        return translate(f"cli.verdict_{word}", count=tasks, problems=needy)

    def insights(self) -> list[Insight]:
        """Return what the ledger says would go better otherwise, as `tsk insights` shows it.

        Of the last hour, day and two weeks; changes nothing, works with the scheduler up or down.
        """
        from task_scheduler.insights.survey import survey

        settings = self.config.settings
        return survey(
            self._reader.fetch,
            now=self._clock.now(),
            workers=settings.scheduler.max_workers,
            pools=settings.pools,
        )

    def _asked(self, op: str, here: Callable[[], dict[str, Any] | None]) -> dict[str, Any] | None:
        """Return what the process that holds the ledger says of itself; None without one."""
        if self._runtime.holding is not None:
            return here()
        try:
            found: dict[str, Any] | None = self._runtime.ask_holder(op)
        except (HolderGoneError, SchedulerStoppedError, RemoteError):
            # Nobody is there, or one of an earlier release, which does not know that of itself.
            return None
        return found

    def _measures_here(self) -> dict[str, Any] | None:
        holding = self._runtime.holding
        return None if holding is None else holding.measures.plain()


def _held(view: LedgerView) -> list[Finding]:
    hold = view.hold()
    if hold is None:
        return []
    return [
        Finding(
            check="faults",
            level=Level.PROBLEM,
            sentence="held",
            remedy="held_remedy",
            command="tsk restore --resume-from now",
            figures={name: hold[name] for name in ("reason", "held_at", "moment")},
        )
    ]
