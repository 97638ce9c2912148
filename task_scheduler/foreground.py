"""Signals: what ends a scheduler from outside.

Responsible for: running in the foreground (`tsk up`) and telling a service manager how it goes, and
the little that an embedded scheduler may take for itself: SIGTERM, in the main thread, if nobody
else has it. SIGINT stays the program's.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Protocol

from task_scheduler.clock import SystemClock
from task_scheduler.config_watch import ConfigWatch
from task_scheduler.errors import TaskSchedulerError
from task_scheduler.i18n import translate
from task_scheduler.service.manager import ServiceManager
from task_scheduler.service.pulse import Pulse, Telling

__all__ = ["STUCK", "run_forever", "stop_in_background", "stop_on_terminate"]

STUCK = 10
"""The exit code of a process whose engine was stuck."""
_LOOK_SECONDS = 2.0
"""Between two looks whether the engine is stuck."""
_JOIN_SECONDS = 0.05
"""Between two looks for a second signal while stopping."""
_SWITCH_INTERVAL = 0.000_5
"""Seconds. Beside a CPU-bound function waking takes 1.5 ms (p99), at Python's own 5 ms 11 ms."""


class _Scheduler(Telling, Protocol):
    @property
    def stop_seconds(self) -> float: ...

    def stuck_seconds(self) -> float: ...

    def memory_exceeded(self) -> int: ...

    def start(self) -> None: ...

    def stop(self, timeout: float | None = None) -> None: ...

    def force_stop(self) -> None: ...

    def reload(self) -> dict[str, int]: ...

    def watch_config(self, changed: Callable[[], None]) -> ConfigWatch | None: ...


def run_forever(scheduler: _Scheduler) -> int:
    """Start, wait for SIGTERM or SIGINT, drain; return 0, or 130 / 143 after a second signal.

    SIGHUP reads the configuration again, and so does a change of its files.

    Where the engine is stuck for `stall_exit_seconds`, the process ends with `STUCK`; above its
    `memory_limit` it drains and ends so.
    """
    wanted: SimpleQueue[int] = SimpleQueue()
    """Signals that came. Its `put` may interrupt its own `get`; an Event would be deadlocked."""

    def note(number: int, _frame: object) -> None:
        wanted.put(number)

    global _stop_foreground
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.signal(number, note) for number in numbers}
    manager = ServiceManager.of(os.environ)
    pulse = Pulse(manager, scheduler, SystemClock())
    if manager.watchdog_seconds:
        # It ends a silent process by SIGABRT: the journal then has what every thread was at.
        faulthandler.enable()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_INTERVAL)
    _stop_foreground = lambda: wanted.put(signal.SIGTERM)  # noqa: E731  it closes over this call
    watch: ConfigWatch | None = None
    try:
        manager.starting()
        scheduler.start()
        pulse.begin()
        watch = scheduler.watch_config(lambda: wanted.put(signal.SIGHUP))
        while True:
            came = _arrived(wanted, min(_LOOK_SECONDS, pulse.beat_seconds))
            ends = [number for number in came if number != signal.SIGHUP]
            if ends:
                return _drain(scheduler, ends, wanted, pulse)
            if came:
                pulse.around_reload(lambda: _reload(scheduler))
            else:
                _leave_if_stuck(scheduler)
                if used := scheduler.memory_exceeded():
                    _say("runtime.memory_exceeded", used=f"{used / 1e6:.0f} MB", code=STUCK)
                    return _drain(scheduler, [signal.SIGTERM], wanted, pulse) or STUCK
            pulse.beat()
    finally:
        if watch is not None:
            watch.close()
        _stop_foreground = None
        sys.setswitchinterval(interval)
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave_if_stuck(scheduler: _Scheduler) -> None:
    """End the process of an engine that does not come back, for its supervisor to start it anew.

    At once: whatever the engine holds, a lock of the log's file say, would keep an orderly end
    waiting too. Programs go on under their supervisors and are taken up again by the next process.
    """
    if seconds := scheduler.stuck_seconds():
        _say("runtime.stuck", seconds=round(seconds), code=STUCK)
        os._exit(STUCK)


def _arrived(wanted: SimpleQueue[int], seconds: float) -> list[int]:
    """Wait so long for signals; return all that came.

    Never for ever: a signal that the system gave to another thread does not wake this one.
    """
    try:
        came = [wanted.get(timeout=seconds)]
    except Empty:
        return []
    # No more than are there now: others may come all the time.
    return came + [wanted.get() for _ in range(wanted.qsize())]


def _drain(scheduler: _Scheduler, ends: list[int], wanted: SimpleQueue[int], pulse: Pulse) -> int:
    """Stop in another thread, so that a second signal is still heard."""
    seconds = scheduler.stop_seconds
    sentence = _say("runtime.shutting_down", signal=_name(ends[0]), seconds=seconds)
    pulse.finish(sentence, seconds=seconds)
    stopping = threading.Thread(target=scheduler.stop, name="task-scheduler-stop")
    stopping.start()
    code, more = 0, ends[1:]
    while stopping.is_alive():
        if more:
            code = 128 + more[-1]
            _say("runtime.forced", signal=_name(more[-1]))
            scheduler.force_stop()
        stopping.join(_JOIN_SECONDS)
        pulse.beat()
        more = [number for number in _arrived(wanted, 0) if number != signal.SIGHUP]
    return code


def _reload(scheduler: _Scheduler) -> str:
    """Read the configuration again, and return the sentence about it."""
    try:
        done = scheduler.reload()
    except TaskSchedulerError as error:
        return _say("runtime.not_reloaded", error=error)
    return _say("runtime.reloaded", **done)


_stop_foreground: Callable[[], None] | None = None
"""How the scheduler that runs in the foreground is ended; there is one at most."""


def stop_in_background(scheduler: _Scheduler) -> None:
    """Stop soon, without waiting: for a request that must still be answered."""
    if _stop_foreground is not None:
        _stop_foreground()
        return
    threading.Thread(target=scheduler.stop, name="task-scheduler-stop", daemon=True).start()


def stop_on_terminate(scheduler: _Scheduler) -> None:
    """Drain on SIGTERM and then end as the signal would; only where nobody has taken it."""
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return

    came: SimpleQueue[int] = SimpleQueue()
    owner = os.getpid()

    def end() -> None:
        scheduler.stop()
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)

    def listen() -> None:
        came.get()
        # Not a daemon: a program that ends meanwhile waits for it.
        threading.Thread(target=end, name="task-scheduler-stop").start()

    def stop(number: int, _frame: object) -> None:
        # No more than this: the main thread may be inside a call that holds what stop needs, or
        # what starting a thread needs.
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        if os.getpid() == owner:
            came.put(number)
        else:
            # A fork: no thread listens here, and nothing here is the scheduler's.
            os.kill(os.getpid(), number)

    threading.Thread(target=listen, name="task-scheduler-signal", daemon=True).start()
    signal.signal(signal.SIGTERM, stop)


def _name(number: int) -> str:
    return signal.Signals(number).name


def _say(key: str, **values: object) -> str:
    sentence = translate(key, **values)
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()
    return sentence
