"""The calendars that rules may name: those of a configuration, and those that always are there.

Responsible for: finding a calendar by its name, and naming the likeliest where there is none. The
registry is passed to whoever resolves names; there is no list of calendars in the process.

Always there: ``japan`` and ``china`` (public holidays; China's make-up workdays are no weekends),
``weekends`` (Saturday and Sunday), and ``holidays:`` with a country of ISO 3166, ``holidays:DE``,
or a part of one, ``holidays:DE-BY``.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType

from task_scheduler.errors import ScheduleError
from task_scheduler.i18n import translate
from task_scheduler.schedules.calendars.country import Country, country_named
from task_scheduler.schedules.calendars.named_calendar import WEEKEND, Calendar

__all__ = ["BUILT_IN", "Calendars"]

_COUNTRY_PREFIX = "holidays:"
_ALWAYS = {
    "japan": Calendar(countries=(Country("JP"),)),
    "china": Calendar(countries=(Country("CN"),)),
    "weekends": Calendar(weekdays=WEEKEND),
}
_SHOWN_LENGTH = 80


class Calendars:
    """A frozen set of calendars by name."""

    def __init__(self, named: Mapping[str, Calendar] | None = None) -> None:
        self._named: Mapping[str, Calendar] = MappingProxyType({**_ALWAYS, **(named or {})})

    def named(self, name: str) -> Calendar:
        """Return the calendar of a name; raises ScheduleError with the likeliest."""
        found = self._named.get(name)
        if found is not None:
            return found
        if name.startswith(_COUNTRY_PREFIX):
            return Calendar(countries=(country_named(name.removeprefix(_COUNTRY_PREFIX)),))
        near = difflib.get_close_matches(name[:_SHOWN_LENGTH], self._named, n=1, cutoff=0.5)
        raise ScheduleError(
            "schedules.unknown_calendar",
            value=name[:_SHOWN_LENGTH],
            hint=translate("schedules.did_you_mean", name=near[0]) if near else "",
            known=", ".join(sorted(self._named)),
        )

    def names(self) -> tuple[str, ...]:
        """Return the names, without those of countries."""
        return tuple(sorted(self._named))


BUILT_IN = Calendars()
"""The calendars that are always there, and no others."""
