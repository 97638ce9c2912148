"""Calendar rules as instants: what becomes of them where clocks are changed.

Responsible for: mapping the local times of a cron expression or a calendar event to instants
through the periods of a zone, and the two policies for the places where that is not one to one.

==========  ==================================================================================
``gap``     Local times that the clocks skip, as 02:00-03:00 on a spring night.
run_after   If any of the rule's times lie in the gap, it runs once, at the instant the gap ends.
skip        Those times do not happen.
``fold``    Local times that come twice, as 01:00-02:00 on an autumn night.
once        Each runs the first time it comes.
twice       Each runs both times it comes.
==========  ==================================================================================

Without a choice they are those of Debian's cron. A rule that names times of the day (neither its
minute nor its hour field begins with ``*``) is about the wall clock: ``run_after`` and ``once``,
so a nightly job runs once in every night. A rule with a wildcard there is about time passing:
``skip`` and ``twice``, so ``*/15 * * * *`` keeps running every 15 minutes. Seconds and dates do
not count. Unlike Debian's, a gap or fold of any length is treated so, be it a whole day.

A zone may be read anew while rules are in use (`zones.refresh`): its edition then tells that what
is remembered here is out of date.

An instant that comes about in both ways, at the end of a gap and by its own time, is one instant.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from task_scheduler.schedules.cron_times import CronTimes
from task_scheduler.schedules.instants import EARLIEST, LATEST, SECOND
from task_scheduler.schedules.zones import Period, Zone

__all__ = ["CronOccurrences"]

_FIRST_SECOND = EARLIEST // SECOND
_LAST_SECOND = LATEST // SECOND
_DAY = 86_400
"""No offset reaches it: a local time comes within a day of the same time in UTC, and of two
instants that lie two days apart the later has the later local time."""


@dataclass(slots=True, unsafe_hash=True)
class CronOccurrences:
    """The instants of calendar times in a zone.

    Its fields are not changed; only the stretch of time that was last searched is remembered.
    """

    times: CronTimes
    zone: Zone
    is_run_after_gap: bool
    is_twice_in_fold: bool
    _stretch: tuple[int, int, int, int] = field(
        default=(-1, 0, 0, 0), init=False, repr=False, compare=False
    )
    """The edition of the zone, and the first second, the end and the offset of a stretch in which
    local time runs along with UTC and no gap or fold has a say."""

    def first(self, added_at: int) -> int | None:
        """Return the first instant at or after `added_at`."""
        return self.next_after(added_at - 1, added_at)

    def next_after(self, moment: int, anchor: int) -> int | None:  # noqa: ARG002  the port's
        """Return the smallest instant after `moment`."""
        second = moment // SECOND + 1
        edition, begin, end, offset = self._stretch
        if begin <= second < end and edition == self.zone.edition:
            local = self.times.at_or_after(second + offset)
            if local is not None and local < end + offset:
                return (local - offset) * SECOND
        return self._search_after(max(second, _FIRST_SECOND))

    def _search_after(self, earliest: int) -> int | None:
        """Return the first instant at or after a second, from period to period."""
        second = earliest
        if second > _LAST_SECOND:
            return None
        edition = self.zone.edition
        period = self.zone.period_at(second)
        # Between `searched` and `local` no local time matches: periods in there need no search.
        searched = max(second + period.offset, self._begin(period))
        local = self.times.at_or_after(searched)
        while True:
            if second <= period.start and self._runs_at_start(period):
                return period.start * SECOND
            begin = max(second + period.offset, self._begin(period))
            if begin < searched or (local is not None and local < begin):
                searched = begin
                local = self.times.at_or_after(begin)
            if local is not None and local < period.end + period.offset:
                second = local - period.offset
                self._remember(period, edition)
                return second * SECOND if second <= _LAST_SECOND else None
            second = period.end
            if second >= earliest + 2 * _DAY:
                # From here on local time is later than it was at `earliest`, so the first match
                # is `local` or a gap that it lies in: years before it are passed over.
                if local is None:
                    return None
                second = max(second, local - _DAY)
            if second > _LAST_SECOND:
                return None
            period = self.zone.period_at(second)

    def last_until(self, moment: int, after: int, anchor: int) -> int | None:  # noqa: ARG002
        """Return the greatest instant in ``(after, moment]``."""
        second = latest = min(moment // SECOND, _LAST_SECOND)
        earliest = max(after // SECOND + 1, _FIRST_SECOND)
        while second >= earliest:
            period = self.zone.period_at(second)
            local = self.times.at_or_before(min(second, period.end - 1) + period.offset)
            if local is not None and local >= self._begin(period):
                second = local - period.offset
                return second * SECOND if second >= earliest else None
            if period.start >= earliest and self._runs_at_start(period):
                return period.start * SECOND
            second = period.start - 1
            if second <= latest - 2 * _DAY:
                # As in _search_after, with past and future exchanged.
                if local is None:
                    return None
                second = min(second, local + _DAY)
        return None

    def count_between(self, after: int, until: int, anchor: int) -> int | None:  # noqa: ARG002
        """Return how many instants lie in ``(after, until]``."""
        second = max(after // SECOND + 1, _FIRST_SECOND)
        stop = min(until // SECOND, _LAST_SECOND) + 1
        count = 0
        while second < stop:
            period = self.zone.period_at(second)
            begin = max(second + period.offset, self._begin(period))
            end = min(stop, period.end) + period.offset
            if begin < end:
                count += self.times.count_before(end) - self.times.count_before(begin)
            if second == period.start and self._runs_at_start(period):
                own = period.start + period.offset
                count += 0 if self.times.at_or_after(own) == own else 1
            second = period.end
        return count

    def _remember(self, period: Period, edition: int) -> None:
        # One assignment of one tuple: another thread sees the old stretch or the new one.
        begin = max(period.start + 1, self._begin(period) - period.offset, _FIRST_SECOND)
        end = min(period.end, _LAST_SECOND + 1)
        self._stretch = (edition, begin, end, period.offset)

    def _begin(self, period: Period) -> int:
        """Return the first local time of a period that counts: past its fold where one is."""
        if self.is_twice_in_fold or period.before <= period.offset:
            return period.start + period.offset
        return period.start + period.before

    def _runs_at_start(self, period: Period) -> bool:
        """Whether the rule runs at the end of the gap that lies before a period."""
        if not self.is_run_after_gap or period.before >= period.offset:
            return False
        skipped = self.times.at_or_after(period.start + period.before)
        return skipped is not None and skipped < period.start + period.offset
