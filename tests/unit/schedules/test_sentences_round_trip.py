"""A sentence says exactly its rule: read back, it has the same instants.

The reader here is the test's own and knows only the shapes of daily, weekly and monthly rules; it
shares nothing with what writes the sentences.
"""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from task_scheduler.schedules.keywords import rules_from
from task_scheduler.schedules.rule import ScheduleRule, occurrences_of, to_plain
from task_scheduler.schedules.sentences import describe

NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
BEGIN = 1_767_225_600_000_000  # 2026-01-01, UTC
STEPS = 40

ENGLISH = "Mon|Tues|Wednes|Thurs|Fri|Satur|Sun"
TIME = re.compile(r"\d{1,2}:\d\d(?::\d\d)?")
WEEKDAYS = {
    "en": (rf"({ENGLISH})days(?: to ({ENGLISH})days)?", tuple(ENGLISH.split("|"))),
    "zh": (r"周([一二三四五六日])(?:至周([一二三四五六日]))?", tuple("一二三四五六日")),
    "ja": (r"([月火水木金土日])曜(?:から([月火水木金土日])曜)?", tuple("月火水木金土日")),
}
MONTH_DAYS = {
    "en": (r"(\d+)(?:st|nd|rd|th)(?: to the (\d+)(?:st|nd|rd|th))?", "last day"),
    "zh": (r"(\d+)日(?:至(\d+)日)?", "最后一天"),
    "ja": (r"(\d+)日(?:から(\d+)日)?", "末日"),
}
EVERY_DAY = {"en": "every day", "zh": "每天", "ja": "毎日"}


def times_in(sentence: str) -> str:
    """Return the times of day in a sentence, as a rule writes them."""
    parted = [time.split(":", 1) for time in TIME.findall(sentence)]
    return ", ".join(f"{int(hour):02}:{rest}" for hour, rest in parted)


def read_back(sentence: str, language: str, kind: str) -> ScheduleRule:
    """Return the rule of a sentence."""
    times = times_in(sentence)
    said = TIME.sub("", sentence)
    if EVERY_DAY[language] in said:
        return rules_from(daily=times, timezone="UTC")[0]
    if kind == "weekly":
        if said.startswith("weekdays"):
            days = NAMES[:5]
        else:
            pattern, names = WEEKDAYS[language]
            days = tuple(
                NAMES[number]
                for first, last in re.findall(pattern, said)
                for number in range(names.index(first), names.index(last or first) + 1)
            )
        return rules_from(weekly=f"{','.join(days)} {times}", timezone="UTC")[0]
    pattern, last_day = MONTH_DAYS[language]
    numbers = [
        str(number)
        for first, last in re.findall(pattern, said)
        for number in range(int(first), int(last or first) + 1)
    ]
    if last_day in said:
        numbers.append("last")
    return rules_from(monthly=f"{','.join(numbers)} {times}", timezone="UTC")[0]


def instants_of(rule: ScheduleRule) -> list[int]:
    occurrences, moment, found = occurrences_of(rule), BEGIN, []
    for _ in range(STEPS):
        following = occurrences.next_after(moment, BEGIN)
        assert following is not None
        assert following > moment
        found.append(moment := following)
    return found


clock_times = st.lists(
    st.builds(
        lambda hour, minute, second: f"{hour:02}:{minute:02}" + (f":{second:02}" if second else ""),
        st.integers(0, 23),
        st.integers(0, 59),
        st.sampled_from([0, 0, 0, 30]),
    ),
    min_size=1,
    max_size=3,
    unique=True,
).map(", ".join)
weekdays = st.sets(st.sampled_from(NAMES), min_size=1).map(lambda s: sorted(s, key=NAMES.index))
month_days = st.sets(st.integers(1, 28), min_size=1, max_size=6).map(
    lambda s: [str(day) for day in sorted(s)]
)
sugar = st.one_of(
    st.tuples(st.just("daily"), clock_times),
    st.tuples(
        st.just("weekly"), st.builds(lambda d, t: f"{','.join(d)} {t}", weekdays, clock_times)
    ),
    st.tuples(
        st.just("monthly"),
        st.builds(
            lambda d, is_last, t: f"{','.join([*d, *(['last'] if is_last else [])])} {t}",
            month_days,
            st.booleans(),
            clock_times,
        ),
    ),
)


@pytest.mark.parametrize("language", ["en", "zh", "ja"])
@settings(max_examples=150, deadline=None)
@given(given_rule=sugar)
def test_a_sentence_read_back_has_the_same_instants(
    language: str, given_rule: tuple[str, str]
) -> None:
    kind, text = given_rule
    (rule,) = rules_from(**{kind: text, "timezone": "UTC"})
    plain = to_plain(rule)
    assert plain is not None

    sentence = describe({**plain, "timezone": None}, language=language)

    assert instants_of(read_back(sentence, language, kind)) == instants_of(rule), sentence
