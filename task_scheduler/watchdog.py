"""The watchdog: a thread of its own that notices what the engine's thread cannot tell of itself.

Responsible for: a tick that does not come to its end and what it is stuck in, a process that did
not run for a while, descriptors that are spent, and asking every probe whether something is wrong.
Mends nothing, except that it wakes whoever can. All its looking is beside the engine: no start
waits for it. Where the engine sleeps and nothing is wrong, it sleeps too.

A Python thread cannot be stopped. A stuck engine is therefore told of, and where the process is
ours (`tsk up`), it ends after a while so that whoever watches it starts it anew.
"""

from __future__ import annotations

import errno
import os
import resource
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import CodeType, FrameType

from task_scheduler.core.entries import EntryShelf
from task_scheduler.core.events import Event
from task_scheduler.core.faults import FaultKind, Trouble
from task_scheduler.core.model import SECOND, Microseconds
from task_scheduler.core.ports import Clock
from task_scheduler.fault_board import FaultBoard
from task_scheduler.i18n import translate
from task_scheduler.trouble import place_of, trouble_of

__all__ = ["STALL_SECONDS", "Probe", "Watchdog", "Work"]

STALL_SECONDS = 10.0
"""A tick that takes so long is told of; most take a few milliseconds."""

_BEAT_SECONDS = 1.0
_IDLE_SECONDS = 30.0
_TROUBLED_BEAT_SECONDS = 0.25
_LATE: Microseconds = 2 * SECOND
"""After the moment of a look: the process did not run meanwhile."""
_RULES: dict[CodeType, str] = {
    EntryShelf.plan.__code__: "known",
    EntryShelf.occurrences_of.__code__: "entry",
}
"""Where user rules are asked, and the local variable that tells whose."""


@dataclass(frozen=True, slots=True)
class Work:
    """What the engine's thread is at."""

    thread: threading.Thread
    since: Microseconds
    """On the boot clock."""
    listener: Callable[[Event], None] | None = None
    """The listener of events that it is in."""


Probe = Callable[[], Iterable[Trouble]]
"""Asked at every beat, in the watchdog's thread: what is wrong now. Must not raise."""


class Watchdog:
    """Look until closed: every second, less often while idle, more often while all is not well."""

    def __init__(
        self,
        *,
        clock: Clock,
        board: FaultBoard,
        work: Callable[[], Work | None],
        probes: Sequence[tuple[frozenset[FaultKind], Probe]],
        rest_seconds: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._clock = clock
        self._board = board
        self._work = work
        self._probes = probes
        self._rest_seconds = rest_seconds
        """For how long the engine will rest unless it is woken; 0: it does not."""
        self._bell = threading.Event()
        self._is_closed = False
        self._is_resting = False
        self._look_at = clock.boottime()
        """When the next look is to be."""
        self._resumed_at = self._look_at
        self._thread = threading.Thread(
            target=self._watch, name="task-scheduler-watchdog", daemon=True
        )

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self) -> None:
        """Look no more, and tell what is over."""
        self._is_closed = True
        self.wake()
        self._board.settle(is_final=True)

    def wake(self) -> None:
        """Look now: something is wrong."""
        self._bell.set()

    def rouse(self) -> None:
        """Look every second again, for the engine gets something to do."""
        if self._is_resting:
            self._is_resting = False
            self._bell.set()

    def stuck_seconds(self) -> float:
        """Return for how long the engine has been at one tick; 0 while it sleeps."""
        work = self._work()
        if work is None:
            return 0.0
        return (self._clock.boottime() - max(work.since, self._resumed_at)) / SECOND

    def look(self) -> None:
        """Look once at everything."""
        now = self._clock.boottime()
        late = now - self._look_at
        self._look_at = now + round(self._beat_seconds() * SECOND)
        if late > _LATE:
            # What seems to have taken long may have stood still: the engine gets its time anew.
            self._resumed_at = now
            why = translate("faults.stood_still", seconds=f"{late / SECOND:.0f}")
            trouble = Trouble(FaultKind.PROCESS_STOPPED, f"pid {os.getpid()}", why)
            self._board.tell_past(trouble, late)
        self._report({FaultKind.ENGINE_STALLED}, self._stall())
        self._report({FaultKind.DESCRIPTORS_SPENT}, _descriptors())
        for kinds, probe in self._probes:
            self._report(kinds, probe())
        self._board.settle()

    def _watch(self) -> None:
        has_failed = False
        while True:
            beat = self._beat_seconds()
            self._look_at = self._clock.boottime() + round(beat * SECOND)
            self._is_resting = beat > _BEAT_SECONDS
            self._bell.wait(beat)
            self._is_resting = False
            self._bell.clear()
            if self._is_closed:
                return
            try:
                self.look()
            except Exception as error:  # fence: listener
                has_failed = True
                self._board.begin(trouble_of(error))
            else:
                if has_failed:
                    self._board.end([FaultKind.TICK_FAILED])
                has_failed = False

    def _beat_seconds(self) -> float:
        if not self._board.is_clear:
            return _TROUBLED_BEAT_SECONDS
        rest = self._rest_seconds()
        # What then gets stuck is found when it has been for long enough.
        return min(_IDLE_SECONDS, rest + STALL_SECONDS) if rest > 0 else _BEAT_SECONDS

    def _report(self, kinds: Iterable[FaultKind], troubles: Iterable[Trouble]) -> None:
        found = {trouble.kind: trouble for trouble in troubles}
        for trouble in found.values():
            self._board.begin(trouble)
        self._board.end(kind for kind in kinds if kind not in found)

    def _stall(self) -> list[Trouble]:
        work = self._work()
        if work is None or self.stuck_seconds() < STALL_SECONDS:
            return []
        frame = sys._current_frames().get(work.thread.ident or 0)  # noqa: SLF001  the one way to a stack
        if frame is None:
            return []
        stack = "".join(traceback.format_stack(frame))
        return [Trouble(FaultKind.ENGINE_STALLED, place_of(frame), _culprit(frame, work), stack)]


def _culprit(frame: FrameType, work: Work) -> str:
    """Return in words what a stack is stuck in: a user's rule or listener is named."""
    if work.listener is not None:
        return translate("faults.in_listener", name=repr(work.listener))
    step: FrameType | None = frame
    while step is not None:
        name = _RULES.get(step.f_code)
        if name is not None:
            found = step.f_locals[name]
            return translate("faults.in_rule", task_id=getattr(found, "entry", found).task_id)
        if step.f_globals.get("__name__") == "task_scheduler.stores.sqlite":
            return translate("faults.in_store")
        step = step.f_back
    return translate("faults.in_code")


def _descriptors() -> list[Trouble]:
    """Try whether this process may open one more file."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        if error.errno not in (errno.EMFILE, errno.ENFILE):
            return []
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        where = f"pid {os.getpid()}, RLIMIT_NOFILE {limit}"
        return [Trouble(FaultKind.DESCRIPTORS_SPENT, where, error.strerror or str(error))]
    return []
