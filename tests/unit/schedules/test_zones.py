"""Zones: names, periods of one offset, and the zone of the machine."""

from __future__ import annotations

import io
import struct
import time
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import resources
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

import pytest

from task_scheduler.errors import ScheduleError
from task_scheduler.schedules import zones
from task_scheduler.schedules.cron_expression import parse_cron
from task_scheduler.schedules.cron_occurrences import CronOccurrences
from task_scheduler.schedules.instants import datetime_at, instant_of
from task_scheduler.schedules.zones import Zone, local_zone, zone_named

BUSY_ZONES = [
    "America/New_York",
    "Europe/London",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Asia/Gaza",
    "Pacific/Apia",
    "Pacific/Kwajalein",
    "America/Recife",
    "Africa/Monrovia",
    "Antarctica/Casey",
]
YEAR_1970, YEAR_2038 = 0, 2_145_916_800


@pytest.fixture
def set_tz(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Give the TZ variable to change, for us and for the C library."""

    def change(value: str | None) -> None:
        if value is None:
            monkeypatch.delenv("TZ", raising=False)
        else:
            monkeypatch.setenv("TZ", value)
        time.tzset()

    yield change
    monkeypatch.undo()
    time.tzset()


def rules_of(name: str) -> bytes:
    """Return a zone's file as the tzdata package has it; the system's may be of another year."""
    return resources.files("tzdata.zoneinfo").joinpath(*name.split("/")).read_bytes()


def changes_in_file(name: str) -> list[tuple[int, int]]:
    """Return the moments since 1970 at which a zone's file changes its offset, and the offsets.

    Reads the TZif format (RFC 8536) by itself, so that it can judge what we found by searching.
    """
    data = rules_of(name)
    counts = struct.unpack(">6l", data[20:44])
    isut, isstd, leaps, times, types, chars = counts
    begin = 44 + times * 5 + types * 6 + chars + leaps * 8 + isstd + isut
    isut, isstd, leaps, times, types, chars = struct.unpack(">6l", data[begin + 20 : begin + 44])
    begin += 44
    moments = struct.unpack(f">{times}q", data[begin : begin + times * 8])
    indexes = data[begin + times * 8 : begin + times * 9]
    begin += times * 9
    offsets = [
        struct.unpack(">l", data[begin + index * 6 : begin + index * 6 + 4])[0]
        for index in range(types)
    ]
    found = []
    current = offsets[0]
    for moment, index in zip(moments, indexes, strict=True):
        if offsets[index] != current:
            current = offsets[index]
            if moment > YEAR_1970:
                found.append((moment, current))
    return found


def test_no_zone_changes_its_offset_twice_within_the_step_of_our_search() -> None:
    nearest = 10**9
    for name in available_timezones():
        try:
            moments = [moment for moment, _ in changes_in_file(name)]
        except FileNotFoundError:
            continue  # the system knows a name that tzdata does not
        gaps = [b - a for a, b in pairwise(moments)]
        nearest = min([nearest, *gaps])

    assert nearest > 2 * zones._STEP


@pytest.mark.parametrize("name", BUSY_ZONES)
def test_the_periods_of_a_zone_are_those_of_its_file(name: str) -> None:
    # Given a zone without the memory of other tests
    zone = Zone(ZoneInfo.from_file(io.BytesIO(rules_of(name)), key=name))

    # When we go from period to period
    found = []
    second = YEAR_1970
    while second < YEAR_2038:
        period = zone.period_at(second)
        assert period.start <= second < period.end
        if period.offset != period.before and period.start > YEAR_1970:
            found.append((period.start, period.offset))
        second = period.end

    # Then every change is there, once, but for those that our own cut shows again
    last_in_file = changes_in_file(name)[-1][0]
    known = [change for change in dict.fromkeys(found) if change[0] <= last_in_file]
    assert known == [change for change in changes_in_file(name) if change[0] < YEAR_2038]


def test_a_wrong_zone_name_is_answered_with_the_likeliest() -> None:
    with pytest.raises(ScheduleError, match=r"'Asia/Tokio'\. Did you mean 'Asia/Tokyo'\?"):
        zone_named("Asia/Tokio")
    with pytest.raises(ScheduleError, match="'Asia/Tokyo'\\?"):
        zone_named("tokyo")
    with pytest.raises(ScheduleError, match="'America/New_York'\\?"):
        zone_named("america/new york")


@pytest.mark.parametrize(
    "name",
    [
        "JST",
        "America",
        "../../etc/passwd",
        "/etc/passwd",
        "a\0b",
        "x" * 9999,
        "Asia" + "/Tokyo" * 999,
    ],
)
def test_what_is_no_zone_is_refused_without_a_wrong_hint(name: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        zone_named(name)

    assert name[:20] in str(caught.value) or repr(name)[1:-1] in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("variable", ["America/New_York", ":America/New_York"])
def test_the_local_zone_is_the_one_that_tz_names(set_tz, variable: str) -> None:
    set_tz(variable)

    assert local_zone() is local_zone()
    assert local_zone().tz == ZoneInfo("America/New_York")


def test_an_empty_tz_is_utc(set_tz) -> None:
    set_tz("")

    assert local_zone().tz is UTC


def test_tz_may_be_a_file_of_rules(set_tz, tmp_path: Path) -> None:
    copy = tmp_path / "rules"
    copy.write_bytes(rules_of("Asia/Tokyo"))
    set_tz(str(copy))

    assert local_zone().period_at(1_700_000_000).offset == 9 * 3600


def test_without_tz_the_zone_is_that_of_the_link_of_the_machine(
    set_tz, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "zoneinfo" / "Asia" / "Tokyo"
    target.parent.mkdir(parents=True)
    target.write_bytes(b"")
    link = tmp_path / "localtime"
    link.symlink_to(target)
    monkeypatch.setattr(zones, "_LOCAL_TIME", link)
    zones._local_zones.clear()
    set_tz(None)

    found = local_zone()
    zones._local_zones.clear()

    assert found.tz == ZoneInfo("Asia/Tokyo")


def test_rules_written_out_in_tz_are_followed_through_gap_and_fold(set_tz) -> None:
    # Given New York's rules without its name, which only the C library can read
    set_tz("EST5EDT,M3.2.0,M11.1.0")
    written, named = local_zone(), Zone(ZoneInfo("America/New_York"))

    # Then both zones agree on every change and every local time beside them
    second = 1_767_225_600  # 2026
    while second < 1_830_297_600:
        one, other = written.period_at(second), named.period_at(second)
        assert one == other
        for moment in range(one.start - 7200, one.start + 7201, 1800):
            local = datetime_at(moment * 10**6, written.tz)
            expected = datetime_at(moment * 10**6, named.tz)
            assert local.replace(tzinfo=None) == expected.replace(tzinfo=None)
            assert local.fold == expected.fold
            assert instant_of(local, UTC) == moment * 10**6
        second = one.end


@pytest.fixture
def zone_files(tmp_path: Path) -> Iterator[Path]:
    """Give a folder of zones that the whole process reads, and forget all zones afterwards."""

    def forget() -> None:
        zones._zones.clear()
        zones._local_zones.clear()
        zones._stamps.clear()
        zones._looked_at = None
        ZoneInfo.clear_cache()

    forget()
    zoneinfo.reset_tzpath([tmp_path])
    yield tmp_path
    zoneinfo.reset_tzpath()
    forget()


def install(folder: Path, name: str, rules: str) -> None:
    """Put the rules of one zone under the name of another, as a package manager does it."""
    target = folder / name
    target.parent.mkdir(exist_ok=True)
    fresh = target.with_suffix(".new")
    fresh.write_bytes(rules_of(rules))
    fresh.replace(target)


MINUTE = 60 * 10**6


def test_an_update_of_tzdata_is_noticed_while_rules_are_in_use(zone_files: Path) -> None:
    # Given a nightly rule in a zone that has been asked
    install(zone_files, "Asia/Tokyo", "Asia/Tokyo")
    zone = zone_named("Asia/Tokyo")
    rule = CronOccurrences(
        parse_cron("0 3 * * *").times, zone, is_run_after_gap=True, is_twice_in_fold=False
    )
    assert rule.next_after(0, 0) == 18 * 60 * MINUTE
    assert zones.refresh(0) == ()

    # When an update changes its rules
    install(zone_files, "Asia/Tokyo", "Asia/Shanghai")

    # Then they are known a minute later, at the same zone
    assert zones.refresh(MINUTE - 1) == ()
    assert rule.next_after(0, 0) == 18 * 60 * MINUTE
    assert zones.refresh(MINUTE) == ("Asia/Tokyo",)
    assert rule.next_after(0, 0) == 19 * 60 * MINUTE
    assert zone_named("Asia/Tokyo") is zone
    assert zones.refresh(10 * MINUTE) == ()


@pytest.mark.parametrize("damage", ["gone", "empty", "cut"])
def test_a_damaged_file_of_a_zone_leaves_the_last_good_rules(zone_files: Path, damage: str) -> None:
    install(zone_files, "Asia/Nowhere", "Asia/Tokyo")
    zone = zone_named("Asia/Nowhere")
    zones.refresh(0)

    file = zone_files / "Asia" / "Nowhere"
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(b"" if damage == "empty" else rules_of("Asia/Tokyo")[:60])

    assert zones.refresh(MINUTE) == ()
    assert zone.period_at(1_700_000_000).offset == 9 * 3600
    # And when it is mended, it is read.
    install(zone_files, "Asia/Nowhere", "Asia/Shanghai")
    assert zones.refresh(2 * MINUTE) == ("Asia/Nowhere",)
    assert zone.period_at(1_700_000_000).offset == 8 * 3600


def test_a_file_cut_short_anywhere_is_no_zone(zone_files: Path) -> None:
    whole = rules_of("Africa/Casablanca")
    install(zone_files, "Asia/Tokyo", "Asia/Tokyo")
    zone = zone_named("Asia/Tokyo")
    for length in range(0, len(whole) - 30, 13):
        (zone_files / "Asia" / "Tokyo").write_bytes(whole[:length])
        assert zones.refresh(length * MINUTE) == (), length
    assert zone.period_at(1_700_000_000).offset == 9 * 3600


def test_a_step_of_the_clock_does_not_delay_the_look_at_the_files(zone_files: Path) -> None:
    install(zone_files, "Asia/Tokyo", "Asia/Tokyo")
    zone_named("Asia/Tokyo")
    zones.refresh(10**15)
    install(zone_files, "Asia/Tokyo", "Asia/Shanghai")

    assert zones.refresh(0) == ("Asia/Tokyo",)


def test_another_zone_of_the_machine_is_noticed(
    zone_files: Path, set_tz, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(zone_files, "Asia/Tokyo", "Asia/Tokyo")
    install(zone_files, "Asia/Shanghai", "Asia/Shanghai")
    link = zone_files / "localtime"
    link.symlink_to(zone_files / "Asia" / "Tokyo")
    monkeypatch.setattr(zones, "_LOCAL_TIME", link)
    set_tz(None)
    zone = local_zone()
    zones.refresh(0)

    link.unlink()
    link.symlink_to(zone_files / "Asia" / "Shanghai")

    assert zones.refresh(MINUTE) == ("",)
    assert local_zone() is zone
    assert zone.period_at(1_700_000_000).offset == 8 * 3600


def test_a_look_at_every_zone_is_quick() -> None:
    for name in sorted(available_timezones())[:100]:
        zone_named(name)
    begin = time.process_time()
    zones.refresh(10**16)

    assert time.process_time() - begin < 0.1


def test_a_naive_time_in_a_gap_keeps_its_distance_to_now() -> None:
    # Given 01:57 in New York, three minutes before the clocks go to 03:00
    zone = ZoneInfo("America/New_York")
    now = datetime(2026, 3, 8, 1, 57)

    # When a user adds five minutes to it
    later = now + timedelta(minutes=5)

    # Then five minutes pass
    assert instant_of(later, zone) - instant_of(now, zone) == 300 * 10**6


def test_the_first_and_the_last_datetime_do_not_overflow() -> None:
    for moment in (datetime.min, datetime.max):
        for zone in (UTC, ZoneInfo("Asia/Tokyo"), ZoneInfo("America/New_York")):
            assert isinstance(instant_of(moment, zone), int)
