"""`TaskScheduler`: the facade, and the only wiring of the concrete parts.

Responsible for: what users call. Turns tasks and rules into entries, sends changes to the runtime
and reads the ledger's views; decides nothing about runs.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Self, TypeVar

from task_scheduler.alert_care import AlertCare
from task_scheduler.bindings import Bindings
from task_scheduler.checkup import Checkup
from task_scheduler.clock import SystemClock
from task_scheduler.config_care import ConfigCare
from task_scheduler.core.events import CalendarFailed, Event
from task_scheduler.core.faults import FaultKind
from task_scheduler.core.inbox import (
    BackfillRange,
    CancelRun,
    PauseEntry,
    RemoveEntries,
    RequestRun,
    ResumeEntry,
)
from task_scheduler.core.model import SECOND
from task_scheduler.explanation import Explanation, explain_task
from task_scheduler.fault_board import overview, problem_of
from task_scheduler.holding import HoldingOptions
from task_scheduler.i18n import set_language
from task_scheduler.launch_guard import LaunchGuard
from task_scheduler.ledger_care import LedgerCare
from task_scheduler.ledger_view import LedgerView
from task_scheduler.manual_care import ManualCare
from task_scheduler.memory_care import MemoryCare
from task_scheduler.monitoring_care import MonitoringCare
from task_scheduler.observe.log_listener import LogListener
from task_scheduler.observe.logs import LOGGER_NAME, LogHandle, open_logs
from task_scheduler.registration import Registration, Wanted, without_collecting
from task_scheduler.runtime import Runtime
from task_scheduler.state_files import StateFiles, temporary_files
from task_scheduler.stores.sqlite import MEMORY, SqliteReader
from task_scheduler.task_rules import Rules, moment_of, rules_of, without_times
from task_scheduler.tasks.function import FunctionTask
from task_scheduler.tasks.registry import EntryMaker
from task_scheduler.tasks.task import BaseTask

__all__ = ["TaskScheduler"]

_Function = TypeVar("_Function", bound=Callable[..., Any])

_log = logging.getLogger(LOGGER_NAME)


class TaskScheduler(ConfigCare, LedgerCare, AlertCare, ManualCare, Checkup, MonitoringCare):
    """Run tasks on time and keep a durable ledger of every planned run.

    `config` is the path of a configuration file, or its content as a mapping; without one
    ``./scheduler_config.json`` is taken if it exists. Options win over it: any key of its section
    `scheduler` (``max_workers=4``), ``storage=":memory:"`` or a path, or whole sections
    (``tasks={"max_retries": 0}``). Raises ConfigError, which names everything that is wrong.

    Making one starts nothing and writes nothing. A change returns once it is committed and synced.
    """

    def __init__(
        self, config: str | os.PathLike[str] | Mapping[str, Any] | None = None, **options: Any
    ) -> None:
        # Before the configuration names a language, its own errors have that of the environment.
        # But a language that was named holds for them too.
        named = options.get("language")
        set_language(named if isinstance(named, str) else _language_of_environment(os.environ))
        # Here, since reading a configuration needs pydantic, which takes longer than all the rest.
        from task_scheduler.config import Config

        self.config = Config.load(config, options=options)
        settings = self.config.settings
        set_language(settings.scheduler.language or _language_of_environment(os.environ))
        self._clock = SystemClock()
        self._guard = LaunchGuard(settings.security.rules())
        self._warm = settings.python.rules()
        self._bindings = Bindings(lambda: self.config.calendars, self._guard.allows_function)
        is_memory = settings.storage.path == MEMORY
        self.files = temporary_files(self) if is_memory else StateFiles(Path(settings.storage.path))
        self._runtime = Runtime(
            HoldingOptions(
                files=self.files,
                is_memory=is_memory,
                workers=settings.scheduler.max_workers,
                retention_days=settings.storage.retention_days,
                retention_runs=settings.storage.retention_runs,
                output_limit_bytes=settings.storage.output_limit,
                pools=settings.pools,
                guard=self._guard.guard,
                warm=lambda: self._warm,
                lend=self._guard.lend,
                mask=self._guard.masker.mask,
                note_ends=self._note_ends,
                traceparent=self._traceparent,
                perform=self._perform,
            ),
            clock=self._clock,
            bindings=self._bindings,
            check_seconds=settings.scheduler.check_interval,
        )
        self._reader = SqliteReader(self.files.database, self._runtime.memory_store)
        self.view = LedgerView(self._reader.fetch)
        self._runtime.on_request("backup", self._copy_here)
        self._runtime.on_request("collect", self._collect_for)
        self._runtime.on_request("measures", self._measures_here)
        self._runtime.on_request("confinement", self._guard.offered)
        self._runtime.on_request("metrics", self._metrics_here)
        self._logs: LogHandle | None = None
        self._runtime.listeners.append(LogListener(_log))
        self._calendar_errors: list[str] = []
        self._runtime.chores.append(self._reread_calendars)
        self._runtime.vigil.add_probe(
            FaultKind.LOG_FAILED, lambda: self._logs.trouble() if self._logs else None
        )
        self._runtime.vigil.add_probe(FaultKind.ALERTS_FAILED, self._alert_trouble)
        self._runtime.vigil.add_probe(FaultKind.MONITORING_FAILED, self._monitoring_trouble)
        self._memory = MemoryCare(self._clock, lambda: self.config.settings.scheduler)
        self._runtime.vigil.add_probe(FaultKind.MEMORY_GROWS, self._memory.growing)
        self._runtime.vigil.add_probe(FaultKind.MEMORY_HIGH, self._memory.high)
        self._runtime.chores.append(self._memory.collect)
        self._prepare_config()
        self.config.subscribe(self._apply_settings)

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop as `stop` does."""
        self.stop()

    def __repr__(self) -> str:
        return f"<TaskScheduler {self.files.database} {self._runtime.state}>"

    # -- tasks ----------------------------------------------------------------------------------

    def add_task(self, task: BaseTask, schedule_rule: Rules = None, **times: Any) -> None:
        """Add a task with its rule or rules, or change the one of the same id.

        Instead of a rule, keywords: ``every="5m"`` (or seconds, or a timedelta), ``cron=``,
        ``at=``, ``daily="08:00"``, ``weekly=``, ``monthly=``, ``on_calendar=``, ``rrule=``,
        ``solar="sunset"``, and what goes along with them: ``timezone=``, ``start_at=``,
        ``end_at=``, ``max_runs=``, ``exclude=["japan"]`` and the others of ScheduleRule. Without
        any, it runs only on request. A changed task keeps its history and its place in time; what
        will probably fail is logged as a warning. Raises DefinitionError or ScheduleError for what
        cannot be, and where a task of another kind has the id.
        """
        self._add(Wanted([task], [rules_of(schedule_rule, **times)]))

    def add_tasks(self, tasks: Iterable[tuple[BaseTask, Rules]]) -> None:
        """Add many tasks, each with its rule or rules.

        What is wrong is found before the first is added. Up to 10,000 are one commit: all of them
        or none. More are added in parts, beside which what is due starts on time; after a power
        cut in between, adding them again completes it.
        """
        self._add(Wanted.of(tasks))

    def task(
        self, task_id: str | None = None, *, name: str | None = None, **options: Any
    ) -> Callable[[_Function], _Function]:
        """Decorate a function to add it as a task; its id is its name unless given.

        ``@scheduler.task(every="5m", max_retries=1)``: keywords are the times of `add_task` and
        the options of FunctionTask.
        """
        own, times = without_times(options)

        def add(function: _Function) -> _Function:
            made = FunctionTask(task_id or function.__name__, name, function, **own)
            self.add_task(made, **times)
            return function

        return add

    def remove_task(self, task_id: str) -> None:
        """Remove a task; its history stays. Raises TaskNotFoundError."""
        self._runtime.execute(RemoveEntries(task_ids=[task_id]))
        self._bindings.unbind(task_id)

    def pause_task(
        self, task_id: str, reason: str | None = None, until: datetime | str | None = None
    ) -> None:
        """Plan nothing of a task until `resume_task`, or until a moment; what runs goes on.

        A naive moment is in the machine's zone. Raises ScheduleError for one that is none, and
        DefinitionError for one in the past.
        """
        moment = None if until is None else moment_of(until)
        self._runtime.execute(PauseEntry(task_id=task_id, reason=reason, until=moment))

    def resume_task(self, task_id: str, resume_from: datetime | str | None = None) -> None:
        """Plan a task again; what fell into the pause is skipped, with that reason.

        What was due from the moment `resume_from` on is not: it is late, and the task's misfire
        policy decides. A moment that is still to come is when the pause will end.
        """
        moment = None if resume_from is None else moment_of(resume_from)
        self._runtime.execute(ResumeEntry(task_id=task_id, resume_from=moment))

    def run_task(self, task_id: str, *, request_id: str | None = None) -> int:
        """Run a task now, beside its schedule; return the run's id at once.

        The same `request_id` is the same run, however often it is asked for. The task's overlap
        policy holds for it: with ``skip`` it is skipped while another run lives, and says so.
        Where no scheduler runs, the run waits in the ledger until one starts.
        """
        command = RequestRun(task_id=task_id, request_id=request_id or uuid.uuid4().hex)
        run_id: int = self._runtime.execute(command)
        return run_id

    def backfill(
        self,
        task_id: str,
        start: datetime | str,
        end: datetime | str,
        *,
        limit: int = 10_000,
        dry_run: bool = False,
    ) -> dict[str, int]:
        """Run what a task's rules gave from `start` up to `end`, both past, and never ran.

        Returns how many were `planned` and how many were `present`. They queue behind each other
        as the overlap policy demands. Raises DefinitionError for a range that is none or holds
        more than `limit`; with `dry_run` nothing is changed.
        """
        command = BackfillRange(
            task_id=task_id,
            start=moment_of(start),
            end=moment_of(end),
            limit=limit,
            is_dry_run=dry_run,
        )
        counts: dict[str, int] = self._runtime.execute(command)
        return counts

    def cancel_run(self, run_id: int, reason: str | None = None) -> bool:
        """End a run: one that waits at once, a program by TERM and KILL, a function by asking it.

        Returns whether there was anything left to end; raises RunNotFoundError.
        """
        command = CancelRun(run_id=run_id)
        if reason is not None:
            command = CancelRun(run_id=run_id, reason=reason)
        is_cancelled: bool = self._runtime.execute(command)
        return is_cancelled

    def get_task_status(self, task_id: str | None = None) -> dict[str, Any]:
        """Return the status of one task, or of all, as plain JSON values.

        Of all: ``total_tasks``, ``running_tasks``, ``tasks`` (by id) and ``scheduler``, with its
        ``problems``; the counts are None where the ledger cannot be read. Raises TaskNotFoundError
        for an unknown id.
        """
        if task_id is not None:
            return self.view.task(task_id)
        seen, problems = overview(self.view, self._clock.now())
        return {**seen, "scheduler": self._scheduler_status(problems)}

    def problems(self) -> list[dict[str, Any]]:
        """Return what keeps the scheduler in this process from its work, oldest first.

        Each with ``kind``, ``what``, ``since`` (ISO 8601), ``where``, ``why`` and ``remedy``.
        """
        return [problem_of(plain) for plain in self._runtime.vigil.problems()]

    def why(
        self, task_id: str, at: datetime | str | None = None, *, width_seconds: float = 1
    ) -> Explanation:
        """Explain why a task ran or did not in the `width_seconds` from `at`, or last.

        `Explanation.plain` gives it as plain JSON values. Raises TaskNotFoundError, and
        ScheduleError for a moment that is none.
        """
        holder = self.holder()
        return explain_task(
            self._reader.fetch,
            task_id,
            None if at is None else moment_of(at),
            now=self._clock.now(),
            is_running=holder is not None and holder["state"] == "running",
            calendars=self.config.calendars,
            width=max(1, round(width_seconds * SECOND)),
        )

    # -- start and stop -------------------------------------------------------------------------

    def start(self) -> None:
        """Start planning and running, in threads of this process; return at once.

        Where another process runs this ledger, wait as its standby and take over when it ends.
        Raises StoreError where the ledger cannot be used, and StandbyRefusedError where the other
        process lacks functions that were added here.
        """
        self._open_logs()
        self.apply_declared()
        self._runtime.on_request("stop", self._stop_on_request)
        self._start_monitoring()
        self._take_up_alerts()
        self._runtime.start()
        from task_scheduler.foreground import stop_on_terminate  # signals are not always ours

        stop_on_terminate(self)

    def stop(self, timeout: float | None = None) -> None:
        """Start nothing more and wait up to `timeout` seconds for what runs, then stop it.

        Programs are killed then; functions are asked to end and left to the program. Without
        `timeout`, the config's ``stop_timeout_seconds``. Does nothing on one that is not started.
        """
        self._close_alerts()
        # A reader that stays would keep the ledger's log from being folded into its file.
        self._reader.close()
        self._runtime.stop(self.stop_seconds if timeout is None else timeout)
        if self._logs is not None:
            self._logs.close()
            self._logs = None

    @property
    def stop_seconds(self) -> float:
        """How long `stop` waits unless told otherwise."""
        return float(self.config.settings.scheduler.stop_timeout_seconds)

    def stuck_seconds(self) -> float:
        """Return for how long the engine has been stuck, if longer than `run_forever` bears it."""
        limit = self.config.settings.scheduler.stall_exit_seconds
        seconds = self._runtime.vigil.stuck_seconds()
        return seconds if limit and seconds >= limit else 0.0

    def memory_exceeded(self) -> int:
        """Return the bytes of this process where they were above `memory_limit` for a minute."""
        return self._memory.exceeded()

    def force_stop(self) -> None:
        """Make a `stop` that waits end at once."""
        self._runtime.force_stop()

    def run_forever(self) -> int:
        """Run in the foreground until SIGTERM or SIGINT, drain, and return the exit code.

        A second signal stops at once; SIGHUP reads the configuration again.
        """
        from task_scheduler.foreground import run_forever

        self._runtime.vigil.is_close = True
        return run_forever(self)

    def holder(self) -> dict[str, Any] | None:
        """Say which process holds the ledger (``pid``, ``version``, ``state``); None: nobody."""
        return self._runtime.holder()

    def request_stop(self) -> bool:
        """Ask the scheduler in another process to stop; False if none runs."""
        holder = self.holder()
        if holder is None or holder["state"] != "running":
            return False
        self._runtime.ask_holder("stop")
        return True

    def add_listener(self, listener: Callable[[Event], None]) -> None:
        """Call `listener` with every event, in the engine's thread: it must be quick."""
        self._runtime.listeners.append(listener)

    # -- inside ---------------------------------------------------------------------------------

    def _add(self, wanted: Wanted, *, origin: str = "api") -> None:
        """Bind the code first, since the engine asks its rules; undo that if it is refused."""
        self._open_logs()
        calendars, pools = self.config.calendars, self.config.settings.pools
        maker = EntryMaker(self.config.policies, origin=origin)
        with without_collecting(len(wanted.tasks)):
            found = Registration(wanted, maker=maker, guard=self._guard, calendars=calendars)
            for warning in found.warnings:
                _log.warning(warning)
            for part in found.parts(self._reader.fetch, pools):
                entries = found.entries[part]
                undo = self._bindings.bind_all(entries, found.tasks[part], found.rules[part])
                try:
                    self._runtime.add(entries)
                except BaseException:
                    undo()
                    raise

    def _scheduler_status(self, problems: list[dict[str, Any]]) -> dict[str, Any]:
        status: dict[str, Any] = {
            "state": self._runtime.state,
            "pid": os.getpid(),
            "path": str(self.files.database),
            "store_error": self._runtime.store_error,
            "problems": self.problems() or problems,
            "calendar_errors": self._calendar_errors,
        }
        if self._resources is not None:
            status["resources"] = self._resources.sample()
        return status

    def _open_logs(self) -> None:
        if self._logs is not None:
            return
        settings = self.config.settings
        self._logs = open_logs(
            folder=Path(settings.logging.log_dir),
            file_name=settings.logging.log_file,
            level=settings.scheduler.log_level,
            max_bytes=settings.logging.max_log_size,
            backup_count=settings.logging.backup_count,
            format=settings.logging.format,
            console=settings.logging.console,
            mask=self._guard.masker.mask,
            shipping=settings.logging.shipping(),
        )

    def _apply_settings(self, settings: Any) -> None:
        """Take up what may change while it runs: level, language, pools; the rest at a start."""
        self._guard.rules = settings.security.rules()
        self._warm = settings.python.rules()
        self._runtime.set_pools(settings.pools)
        self._runtime.replan()
        if self._logs is not None:
            self._logs.set_level(settings.scheduler.log_level)
        set_language(settings.scheduler.language or _language_of_environment(os.environ))
        if self._runtime.state != "stopped":
            self._take_up_alerts()
            self._start_monitoring()

    def _reread_calendars(self) -> None:
        """Notice that the file of a calendar changed; of one that is wrong the last good stays."""
        errors = self.config.reread_calendars()
        if errors and errors != self._calendar_errors:
            self._runtime.tell(CalendarFailed("; ".join(errors)))
        self._calendar_errors = errors

    def _stop_on_request(self) -> bool:
        from task_scheduler.foreground import stop_in_background

        stop_in_background(self)
        return True


def _language_of_environment(environ: Mapping[str, str]) -> str:
    """Return the locale of messages, as POSIX orders the variables."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if environ.get(name):
            return environ[name]
    return "en"
