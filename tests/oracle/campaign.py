"""The oracle campaign: our engine against a scan of every instant, and against cronsim.

Responsible for: the order of the work (every change of clocks of every distinct zone from 1970 to
2100, with a rotating sample of the expressions), asking both sides, counting, remembering where it
stopped, and telling what it found. One comparison is one instant about which the scan and the
engine each said whether the expression runs then.

Run it with scripts/oracle.
"""

from __future__ import annotations

import argparse
import functools
import importlib.metadata
import json
import os
import random
import re
import sys
import time
import zoneinfo
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from task_scheduler.errors import ScheduleError
from task_scheduler.schedules.cron_expression import parse_cron
from task_scheduler.schedules.cron_occurrences import CronOccurrences
from task_scheduler.schedules.on_calendar import parse_on_calendar
from task_scheduler.schedules.zones import zone_named
from tests.oracle.expressions import Expression, corpus
from tests.oracle.scan import (
    DAY,
    END,
    Change,
    Row,
    changes_of,
    offset_at,
    rows_around,
    runs_by_scan,
)

CORPUS_SIZE = 600
MINUTE_REACH = 36 * 3600
SECOND_REACH = 2 * 3600
MINUTE_EXPRESSIONS = 4
SECOND_EXPRESSIONS = 1
QUESTIONS = 12
"""How many instants besides its own runs each rule is asked about."""
MOST_RUNS_OF_CRONSIM = 80
"""cronsim takes up to a millisecond a run: rules of every few minutes are left to the scan."""
MOST_TURNS = 20_000
"""cronsim is stuck by then: its longest search, for a 29th of February, takes a hundredth of it."""
MOST_DIFFERENCES = 50

_RANGE_OF_ONE = re.compile(r"\b(\d+)-\1/")

MICRO = 1_000_000


@dataclass
class Totals:
    """What was done so far, and all that a stopped campaign needs to go on."""

    seed: int
    rules: str
    """The zones and changes that the units are numbered by: with another tzdata it begins anew."""
    cursor: int = 0
    units: int = 0
    by_scan: int = 0
    by_cronsim: int = 0
    questions: int = 0
    cronsim_known: int = 0
    """Rules in which cronsim differs for a reason in docs/cron.md."""
    cronsim_stuck: int = 0
    """Rules to which cronsim has no answer: it never ends."""
    seconds: float = 0.0
    differences: list[str] = field(default_factory=list)
    expressions: list[int] = field(default_factory=list)


class Campaign:
    """The expressions of a seed over the changes of all zones."""

    def __init__(self, seed: int, changes: list[Change]) -> None:
        # What never comes is refused and not compared; which that is has a test of its own.
        kept = [one for one in corpus(seed, CORPUS_SIZE) if _engine(one, "UTC") is not None]
        self._minutely = [one for one in kept if one.seconds == {0}]
        self._secondly = [one for one in kept if one.seconds != {0}]
        self._numbers = {id(one): number for number, one in enumerate(kept)}
        self.size = len(kept)
        self._changes = list(changes)
        random.Random(f"units {seed}").shuffle(self._changes)
        self._seed = seed

    def run_unit(self, cursor: int, totals: Totals) -> None:
        """Compare the sample of expressions that has its turn around one change of clocks."""
        change = self._changes[cursor % len(self._changes)]
        tried = set(totals.expressions)
        for reach, step, count, pool in (
            (MINUTE_REACH, 60, MINUTE_EXPRESSIONS, self._minutely),
            (SECOND_REACH, 1, SECOND_EXPRESSIONS, self._secondly),
        ):
            rows = rows_around(change, reach, step)
            for turn in range(count):
                expression = pool[(cursor * count + turn) % len(pool)]
                tried.add(self._numbers[id(expression)])
                self._compare(expression, change, rows, step, totals)
        totals.expressions = sorted(tried)
        totals.units += 1

    def _compare(
        self, expression: Expression, change: Change, rows: list[Row], step: int, totals: Totals
    ) -> None:
        expected = runs_by_scan(expression, change, rows, step)
        engine = _engine(expression, change.zone)
        assert engine is not None
        begin, end = rows[0][0] - 1, rows[-1][0]
        walked = list(_walk(engine, begin, end))
        back = list(_walk_back(engine, begin, end))
        count = engine.count_between(begin * MICRO, end * MICRO, 0)
        totals.by_scan += len(rows)
        if walked != expected or back != expected[::-1] or count != len(expected):
            _report(totals, "scan", expression, change, set(walked) ^ set(expected))
        draw = random.Random(f"{self._seed} {expression.text} {change.at}")
        near = [change.at - 1, change.at, change.at + 1]
        for instant in [*near, *(draw.randint(begin, end - 1) for _ in range(QUESTIONS - 3))]:
            place = bisect_right(expected, instant)
            following = engine.next_after(instant * MICRO + draw.randrange(MICRO), 0)
            last = engine.last_until(instant * MICRO, begin * MICRO, 0)
            totals.questions += 2
            if place < len(expected) and following != expected[place] * MICRO:
                _report(totals, "next", expression, change, {instant})
            if last != (expected[place - 1] * MICRO if place else None):
                _report(totals, "last", expression, change, {instant})
        if _is_for_cronsim(expression, change) and len(expected) <= MOST_RUNS_OF_CRONSIM:
            theirs = _runs_of_cronsim(expression, change, begin, end)
            if theirs is None:
                totals.cronsim_stuck += 1
                return
            totals.by_cronsim += len(rows)
            if theirs != expected:
                difference = set(theirs) ^ set(expected)
                if reason_of_cronsim(expression, change, difference):
                    totals.cronsim_known += 1
                else:
                    _report(totals, "cronsim", expression, change, difference)


