"""What is refused in the text of a recurrence, with its place and the remedy."""

from __future__ import annotations

import time

import pytest

from task_scheduler.errors import ScheduleError
from task_scheduler.schedules.recurrence import recurrence_occurrences
from task_scheduler.schedules.recurrence_text import Frequency, read_recurrence
from task_scheduler.schedules.zones import zone_named

UTC = zone_named("UTC")
START = "DTSTART:20300101T080000\n"


def refusal(text: object) -> str:
    with pytest.raises(ScheduleError) as caught:
        recurrence_occurrences(text, UTC)  # type: ignore[arg-type]
    return str(caught.value)


def test_folded_lines_parameters_and_small_letters_are_read() -> None:
    text = (
        'dtstart;tzid="Asia/Tokyo":20300101t080000\r\n\r\n'
        "rrule:freq=monthly;by\r\n day=mo,-1FR;bysetpos=+1,-1;wkst=su\r\n"
        "EXDATE;VALUE=DATE-TIME:20300102T080000,203001\r\n 03T080000\r\n"
    )
    written = read_recurrence(text, UTC)

    assert written.start.zone is zone_named("Asia/Tokyo")
    assert written.rules[0].frequency is Frequency.MONTHLY
    assert written.rules[0].weekdays == ((-1, 4), (0, 0))
    assert written.rules[0].set_positions == (-1, 1)
    assert written.rules[0].week_start == 6
    assert len(written.excluded) == 2


