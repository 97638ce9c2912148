"""The oracle finds what the calendar of the wall says, at changes of clocks too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim

from tests.checker import SECOND, Cron, Every, Once, instants


def moment(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp()) * SECOND


def walls(text: str, zone: str, first: str, last: str) -> list[str]:
    found = sorted(instants([Cron(text, zone)], moment(first), moment(last)))
    return [
        datetime.fromtimestamp(at // SECOND, UTC).astimezone(ZoneInfo(zone)).strftime("%d %H:%M%z")
        for at in found
    ]


def test_an_interval_counts_from_its_anchor_to_its_end() -> None:
    rule = Every(period=7, anchor=100, until=130)

    assert instants([rule], 0, 1_000) == {100, 107, 114, 121, 128}
    assert instants([rule], 107, 121) == {114, 121}
    assert instants([rule], 128, 1_000) == set()


def test_several_rules_are_one_set() -> None:
    assert instants([Every(10, 0), Once(25), Once(20)], 5, 30) == {10, 20, 25, 30}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        # The clocks go from 02:00 to 03:00: what names a time comes once, after the gap.
        ("30 2 * * *", ["28 02:30+0100", "29 03:00+0200", "30 02:30+0200"]),
        ("15,45 2 29 3 *", ["29 03:00+0200"]),
        ("0 */2 28-29 3 *", [f"28 {hour:02}:00+0100" for hour in range(2, 24, 2)]
         + ["29 00:00+0100", *(f"29 {hour:02}:00+0200" for hour in range(4, 24, 2))]),
    ],
)  # fmt: skip
def test_a_gap(text: str, found: list[str]) -> None:
    first, last = "2026-03-28T00:59:00+01:00", "2026-03-30T12:00:00+02:00"

    assert walls(text, "Europe/Berlin", first, last) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("30 2 * * *", ["25 02:30+0200"]),
        ("*/30 2 * * *", ["25 02:00+0200", "25 02:30+0200", "25 02:00+0100", "25 02:30+0100"]),
    ],
)
def test_a_time_that_comes_twice(text: str, found: list[str]) -> None:
    first, last = "2026-10-25T00:00:00+02:00", "2026-10-25T12:00:00+01:00"

    assert walls(text, "Europe/Berlin", first, last) == found


def test_seconds_are_scanned_where_there_are_six_fields() -> None:
    begin = moment("2026-01-01T00:00:00+00:00")

    found = instants([Cron("*/20 59 23 * * *")], begin, begin + 86_400 * SECOND)

    last = begin + (86_400 - 60) * SECOND
    assert found == {last, last + 20 * SECOND, last + 40 * SECOND}


@pytest.mark.parametrize(
    "text",
    [
        "*/7 * * * *",
        "0 0 13 * fri",
        "5 4 * * sun",
        "0 12 1-7 * 1",
        "59 23 31 dec *",
        "10/25 8 * * *",
    ],
)
def test_away_from_changes_of_clocks_it_finds_what_cronsim_finds(text: str) -> None:
    begin = datetime(2026, 11, 1, tzinfo=UTC)
    end = begin + timedelta(days=62)
    other = CronSim(text.replace("10/25", "10,35"), begin - timedelta(minutes=1))
    wanted = []
    while (at := next(other)) <= end:
        wanted.append(round(at.timestamp()) * SECOND)

    first, last = (round(at.timestamp()) * SECOND for at in (begin, end))
    assert sorted(instants([Cron(text)], first - 1, last)) == wanted


@pytest.mark.parametrize("text", ["* * * *", "61 * * * *", "0 0 0 * *", "0 0 * * noday"])
def test_what_it_cannot_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="the oracle"):
        instants([Cron(text)], 0, SECOND)
