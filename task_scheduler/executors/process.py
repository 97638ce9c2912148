"""`ProcessExecutor`: scripts, commands and isolated functions, each under a supervisor of its own.

Responsible for: orders to the launcher, the doorbell, one completion for each launch, cancelling,
and finding out after a restart what became of an attempt. It waits for nothing: while no attempt
lives nothing wakes up here.

Does not know how a process is started or ended: that is `supervision`, whose files it reads.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import threading
from collections.abc import Callable, Container
from pathlib import Path

from task_scheduler.core.faults import Trouble
from task_scheduler.core.model import SECOND, Claim, Completion, LaunchSpec, Outcome
from task_scheduler.core.ports import Clock, Emit
from task_scheduler.core.recovery import Verdict
from task_scheduler.errors import SupervisionError
from task_scheduler.executors.attempt_places import AttemptPlaces
from task_scheduler.executors.launch_order import order_of
from task_scheduler.executors.process_alarms import ProcessAlarms
from task_scheduler.executors.process_ends import end_of_record, end_without_record, why_lost
from task_scheduler.executors.process_flight import ProcessFlight, name_of
from task_scheduler.executors.warm_starts import WarmLimits, WarmStarts
from task_scheduler.i18n import translate
from task_scheduler.supervision import attempt_folder
from task_scheduler.supervision.attempt_folder import State
from task_scheduler.supervision.doorbell import Doorbell
from task_scheduler.supervision.launcher_client import LauncherClient
from task_scheduler.supervision.orders import FOREIGN_ORDER
from task_scheduler.supervision.outgoing_order import OutgoingOrder
from task_scheduler.supervision.signals import CANCEL, KILL, is_stopped, signal_supervisor
from task_scheduler.supervision.survivors import end_survivors
from task_scheduler.supervision.template_client import TemplateClient

__all__ = ["ProcessExecutor"]

_log = logging.getLogger("TaskScheduler")

_LOOK_SECONDS = 5.0
"""How often living attempts are looked at: a bell can be lost, a supervisor can be killed."""
_UNSTARTED_LOOK_SECONDS = 1.0
"""The same while one of them has not been started yet."""
_ANSWER = 5 * SECOND
"""A launcher that starts nothing for so long, though it has orders, is replaced."""
_TEMPLATE_ANSWER = SECOND
_PATIENCE = 30 * SECOND
"""After so long without a permit an order is sent again."""
_MAX_ORDERS = 3
_OVERDUE = 30 * SECOND
"""So long after its timeout and its grace a living attempt is alarming."""


class ProcessExecutor(AttemptPlaces):
    """Start programs under supervision and report each end exactly once."""

    def __init__(
        self,
        *,
        runs: Path,
        bell: Path,
        clock: Clock,
        report: Callable[[Completion], None],
        release: Callable[[], None],
        emit: Emit,
        output_limit_bytes: int,
        warm_limits: Callable[[], WarmLimits] = WarmLimits,
    ) -> None:
        super().__init__(runs.absolute())
        self._bell_path = bell.absolute()
        self._clock = clock
        self._report = report
        self._release = release
        self._output_limit_bytes = output_limit_bytes
        self._alarms = ProcessAlarms(emit)
        self.launcher = LauncherClient(os.fsencode(self._runs))
        self._warm = WarmStarts(
            os.fsencode(self._runs),
            limits=warm_limits,
            clock=clock,
            tell=self._alarms.tell_again,
        )
        self._answered_at = 0
        """When the launcher was last known to work, on the boot clock."""
        self._flights: dict[str, ProcessFlight] = {}
        self._guard = threading.Lock()
        self._bell: Doorbell | None = None
        self._listener: threading.Thread | None = None
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._must_look = False
        self._is_closed = False
        self._owner = os.getpid()

    def start(self) -> None:
        """Bind the doorbell, in the place of one that a dead scheduler left, and listen to it.

        Nothing happens the second time. Raises SupervisionError where the bell cannot be bound.
        """
        if self._owner != os.getpid():
            raise SupervisionError("supervision.closed")
        with self._guard:
            if self._is_closed:
                raise SupervisionError("supervision.closed")
            if self._listener is not None:
                return
            try:
                self._runs.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._bell = Doorbell(os.fsencode(self._bell_path))
            except OSError as error:
                raise SupervisionError(
                    "supervision.no_bell", path=str(self._bell_path), reason=error.strerror or error
                ) from error
            self._listener = threading.Thread(
                target=self._listen, name="task-scheduler-supervision", daemon=True
            )
            self._listener.start()

    def launch(self, claim: Claim, spec: LaunchSpec) -> None:
        """Have an attempt started; whatever goes wrong becomes its completion.

        Returns at once. The seat is given back, and the end reported, when the attempt is over.
        """
        name = name_of(claim)
        flight = ProcessFlight(claim, self._clock.boottime())
        with self._guard:
            self._flights[name] = flight
        try:
            self.start()
            self._make(name)
            flight.order = order_of(
                spec,
                folder=self._folder(name),
                bell=os.fsencode(self._bell_path),
                output_limit_bytes=self._output_limit_bytes,
            )
            if spec.python is not None:
                flight.preload = tuple(spec.python["preload"])
            flight.orders = 1
            self._send_first(flight, flight.order)
        except Exception as error:  # fence: attempt
            sentence = translate("supervision.not_started", reason=_reason(error))
            if flight.orders:
                self._give_up(name, sentence)
            else:
                self._settle(name, self._ended(claim, Outcome.FAILED, sentence))

    def cancel(self, claim: Claim, reason: str) -> bool:
        """Ask an attempt to end: `cancelled` once its tree is gone. False if it is unknown here."""
        name = name_of(claim)
        with self._guard:
            is_known = name in self._flights
        if is_known:
            self._stop(name, reason, CANCEL)
        return is_known

    def cancel_all(self, reason: str) -> None:
        """Ask every attempt to end."""
        for name in self._names():
            self._stop(name, reason, CANCEL)

    def kill_all(self) -> None:
        """End every attempt at once, without a grace."""
        for name in self._names():
            self._stop(name, translate("supervision.killed_at_stop"), KILL)

    def running_count(self) -> int:
        """Return how many attempts were not reported yet."""
        with self._guard:
            return len(self._flights)

    def inspect(self, claim: Claim, *, is_same_boot: bool) -> tuple[str, Completion | None]:
        """Find out what became of an attempt of an earlier process.

        Returns a verdict of `core.recovery.Verdict` and, of one that ended or was lost, its
        completion. One that was not started can never start afterwards; of one that was lost
        nothing is left.
        """
        folder = self._folder(name_of(claim))
        if not is_same_boot:
            record = attempt_folder.read_exit_record(folder)
            if record is not None:
                return Verdict.ENDED, self._recorded(claim, record)
            # Permits are not synced: that there is none proves nothing after a power cut.
            return Verdict.LOST, self._lost(claim, translate("supervision.lost_boot"))
        try:
            self._make(name_of(claim))
            state, record = attempt_folder.examine(folder, bury=True)
        except OSError:
            # A full disk, say: nothing can be proved for now, so it counts as alive until it can.
            return Verdict.ALIVE, None
        if state == State.UNSTARTED:
            return Verdict.NOT_STARTED, None
        if record is not None:
            return Verdict.ENDED, self._recorded(claim, record)
        if state == State.DEAD and self._is_gone(claim, folder):
            return Verdict.LOST, self._lost(claim, why_lost(folder))
        return Verdict.ALIVE, None

    def adopt(self, claim: Claim) -> None:
        """Watch a living attempt of an earlier process: its end is reported like any other."""
        with self._guard:
            self._flights[name_of(claim)] = ProcessFlight(
                claim, self._clock.boottime(), is_adopted=True
            )
            self._must_look = True
        self.start()
        self._wake()

    def troubles(self) -> list[Trouble]:
        """Return what keeps programs from starting, or what they print from being kept."""
        return self._alarms.troubles(self._runs)

    def mend_places(self) -> None:
        """Make the folder of the attempts and the bell anew where they vanished."""
        self._runs.mkdir(mode=0o700, parents=True, exist_ok=True)
        before = self._bell
        if before is None or before.is_in_place():
            return
        self._bell = Doorbell(os.fsencode(self._bell_path))
        # Whoever rang meanwhile was not heard.
        self._look_soon()
        before.close()

    def close(self) -> None:
        """Stop listening. The launcher ends; living attempts go on and record their ends.

        In a fork of the process that made it nothing happens: all of it is the parent's.
        """
        if self._owner != os.getpid():
            return
        with self._guard:
            if self._is_closed:
                return
            self._is_closed = True
            listener = self._listener
            self._write_wake()
        if listener is not None and listener is not threading.current_thread():
            listener.join()
        self._warm.close()
        self.launcher.close()
        if self._bell is not None:
            self._bell.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    # Orders

    def _send_first(self, flight: ProcessFlight, order: OutgoingOrder) -> None:
        """Give the order to a template where one is ready, or else to the launcher, at once."""
        if flight.preload is None:
            self._send(order)
            return
        flight.template = self._warm.send(order, flight.preload, self._send)
        if flight.template is None or self.running_count() == 1:
            # There may be a template to listen to.
            self._wake()

    def _send(self, order: OutgoingOrder) -> None:
        try:
            is_new = self.launcher.send(order)
        except OSError:
            # It died with this order or before it: the permit makes a second order harmless.
            is_new = self.launcher.send(order)
        if is_new or self.running_count() == 1:
            # The listener has a new socket to watch, or slept without a limit.
            self._wake()

    def _send_again(self, name: str, flight: ProcessFlight) -> None:
        """Repeat the order of an attempt that nobody started, but not for ever."""
        if flight.order is None or flight.orders >= _MAX_ORDERS:
            count = max(1, flight.orders)
            self._give_up(name, translate("supervision.launcher_gone", count=count))
            return
        flight.template = None
        flight.orders += 1
        flight.since = self._clock.boottime()
        try:
            self._send(flight.order)
        except (OSError, SupervisionError) as error:
            self._give_up(name, translate("supervision.not_started", reason=_reason(error)))

    def _give_up(self, name: str, sentence: str) -> None:
        """Report an attempt that could not be started, unless it was started after all."""
        with self._guard:
            flight = self._flights.get(name)
        if flight is None:
            return
        try:
            state, _ = attempt_folder.examine(self._folder(name), bury=True)
        except OSError:
            # Nothing can be proved on a full disk, say: the next look is in a few seconds.
            return
        if state == State.UNSTARTED:
            self._settle(name, self._ended(flight.claim, Outcome.FAILED, sentence))
        else:
            self._look_soon()

    def _stop(self, name: str, reason: str, number: int) -> None:
        """Have an attempt ended; what its supervisor does not hear now it hears later."""
        folder = self._folder(name)
        with self._guard:
            flight = self._flights.get(name)
            if flight is not None:
                flight.promise(number)
        try:
            if flight is not None and not flight.is_prepared:
                # Its supervisor will find the reason before it starts the task.
                self._make(name)
            attempt_folder.write_cancel_reason(folder, reason)
        except OSError:
            # Then it ends without the reason: a full disk must not keep it running.
            self._look_soon()
        if flight is not None and not flight.deliver(folder):
            self._look_soon()

    # Ends

    def _listen(self) -> None:
        """Wait for the bell, the launcher, or the time to look; until closed."""
        next_look = self._clock.boottime()
        while not self._is_closed:
            try:
                next_look = self._hear(next_look)
            except Exception:  # fence: listener
                # Whatever it was, the attempts whose end it hid are looked at again.
                _log.exception(translate("supervision.listener_failed"))
                next_look = self._clock.boottime() + round(_LOOK_SECONDS * SECOND)

    def _hear(self, next_look: int) -> int:
        """Take in what happens next; return the moment (boot clock) of the next look at all."""
        news, launcher_died, gone = self._wait(next_look)
        for name, status in news:
            self._examine(name, status)
        for name in self._names(gone) if gone else ():
            self._examine(name, None, is_orphaned=True)
        now = self._clock.boottime()
        with self._guard:
            is_due = self._must_look or launcher_died or now >= next_look
            self._must_look = False
        if not is_due:
            return next_look
        for name in self._names():
            self._examine(name, None, is_orphaned=launcher_died)
        with self._guard:
            are_seen = all(flight.is_seen for flight in self._flights.values())
        return now + round((_LOOK_SECONDS if are_seen else _UNSTARTED_LOOK_SECONDS) * SECOND)

    def _wait(
        self, next_look: int
    ) -> tuple[list[tuple[str, int | None]], bool, list[TemplateClient]]:
        """Return attempts of which there is news, whether the launcher died, and templates gone."""
        bell, launcher = self._bell, self.launcher.fileno()
        assert bell is not None
        poll = select.poll()
        for descriptor in (self._wake_read, bell.fileno(), launcher, *self._warm.filenos()):
            if descriptor >= 0:
                poll.register(descriptor, select.POLLIN)
        wait = None
        if self.running_count():
            wait = max(0, next_look - self._clock.boottime()) / 1_000
        news: list[tuple[str, int | None]] = []
        ready = {descriptor for descriptor, _ in poll.poll(wait)}
        if self._wake_read in ready:
            os.read(self._wake_read, 4_096)
        if bell.fileno() in ready:
            news += [(name, None) for name in bell.rung()]
        # Asked at every turn: a launcher that was replaced leaves no descriptor to tell of it.
        received = self.launcher.receive()
        told, gone = self._warm.receive()
        return news + (received or []) + told, received is None, gone

    def _examine(self, name: str, status: int | None, *, is_orphaned: bool = False) -> None:
        """Look at the files of one attempt and report its end if it has come.

        `status` is how its supervisor ended, if that is known; with `is_orphaned` the launcher that
        had its order is gone.
        """
        with self._guard:
            flight = self._flights.get(name)
        if flight is None or not flight.is_prepared:
            return
        folder = self._folder(name)
        try:
            state, record = attempt_folder.examine(folder)
            if record is not None:
                self._settle(name, self._recorded(flight.claim, record))
            elif state == State.ALIVE:
                self._attend(flight, folder)
            elif state == State.UNSTARTED:
                self._take_unstarted(name, flight, status, is_orphaned=is_orphaned)
            elif self._is_gone(flight.claim, folder):
                self._settle(name, self._lost(flight.claim, why_lost(folder)))
        except OSError:
            # A full disk or no descriptors: the next look is in a few seconds.
            return

    def _take_unstarted(
        self, name: str, flight: ProcessFlight, status: int | None, *, is_orphaned: bool
    ) -> None:
        now = self._clock.boottime()
        if flight.template is not None and now - flight.since > _TEMPLATE_ANSWER:
            self._warm.drop(flight.template)
            is_orphaned = True
        if status is not None and status > 0:
            self._give_up(name, self._alarms.not_started(status))
        elif status == FOREIGN_ORDER:
            self._give_up(name, translate("supervision.other_release"))
        elif status is not None or is_orphaned or not flight.orders:
            self._send_again(name, flight)
        elif now - max(flight.since, self._answered_at) > _ANSWER:
            self._answered_at = now
            pid = self.launcher.replace()
            if pid is not None:
                # Its death is heard next: then all that it has not started is sent again.
                seconds = _ANSWER // SECOND
                self._alarms.tell_again("launcher_silent", pid=pid, seconds=seconds)
        elif now - flight.since > _PATIENCE:
            self._send_again(name, flight)

    def _attend(self, flight: ProcessFlight, folder: bytes) -> None:
        """Look after an attempt that lives."""
        claim, now = flight.claim, self._clock.boottime()
        if not flight.is_seen:
            flight.is_seen = True
            self._answered_at = now
        flight.deliver(folder)
        self._alarms.look(claim, folder)
        if is_stopped(folder) and signal_supervisor(folder, signal.SIGCONT):
            self._alarms.tell("supervisor_stopped", claim)
        if (late := flight.overdue(now)) > _OVERDUE:
            path = os.fsdecode(folder)
            self._alarms.tell("overdue", claim, seconds=late // SECOND, path=path)

    def _is_gone(self, claim: Claim, folder: bytes) -> bool:
        """End what survives of an attempt whose supervisor died; whether nothing is left now."""
        left = end_survivors(folder)
        if left:
            self._alarms.tell_survivors(claim, left)
        return not left

    def _settle(self, name: str, completion: Completion) -> None:
        """Report an end and give its seat back, once."""
        with self._guard:
            if self._flights.pop(name, None) is None:
                return
        try:
            self._report(completion)
        finally:
            self._release()

    def _recorded(self, claim: Claim, record: dict[str, object]) -> Completion:
        self._alarms.examine(claim, record)
        return end_of_record(claim, record, self.output_path(claim))

    def _lost(self, claim: Claim, sentence: str) -> Completion:
        self._alarms.forget(claim)
        return self._ended(claim, Outcome.LOST, sentence)

    def _ended(self, claim: Claim, outcome: Outcome, sentence: str) -> Completion:
        path = self.output_path(claim)
        return end_without_record(claim, outcome, sentence, now=self._clock.now(), output=path)

    def _look_soon(self) -> None:
        with self._guard:
            self._must_look = True
        self._wake()

    def _wake(self) -> None:
        with self._guard:
            # Once closed, the number of the descriptor may be somebody else's.
            if not self._is_closed:
                self._write_wake()

    def _write_wake(self) -> None:
        try:
            os.write(self._wake_write, b"\0")
        except BlockingIOError:
            return

    def _names(self, templates: Container[TemplateClient | None] | None = None) -> list[str]:
        """Return all attempts, or those of which a template has the order."""
        with self._guard:
            return [
                name
                for name, flight in self._flights.items()
                if templates is None or flight.template in templates
            ]


def _reason(error: Exception) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)