@pytest.mark.parametrize(
    ("rule", "column", "wanted"),
    [
        ("FREQ=DAILY;BYMONTHDAY=1,32", 18, "'32' is no valid BYMONTHDAY; allowed: 1..31"),
        ("FREQ=DAILY;BYHOUR=24", 18, "allowed: 0..23,"),
        ("FREQ=DAILY;BYHOUR=-1", 18, "'-1' is no valid BYHOUR"),
        ("FREQ=DAILY;BYMONTH=0", 18, "'0' is no valid BYMONTH"),
        ("FREQ=DAILY;BYMONTH=٣", 18, "is no valid BYMONTH"),
        ("FREQ=DAILY;INTERVAL=0", 18, "'0' is no valid INTERVAL"),
        ("FREQ=DAILY;INTERVAL=99999999999", 18, "is no valid INTERVAL"),
        ("FREQ=DAILY;COUNT=0", 18, "'0' is no valid COUNT"),
        ("FREQ=DAILY;BYSECOND=60", 18, "allowed: 0..59"),
        ("FREQ=DAILY;BYSETPOS=1", 18, "Add one"),
        ("FREQ=DAILY;WKST=XX", 18, "Use one of: MO, TU"),
        ("FREQ=DALY", 7, "Did you mean 'DAILY'?"),
        ("FREQ=DAILY;BYDAYS=MO", 18, "Did you mean 'BYDAY'?"),
        ("FREQ=DAILY;COUNT", 18, "NAME=VALUE"),
        ("FREQ=DAILY;COUNT=", 18, "NAME=VALUE"),
        ("FREQ=DAILY;BYHOUR=1;BYHOUR=2", 27, "BYHOUR is there twice"),
        ("FREQ=DAILY;COUNT=2;UNTIL=20300109T000000", 18, "Keep one"),
        ("FREQ=DAILY;UNTIL=20300109", 18, "UNTIL=20300109T235959Z"),
        ("FREQ=DAILY;UNTIL=20300230T000000Z", 18, "no date that exists"),
        ("FREQ=DAILY;BYDAY=1MO", 18, "needs FREQ=MONTHLY"),
        ("FREQ=YEARLY;BYDAY=1MO;BYWEEKNO=3", 19, "without BYWEEKNO"),
        ("FREQ=MONTHLY;BYDAY=0MO", 20, "'0MO' is no valid BYDAY"),
        ("FREQ=MONTHLY;BYDAY=54MO", 20, "'54MO' is no valid BYDAY"),
        ("FREQ=WEEKLY;BYDAY=MONDAY", 19, "MO, TU, WE"),
        ("FREQ=MONTHLY;BYWEEKNO=3", 20, "FREQ=YEARLY"),
        ("FREQ=DAILY;BYYEARDAY=3", 18, "FREQ=YEARLY"),
        ("FREQ=WEEKLY;BYMONTHDAY=3", 19, "another FREQ"),
        ("COUNT=3", 7, "Add FREQ="),
    ],
)
def test_a_wrong_part_is_named_with_its_place_and_remedy(
    rule: str, column: int, wanted: str
) -> None:
    said = refusal(f"{START}RRULE:{rule}")

    assert said.startswith(f"RRULE, line 2, column {column}: ")
    assert wanted in said


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (7, "must be text"),
        ("", "needs its start"),
        ("RRULE:FREQ=DAILY", "add a line such as 'DTSTART:"),
        (START, "at least one RRULE or RDATE"),
        (START * 2 + "RRULE:FREQ=DAILY", "keep one DTSTART"),
        (START + "EXRULE:FREQ=DAILY", "line 2: 'EXRULE:FREQ=DAILY' is no line of a recurrence."),
        (START + "RULE:FREQ=DAILY", "Did you mean 'RRULE'?"),
        (START + "daily", "'daily' is no line"),
        (START + "RRULE;X=1:FREQ=DAILY", "the parameter 'X' does not belong here"),
        (START + "RDATE;VALUE=PERIOD:20300101T080000Z/PT1H", "VALUE=PERIOD is not read here"),
        ("DTSTART;TZID=Asia/Tokio:20300101T080000\nRRULE:FREQ=DAILY", "Did you mean 'Asia/Tokyo'"),
        ("DTSTART;TZID=Asia/Tokyo:20300101T080000Z\nRRULE:FREQ=DAILY", "Leave one of them out"),
        ("DTSTART:20300101\nRDATE:20300102T080000", "Write the date alone"),
        ("DTSTART;VALUE=DATE:20300101T080000\nRRULE:FREQ=DAILY", "no date that exists"),
        (START + "RDATE:20300102", "Write the time too"),
        (START + "RDATE:" + ",".join(["20300102T080000"] * 1001), "more than 1000 dates"),
        (START + "RRULE:FREQ=DAILY\n" * 21, "more than 20 RRULE lines"),
        ("DTSTART:20300101\nRRULE:FREQ=DAILY;UNTIL=20300201T000000", "Write UNTIL=20300201."),
        (
            "DTSTART;TZID=Asia/Tokyo:20300101T080000\nRRULE:FREQ=DAILY;UNTIL=20300201T080000",
            "The same moment in UTC is UNTIL=20300131T230000Z",
        ),
        (START + "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "would never run"),
        (START + "RRULE:FREQ=DAILY;UNTIL=20290101T000000Z", "would never run"),
        (START + "RRULE:FREQ=HOURLY;INTERVAL=24;BYHOUR=9", "would never run"),
        (START + "RRULE:FREQ=MONTHLY;BYMONTHDAY=3;BYSETPOS=2", "would never run"),
        (START + "RRULE:FREQ=HOURLY;BYMINUTE=5;BYSETPOS=2", "would never run"),
        (START + "RRULE:FREQ=DAILY;BYHOUR=5;BYSETPOS=-2", "would never run"),
        (START + "RRULE:FREQ=SECONDLY;INTERVAL=86399;BYDAY=MO", "is too uneven"),
        ("DTSTART:16010101T000000\nRRULE:FREQ=DAILY;COUNT=3", "UNTIL instead of COUNT"),
        ("DTSTART:22050101T000000\nRRULE:FREQ=DAILY", "after the year 2200"),
    ],
)
def test_what_is_no_recurrence_is_refused_with_the_remedy(text: object, wanted: str) -> None:
    assert wanted in refusal(text)


def test_a_megabyte_of_text_is_refused_at_once() -> None:
    began = time.process_time()
    for text in (
        "RRULE:" + "FREQ=DAILY;" * 100_000,
        START + "RRULE:FREQ=DAILY;BYMONTHDAY=" + "1," * 30_000,
        START + "RRULE:FREQ=DAILY;BYHOUR=" + "9" * 60_000,
        START + "EXDATE:" + "," * 60_000,
        (START + " \n" * 20_000),
    ):
        assert len(refusal(text)) < 500
    assert time.process_time() - began < 1