def reason_of_cronsim(expression: Expression, change: Change, difference: set[int]) -> str | None:
    """Return why cronsim differs from the scan, by the table of docs/cron.md; None: unexplained."""
    if expression.is_fixed:
        return None
    moved = change.after - change.before
    if moved % 3600 and min(difference) >= change.at - 3600:
        return "it goes on in whole hours from a minute that the change has moved"
    wall = (change.at + change.before) % DAY
    is_at_odd_minute, is_over_midnight = wall % 3600 != 0, wall == 0 or wall + moved > DAY
    if moved > 0 and (is_at_odd_minute or is_over_midnight) and min(difference) >= change.at:
        return "it starts the hour or the day from its beginning, which the clocks have skipped"
    return None


def _report(
    totals: Totals, kind: str, expression: Expression, change: Change, where: set[int]
) -> None:
    tz = ZoneInfo(change.zone)
    shown = [str(datetime.fromtimestamp(instant, tz)) for instant in sorted(where)[:4]]
    totals.differences.append(
        f"{kind}: {expression.kind} {expression.text!r} gap={expression.gap}"
        f" fold={expression.fold} in {change.zone}, {change.before:+} to {change.after:+}"
        f" at {datetime.fromtimestamp(change.at, UTC)}: {shown}"
    )


def _engine(expression: Expression, zone: str) -> CronOccurrences | None:
    """Return our instants of an expression; None where we refuse it as impossible."""
    try:
        if expression.kind == "event":
            event = parse_on_calendar(expression.text)
            times, is_fixed = event.times, event.is_fixed
        else:
            cron = parse_cron(expression.text)
            times, is_fixed = cron.times, cron.is_fixed
    except ScheduleError as error:
        if "impossible" not in error.key:
            raise
        return None
    return CronOccurrences(
        times,
        zone_named(zone),
        is_run_after_gap=is_fixed if expression.gap is None else expression.gap == "run_after",
        is_twice_in_fold=not is_fixed if expression.fold is None else expression.fold == "twice",
    )


def _walk(engine: CronOccurrences, begin: int, end: int) -> Iterator[int]:
    following = engine.next_after(begin * MICRO, 0)
    while following is not None and following <= end * MICRO:
        yield following // MICRO
        following = engine.next_after(following, 0)


def _walk_back(engine: CronOccurrences, begin: int, end: int) -> Iterator[int]:
    last = engine.last_until(end * MICRO, begin * MICRO, 0)
    while last is not None:
        yield last // MICRO
        last = engine.last_until(last - 1, begin * MICRO, 0)


def _is_for_cronsim(expression: Expression, change: Change) -> bool:
    """Whether cronsim has the same rules there, and a day in the window to find quickly."""
    has_default = expression.gap is None and expression.fold is None
    if expression.kind != "cron5" or not has_default or not _is_in_its_grammar(expression.text):
        return False
    if change.before % 60 or change.after % 60:
        return False  # where an offset has seconds, cronsim looks for second 0 for ever
    middle = datetime.fromtimestamp(change.at, UTC).date()
    return any(expression.is_day(middle + timedelta(days=n)) for n in range(-1, 2))


@functools.cache
def _is_in_its_grammar(text: str) -> bool:
    if _RANGE_OF_ONE.search(text):
        return False
    try:
        CronSim(text, datetime(2000, 1, 1))
    except CronSimError:
        return False
    return True


class StuckError(Exception):
    """cronsim goes round and round."""


class BoundedCronSim(CronSim):
    """cronsim, stopped where it would never answer."""

    turns = 0

    def advance_hour(self) -> bool:
        """Count the turns: every one of its search comes by here."""
        self.turns += 1
        if self.turns > MOST_TURNS:
            raise StuckError
        return super().advance_hour()


