"""The event stream: telling what happened to whoever listens.

Responsible for: calling the listeners, containing those that raise, and knowing which one the
engine's thread is in, so that one that never returns can be named.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from task_scheduler.core.events import Event, FaultBegan, ListenerFailed
from task_scheduler.core.faults import FaultKind

__all__ = ["EventStream"]


class EventStream:
    """The listeners of one scheduler."""

    def __init__(self) -> None:
        self.listeners: list[Callable[[Event], None]] = []
        self.engine: threading.Thread | None = None
        """The engine's thread."""
        self.listening: Callable[[Event], None] | None = None
        """The listener that the engine's thread is in."""
        self._failing: set[tuple[int, type[Event]]] = set()

    def is_routine_heard(self) -> bool:
        """Whether some listener wants to hear what happens all the time.

        That is the beginning and the success of runs; a listener that has no ``hears_routine``, or
        one that is true, does.
        """
        return any(getattr(listener, "hears_routine", True) for listener in self.listeners)

    def tell(self, event: Event) -> None:
        """Tell the listeners; one that fails is named once, until it takes such an event again.

        Called in the engine's thread, and of faults in the watchdog's: that one leaves out a
        listener that does not return to the engine.
        """
        is_engine = threading.current_thread() is self.engine
        is_stall = isinstance(event, FaultBegan) and event.trouble.kind is FaultKind.ENGINE_STALLED
        for number, listener in enumerate(self.listeners):
            failing = (number, type(event))
            if is_stall and listener is self.listening:
                continue
            if is_engine:
                self.listening = listener
            try:
                listener(event)
            except Exception as error:  # fence: listener
                if failing in self._failing or isinstance(event, ListenerFailed):
                    continue
                self._failing.add(failing)
                self.tell(ListenerFailed(f"{listener!r}: {type(error).__name__}: {error}"))
            else:
                self._failing.discard(failing)
            finally:
                if is_engine:
                    self.listening = None
