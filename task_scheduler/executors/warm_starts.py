"""Warm starts: which template an order goes to, and how many templates there are, and for how long.

Responsible for: starting them when they are asked for, and letting go those that have run their
time, are not asked for, or do not answer. What no template takes now is started cold, at once: a
template is waited for by nobody.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from task_scheduler.core.model import SECOND, Microseconds
from task_scheduler.core.ports import Clock
from task_scheduler.errors import SupervisionError
from task_scheduler.supervision.outgoing_order import OutgoingOrder
from task_scheduler.supervision.template_client import TemplateClient, TemplateKey, key_of

__all__ = ["WarmLimits", "WarmStarts"]

_MOST_TEMPLATES = 4
_LOADING = 60 * SECOND
"""A template that is not ready by then never will be."""
_FEW = 10
"""A template that ended before so many runs was not worth its start."""
_SHORTEST_PAUSE = 5 * SECOND
_LONGEST_PAUSE = 300 * SECOND


@dataclass(frozen=True, slots=True)
class WarmLimits:
    """How long a template is used."""

    runs: int = 1_000
    seconds: float = 3_600.0


@dataclass(slots=True)
class _Place:
    """One kind of template: the one there is now, and when the next may be started."""

    template: TemplateClient | None = None
    since: Microseconds = 0
    """When it was started, on the boot clock."""
    asked_at: Microseconds = 0
    pause: Microseconds = 0
    free_at: Microseconds = 0


class WarmStarts:
    """The templates of one executor; any thread may ask."""

    def __init__(
        self,
        folder: bytes,
        *,
        limits: Callable[[], WarmLimits],
        clock: Clock,
        tell: Callable[..., None],
    ) -> None:
        self._folder = folder
        self._limits = limits
        self._clock = clock
        self._tell = tell
        """Raises an alarm: the key of a sentence, and its values."""
        self._guard = threading.RLock()
        self._places: dict[TemplateKey, _Place] = {}
        self._is_closed = False

    def send(
        self, order: OutgoingOrder, preload: Sequence[str], cold: Callable[[OutgoingOrder], None]
    ) -> TemplateClient | None:
        """Give an order to a template that is ready, and return it; or else to `cold`, at once."""
        key = key_of(order, preload)
        with self._guard:
            place = None if key is None else self._places.get(key)
            template = None if place is None else place.template
            if place is not None:
                place.asked_at = self._clock.boottime()
        if template is not None and template.send(order):
            return template
        cold(order)
        if key is not None:
            self._prepare(key, order)
        return None

    def _prepare(self, key: TemplateKey, order: OutgoingOrder) -> None:
        """Have a template for the next order of the kind."""
        now = self._clock.boottime()
        with self._guard:
            if self._is_closed:
                return
            place = self._places.setdefault(key, _Place())
            place.asked_at = now
            if place.template is not None and not place.template.is_ready:
                if now - place.since > _LOADING:
                    self._refuse(place, "loading", str(_LOADING // SECOND))
                return
            if place.template is not None or now < place.free_at:
                return
            self._make_room(key)
            template = TemplateClient(self._folder, key, idle_seconds=self._limits().seconds)
            try:
                template.start(order.env)
            except (OSError, SupervisionError) as error:
                self._refuse(place, "start", getattr(error, "strerror", None) or str(error))
            else:
                place.template, place.since = template, now

    def filenos(self) -> list[int]:
        """Return the descriptors that become readable when there is news of a template."""
        with self._guard:
            return [template.fileno() for template in self._templates()]

    def receive(self) -> tuple[list[tuple[str, int]], list[TemplateClient]]:
        """Take in what templates say; return ends of supervisors, and templates that are gone.

        What a template that is gone had taken may not have been started.
        """
        news: list[tuple[str, int]] = []
        gone: list[TemplateClient] = []
        with self._guard:
            for place in self._places.values():
                template = place.template
                if template is None:
                    continue
                told = template.receive()
                news += told or []
                if template.refusal is not None:
                    self._refuse(place, *template.refusal)
                elif told is None:
                    self._tell("template_died", pid=template.started_pid)
                    self._end(place, is_sound=False)
                elif template.leaving is not None:
                    self._end(place, is_sound=template.leaving[0] == "idle")
                elif self._is_spent(place, template):
                    self._end(place, is_sound=True)
                if place.template is None:
                    gone.append(template)
        return news, gone

    def drop(self, template: TemplateClient) -> None:
        """Let go of a template that does not answer."""
        with self._guard:
            for place in self._places.values():
                if place.template is template:
                    self._tell("template_silent", pid=template.started_pid)
                    self._end(place, is_sound=False)

    def close(self) -> None:
        """Let all of them end; their supervisors live on, and they with these."""
        with self._guard:
            self._is_closed = True
            for template in self._templates():
                template.close()
            self._places.clear()

    def _templates(self) -> list[TemplateClient]:
        return [place.template for place in self._places.values() if place.template is not None]

    def _is_spent(self, place: _Place, template: TemplateClient) -> bool:
        limits = self._limits()
        age = self._clock.boottime() - place.since
        return template.sent_count >= limits.runs or age > limits.seconds * SECOND

    def _refuse(self, place: _Place, reason: str, what: str) -> None:
        """Take note that there can be no template of this kind, for now."""
        self._tell(f"template_{reason}", what=what)
        self._end(place, is_sound=False)

    def _end(self, place: _Place, *, is_sound: bool) -> None:
        """Let a template go; the next waits longer each time that one was not worth its start."""
        template, place.template = place.template, None
        is_worth = template is not None and template.sent_count >= _FEW
        place.pause = min(max(_SHORTEST_PAUSE, place.pause * 2), _LONGEST_PAUSE)
        if is_sound or is_worth:
            place.pause = 0
        place.free_at = self._clock.boottime() + place.pause
        if template is not None:
            template.part()

    def _make_room(self, wanted: TemplateKey) -> None:
        """Let the one go that was not asked for longest, where there are too many."""
        used = {key: place for key, place in self._places.items() if place.template is not None}
        if wanted not in used and len(used) >= _MOST_TEMPLATES:
            oldest = min(used, key=lambda key: used[key].asked_at)
            self._end(used[oldest], is_sound=True)
        if len(self._places) > 16 * _MOST_TEMPLATES:
            self._places = {key: self._places[key] for key in (*used, wanted)}
