"""Signals: what ends a scheduler from outside.

Responsible for: running in the foreground (`tsk up`), and the little that an embedded scheduler may
take for itself: SIGTERM, in the main thread, if nobody else has it. SIGINT stays the program's.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Protocol

from task_scheduler.errors import TaskSchedulerError
from task_scheduler.i18n import translate

__all__ = ["STUCK", "run_forever", "stop_in_background", "stop_on_terminate"]

STUCK = 10
"""The exit code of a process whose engine was stuck."""
_LOOK_SECONDS = 2.0
"""Between two looks whether the engine is stuck."""
_SWITCH_INTERVAL = 0.000_5
"""Seconds. Beside a CPU-bound function waking takes 1.5 ms (p99), at Python's own 5 ms 11 ms."""


class _Scheduler(Protocol):
    @property
    def stop_seconds(self) -> float: ...

    def stuck_seconds(self) -> float: ...

    def start(self) -> None: ...

    def stop(self, timeout: float | None = None) -> None: ...

    def force_stop(self) -> None: ...

    def reload(self) -> dict[str, int]: ...


def run_forever(scheduler: _Scheduler) -> int:
    """Start, wait for SIGTERM or SIGINT, drain; return 0, or 130 / 143 after a second signal.

    Where the engine is stuck for `stall_exit_seconds`, the process ends with `STUCK`.
    """
    received: list[int] = []
    wanted = threading.Event()
    is_reloading = threading.Event()

    def end(number: int, _frame: object) -> None:
        received.append(number)
        wanted.set()

    def reload(_number: int, _frame: object) -> None:
        is_reloading.set()
        wanted.set()

    global _stop_foreground
    handlers = {signal.SIGTERM: end, signal.SIGINT: end, signal.SIGHUP: reload}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    interval = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_INTERVAL)
    _stop_foreground = lambda: end(signal.SIGTERM, None)  # noqa: E731  it closes over this call
    try:
        scheduler.start()
        while not received:
            if not wanted.wait(_LOOK_SECONDS):
                _leave_if_stuck(scheduler)
                continue
            wanted.clear()
            if is_reloading.is_set():
                is_reloading.clear()
                _reload(scheduler)
        return _drain(scheduler, received, wanted)
    finally:
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


def _drain(scheduler: _Scheduler, received: list[int], wanted: threading.Event) -> int:
    """Stop in another thread, so that a second signal is still heard."""
    _say("runtime.shutting_down", signal=_name(received[0]), seconds=scheduler.stop_seconds)
    stopping = threading.Thread(target=scheduler.stop, name="task-scheduler-stop")
    stopping.start()
    while stopping.is_alive():
        # A join with a timeout lets signal handlers of the main thread run.
        stopping.join(0.1)
        if len(received) > 1 and wanted.is_set():
            wanted.clear()
            _say("runtime.forced", signal=_name(received[-1]))
            scheduler.force_stop()
    return 0 if len(received) == 1 else 128 + received[-1]


def _reload(scheduler: _Scheduler) -> None:
    try:
        done = scheduler.reload()
    except TaskSchedulerError as error:
        _say("runtime.not_reloaded", error=error)
    else:
        _say("runtime.reloaded", **done)


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

    def end() -> None:
        scheduler.stop()
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)

    def stop(number: int, _frame: object) -> None:
        # In a thread of its own: the main thread may be inside a call that holds what stop needs.
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        threading.Thread(target=end, name="task-scheduler-stop").start()

    signal.signal(signal.SIGTERM, stop)


def _name(number: int) -> str:
    return signal.Signals(number).name


def _say(key: str, **values: object) -> None:
    sys.stderr.write(translate(key, **values) + "\n")
    sys.stderr.flush()
