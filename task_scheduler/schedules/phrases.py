"""Phrases: the pieces that sentences about schedules are made of, in one language.

Responsible for: times of day, dates, days, months, weekdays and lists, each by the language's own
patterns in the catalogue ``sentences``. Knows nothing of rules.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from task_scheduler.i18n import LANGUAGES, current_language, language_of, translate_into

__all__ = ["UNITS", "Phrases", "Run", "bits_of", "phrases_in", "runs_of", "step_of"]

UNITS = (("days", 86_400), ("hours", 3_600), ("minutes", 60), ("seconds", 1))
"""The units that lengths of time are told in, in seconds; the largest first."""

_SHORTEST_RANGE = 3
"""Two values that follow each other are a list: "Mondays and Tuesdays"."""
_SHORTEST_ROW = 4
"""So many values at equal distances are told by their step."""


class Run(NamedTuple):
    """Values that follow each other, both ends included."""

    first: int
    last: int


class Phrases:
    """What is said in one language."""

    def __init__(self, language: str) -> None:
        self.language = language

    def say(self, name: str, /, **values: object) -> str:
        """Return a pattern of the catalogue, filled in."""
        return translate_into(self.language, f"sentences.{name}", **values)

    def all_of(self, items: Sequence[str]) -> str:
        """Return a list whose items are all meant, such as "Mondays and Fridays"."""
        return self._joined(items, "list")

    def any_of(self, items: Sequence[str]) -> str:
        """Return a list of which one item is enough, such as "Monday or Friday"."""
        return self._joined(items, "choice")

    def _joined(self, items: Sequence[str], kind: str) -> str:
        if len(items) < 2:
            return "".join(items)
        if len(items) == 2:
            return self.say(f"{kind}_two", first=items[0], last=items[1])
        text = items[0]
        for item in items[1:-1]:
            text = self.say(f"{kind}_middle", first=text, last=item)
        return self.say(f"{kind}_last", first=text, last=items[-1])

    def numbers(self, values: Iterable[int], unit: str = "") -> str:
        """Return plain numbers, such as "1, 2 and 5 to 9" or "0, 7, 14, ..., 56".

        `unit` is ``hour``, ``minute`` or ``second`` where they are such.
        """
        ordered = sorted(values)
        name = f"{unit}_number" if unit else "number"
        words = [self.say(name, value=value) for value in ordered]
        if len(ordered) > _SHORTEST_ROW and (step_of(ordered) or 0) > 1:
            first, second, third = words[:3]
            return self.say("row", first=first, second=second, third=third, last=words[-1])
        return self.all_of(self._with_ranges(ordered, words, "number_range"))

    def _with_ranges(
        self, ordered: Sequence[int], words: Sequence[str], pattern: str = "range"
    ) -> list[str]:
        """Return the words of values; three or more that follow each other are a range."""
        items: list[str] = []
        word_of = dict(zip(ordered, words, strict=True))
        for run in runs_of(ordered):
            if run.last - run.first + 1 >= _SHORTEST_RANGE:
                first, last = word_of[run.first], word_of[run.last]
                items.append(self.say(pattern, first=first, last=last))
            else:
                items += [word_of[value] for value in range(run.first, run.last + 1)]
        return items

    # -- the clock ------------------------------------------------------------------------------

    def time(self, second_of_day: int, *, has_seconds: bool = False) -> str:
        """Return a time of day; with seconds where it has some, or where they are asked for."""
        minutes, second = divmod(second_of_day, 60)
        hour, minute = divmod(minutes, 60)
        if second or has_seconds:
            return self.say("time_with_seconds", hour=hour, minute=minute, second=second)
        return self.say("time", hour=hour, minute=minute)

    def times(self, seconds_of_day: Iterable[int]) -> str:
        """Return a list of times of day, all of one form."""
        ordered = sorted(set(seconds_of_day))
        has_seconds = any(time % 60 for time in ordered)
        return self.all_of([self.time(time, has_seconds=has_seconds) for time in ordered])

    def minutes(self, values: Iterable[int]) -> str:
        """Return minutes of an hour, such as ":05 and :35"."""
        ordered = sorted(values)
        words = [self.say("minute", minute=value) for value in ordered]
        return self.all_of(self._with_ranges(ordered, words))

    def every(self, unit: str, count: int) -> str:
        """Return "every minute" or "every 5 minutes"; `unit` is a plural, such as "minutes"."""
        if count == 1:
            return self.say(f"every_{unit.removesuffix('s')}")
        return self.say(f"every_{unit}", count=count)

    def length(self, seconds: float) -> str:
        """Return a length of time, such as "1 hour 5 minutes"."""
        if seconds != int(seconds):
            return self.say("length_seconds", count=f"{seconds:.6f}".rstrip("0"))
        rest, parts = int(seconds), []
        for unit, length in UNITS:
            count, rest = divmod(rest, length)
            if count:
                name = f"length_{unit.removesuffix('s') if count == 1 else unit}"
                parts.append(self.say(name, count=count))
        joined = parts[0] if parts else self.say("length_seconds", count=0)
        for part in parts[1:]:
            joined = self.say("length_joined", first=joined, last=part)
        return joined

    def range_of_times(self, ordered: Sequence[int]) -> str:
        """Return "09:00 to 17:45" for many times of day."""
        first, last = self.time(ordered[0]), self.time(ordered[-1])
        return self.say("time_range", first=first, last=last)

    # -- the calendar ---------------------------------------------------------------------------

    def weekdays(self, days: Sequence[int]) -> str:
        """Return the days of every week, Monday 0, such as "Mondays and Fridays"."""
        ordered = sorted(days)
        if ordered == [0, 1, 2, 3, 4]:
            return self.say("weekdays")
        words = [self.say(f"weekday_each_{day}") for day in ordered]
        return self.all_of(self._with_ranges(ordered, words))

    def weekday_choice(self, days: Sequence[int]) -> str:
        """Return weekdays of which a day is one, such as "a Monday or a Friday"."""
        return self.any_of([self.say(f"weekday_a_{day}") for day in sorted(days)])

    def months(self, months: Iterable[int]) -> str:
        """Return months, such as "January and July"."""
        ordered = sorted(months)
        words = [self.say(f"month_{month}") for month in ordered]
        return self.all_of(self._with_ranges(ordered, words, "month_range"))

    def month_days(self, days: Iterable[int]) -> list[str]:
        """Return days of a month one by one, such as "the 1st" and "the last day" for -1."""
        from_start = sorted(day for day in days if day > 0)
        step = step_of(from_start)
        if len(from_start) >= _SHORTEST_ROW and step is not None and step > 1:
            first, last = (self.say(f"day_{day}") for day in (from_start[0], from_start[-1]))
            items = [self.say("day_row", count=step, first=first, last=last)]
        else:
            words = [self.say(f"day_{day}") for day in from_start]
            items = self._with_ranges(from_start, words)
        return items + self._from_last([day for day in sorted(days) if day < 0])

    def _from_last(self, ordered: Sequence[int]) -> list[str]:
        """Return days that are counted from the last, -1, one by one."""
        last_run = runs_of(ordered)[-1] if ordered else Run(0, 0)
        count = last_run.last - last_run.first + 1
        if last_run.last == -1 and count >= _SHORTEST_RANGE:
            words = [self._day_from_last(day) for day in ordered[:-count]]
            items = self._with_ranges(ordered[:-count], words)
            return [*items, self.say("last_days", count=count)]
        return self._with_ranges(ordered, [self._day_from_last(day) for day in ordered])

    def _day_from_last(self, day: int) -> str:
        if day == -1:
            return self.say("last_day")
        if day == -2:
            return self.say("day_before_last")
        return self.say("days_before_last", count=-day - 1)

    def nth_weekdays(self, pairs: Iterable[tuple[int, int]]) -> list[str]:
        """Return n-th weekdays one by one, those counted from the end, n negative, last."""
        ordered = sorted(pairs, key=lambda pair: (pair[0] < 0, pair))
        return [self._nth_weekday(number, weekday) for number, weekday in ordered]

    def _nth_weekday(self, number: int, weekday: int) -> str:
        name = self.say(f"weekday_{weekday}")
        if -5 <= number <= 5:
            end = "last_" if number < 0 else ""
            return self.say(f"nth_{end}{abs(number)}", weekday=name)
        if number > 0:
            return self.say("nth_of_many", count=number, weekday=name)
        return self.say("nth_last_of_many", count=-number, weekday=name)

    def date(self, moment: datetime) -> str:
        """Return a date, such as "31 January 2030"."""
        month = self.say(f"month_{moment.month}")
        return self.say("date", year=moment.year, month=month, day=moment.day)

    def moment(self, moment: datetime, *, has_offset: bool = False) -> str:
        """Return date and time, as they are on the clock of the datetime's zone."""
        second = moment.hour * 3600 + moment.minute * 60 + moment.second
        text = self.say("moment", date=self.date(moment), time=self.time(second))
        if not has_offset or moment.tzinfo is None:
            return text
        written = moment.isoformat()
        offset = "+00:00" if written.endswith("Z") else written[19:].lstrip(".0123456789")
        return self.say("moment_with_offset", moment=text, offset=offset)


def phrases_in(language: str | None) -> Phrases:
    """Return the phrases of a language or a locale's tag; None: the current one."""
    if language is None:
        return Phrases(current_language())
    return Phrases(language if language in LANGUAGES else language_of(language))


def bits_of(mask: int) -> list[int]:
    """Return the values that the bits of a mask stand for, in order."""
    found = []
    while mask:
        low = mask & -mask
        found.append(low.bit_length() - 1)
        mask ^= low
    return found


def runs_of(ordered: Iterable[int]) -> list[Run]:
    """Return values in order as runs that follow each other."""
    runs: list[Run] = []
    for value in ordered:
        if runs and value == runs[-1].last + 1:
            runs[-1] = Run(runs[-1].first, value)
        else:
            runs.append(Run(value, value))
    return runs


def step_of(ordered: Sequence[int]) -> int | None:
    """Return the equal distance between three or more values; None where there is none."""
    steps = {later - earlier for earlier, later in itertools.pairwise(ordered)}
    return steps.pop() if len(ordered) >= 3 and len(steps) == 1 else None