def _runs_of_cronsim(
    expression: Expression, change: Change, begin: int, end: int
) -> list[int] | None:
    """Return the runs of cronsim; None where it gets stuck."""
    early = datetime.fromtimestamp(begin - 2 * DAY, ZoneInfo(change.zone))
    found = set()
    try:
        for moment in BoundedCronSim(expression.text, early):
            instant = int(moment.timestamp())
            if instant > end:
                break
            if instant > begin:
                found.add(instant)
    except StuckError:
        return None
    return sorted(found)


def all_changes(zones: list[str] | None = None) -> list[Change]:
    """Return the changes of every zone, those of zones with the same rules once.

    A zone without any has one place that stands for all of its time.
    """
    found: dict[tuple[tuple[int, int, int], ...], list[Change]] = {}
    for zone in _zones_with_own_file() if zones is None else zones:
        changes = changes_of(zone)
        if not changes:
            middle = END // 2
            offset = offset_at(ZoneInfo(zone), middle)
            changes = [Change(zone, middle, offset, offset)]
        found.setdefault(tuple((c.at, c.before, c.after) for c in changes), changes)
    return [change for changes in found.values() for change in changes]


def _zones_with_own_file() -> list[str]:
    """Return the names of zones, one of those that share the bytes of their files."""
    found: dict[bytes, str] = {}
    for zone in sorted(available_timezones()):
        files = [Path(folder, zone) for folder in zoneinfo.TZPATH]
        content = next((file.read_bytes() for file in files if file.is_file()), zone.encode())
        found.setdefault(content, zone)
    return sorted(found.values())


def tzdata_version() -> str:
    """Return the version of the rules that `zoneinfo` reads."""
    for folder in zoneinfo.TZPATH:
        source = Path(folder, "tzdata.zi")
        if source.exists():
            return source.read_text(encoding="utf-8").split("\n", 1)[0].removeprefix("# version ")
    return f"{importlib.metadata.version('tzdata')} of PyPI"


def _load(path: Path, seed: int, rules: str) -> Totals:
    if path.exists():
        totals = Totals(**json.loads(path.read_text(encoding="utf-8")))
        if (totals.seed, totals.rules) == (seed, rules):
            return totals
        print(f"oracle: {path} is of another seed or another tzdata; beginning anew")
    return Totals(seed, rules)


def _save(path: Path, totals: Totals) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(asdict(totals), indent=1), encoding="utf-8")
    fresh.replace(path)


def summary(totals: Totals, all_units: int, expressions: int) -> str:
    """Return the figures, with the bound that no difference in n comparisons leaves."""
    lines = [
        f"tzdata {totals.rules}; {totals.seconds:,.0f} s of CPU",
        f"changes of clocks {totals.units:,} of {all_units:,}",
        f"expressions {len(totals.expressions)} of {expressions}",
        f"comparisons with the scan {totals.by_scan:,}",
        f"comparisons with cronsim {totals.by_cronsim:,}",
        f"questions out of turn {totals.questions:,}",
        f"rules where cronsim differs as docs/cron.md says {totals.cronsim_known:,}",
        f"rules to which cronsim never answers {totals.cronsim_stuck:,}",
        f"unexplained differences {len(totals.differences)}",
    ]
    if totals.by_scan and not totals.differences:
        bound = 3 / totals.by_scan
        lines.append(f"rule of three: a comparison differs with a chance below {bound:.1e} (95 %)")
    return "\n".join([*lines, *totals.differences])


def main() -> int:
    """Go on where the campaign stopped; the exit code is 1 where anything is unexplained."""
    parser = argparse.ArgumentParser(prog="scripts/oracle", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--state", type=Path, default=Path("build/oracle.json"))
    parser.add_argument("--comparisons", type=float, default=0, help="stop after so many; 0: all")
    parser.add_argument("--minutes", type=float, default=0, help="stop after so long; 0: never")
    options = parser.parse_args()
    os.nice(10)
    print("oracle: looking for the changes of every zone ...", flush=True)
    changes = all_changes()
    zones = len({change.zone for change in changes})
    campaign = Campaign(options.seed, changes)
    rules = f"{tzdata_version()}, {zones} zones, {len(changes)} changes"
    totals = _load(options.state, options.seed, rules)
    begin, before = time.monotonic(), totals.seconds
    cpu = time.process_time()
    while totals.cursor < len(changes) and len(totals.differences) < MOST_DIFFERENCES:
        campaign.run_unit(totals.cursor, totals)
        totals.cursor += 1
        totals.seconds = before + time.process_time() - cpu
        is_enough = 0 < options.comparisons <= totals.by_scan
        is_late = 0 < options.minutes * 60 <= time.monotonic() - begin
        if totals.cursor % 200 == 0 or is_enough or is_late:
            _save(options.state, totals)
            print(f"oracle: {totals.cursor:,} of {len(changes):,} units", flush=True)
        if is_enough or is_late:
            break
    _save(options.state, totals)
    print(summary(totals, len(changes), campaign.size))
    return 1 if totals.differences else 0


if __name__ == "__main__":
    sys.exit(main())
