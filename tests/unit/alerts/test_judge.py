"""What people hear of failures, floods and delays: tables of signs and the notices that follow."""

from __future__ import annotations

from dataclasses import replace

import pytest

from task_scheduler.alerts.judge import Judge
from task_scheduler.alerts.notices import NoticeKind
from task_scheduler.alerts.rules import AlertKind
from task_scheduler.alerts.signs import Faulted, Gone, Look, Mended, Missed, Sign, Standing, Used
from tests.unit.alerts.tables import (
    DAY,
    HOUR,
    MINUTE,
    PLAN,
    S,
    at,
    failed,
    fine,
    heard,
    notices,
    with_rule,
)

# -- one cause -----------------------------------------------------------------------------------


def test_a_failure_is_told_once_after_it_was_gathered_and_its_recovery_closes_it() -> None:
    assert heard(Judge(PLAN), [failed(), fine(second=200)], 1_000) == [
        "60 opened",
        "200 recovered",
    ]


def test_28000_failures_of_one_cause_are_one_message_and_a_digest() -> None:
    signs = [failed(f"task-{n % 700}", second=n / 100) for n in range(28_000)]

    told = heard(Judge(PLAN), signs, 600)

    assert told == ["60 opened x6001", "360 digest x28000"]


def test_the_messages_name_the_tasks_and_how_many_there_are() -> None:
    signs = [failed(f"task-{n:03}", second=1) for n in range(300)]

    [notice] = notices(Judge(PLAN), signs, 100)

    assert (notice.task_count, notice.count, len(notice.task_ids)) == (300, 300, 20)
    assert notice.sample is not None
    assert notice.sample.task_id == "task-299"


def test_a_task_that_goes_on_failing_is_told_ever_more_rarely_and_reminded_of() -> None:
    signs = [failed(second=n * MINUTE) for n in range(24 * 60)]

    told = heard(Judge(PLAN), signs, DAY, step=10)

    assert [line.split()[1] for line in told].count("reminder") <= 3
    assert len(told) <= 14


def test_a_digest_comes_when_another_task_joins_and_not_without_news() -> None:
    assert heard(Judge(PLAN), [failed(), failed("b", second=100)], 3_000) == [
        "60 opened",
        "360 digest x2",
    ]


def test_an_open_alert_is_reminded_of_after_an_hour_four_hours_and_every_day() -> None:
    told = heard(Judge(PLAN), [failed()], 3 * DAY + HOUR, step=MINUTE)

    assert told == [
        "60 opened",
        f"{HOUR + 60} reminder",
        f"{4 * HOUR + 60} reminder",
        f"{DAY + 60} reminder",
        f"{2 * DAY + 60} reminder",
        f"{3 * DAY + 60} reminder",
    ]


def test_two_causes_are_two_messages() -> None:
    told = heard(Judge(PLAN), [failed(), failed("b", "denied")], 100)

    assert told == ["60 opened", "60 opened"]


def test_an_alert_closes_only_when_all_of_its_tasks_have_recovered() -> None:
    signs = [failed("a"), failed("b"), fine("a", 100), fine("b", 200)]

    assert heard(Judge(PLAN), signs, 300) == ["60 opened x2", "200 recovered x2"]


def test_what_fails_and_recovers_before_anybody_was_told_is_told_as_one() -> None:
    assert heard(Judge(PLAN), [failed(), fine(second=20)], 300) == ["60 recovered"]


def test_a_rule_may_not_want_to_hear_of_recoveries() -> None:
    judge = Judge(with_rule(is_recovery_told=False))

    assert heard(judge, [failed(), fine(second=100)], 300) == ["60 opened"]


# -- floods --------------------------------------------------------------------------------------


def test_what_flaps_is_told_ever_more_rarely() -> None:
    signs: list[Sign] = []
    for n in range(6 * 60):
        signs += [failed(second=n * MINUTE), fine(second=n * MINUTE + 30)]

    told = heard(Judge(PLAN), signs, 6 * HOUR, step=5)

    assert told[0] == "60 opened x2"
    assert len(told) < 15


def test_what_comes_back_after_an_hour_is_new() -> None:
    signs = [failed(), fine(second=100), failed(second=3 * HOUR), fine(second=3 * HOUR + 100)]

    told = notices(Judge(PLAN), signs, 4 * HOUR, step=10)

    assert [notice.kind for notice in told] == [NoticeKind.OPENED, NoticeKind.RECOVERED] * 2
    assert told[0].alert_id != told[2].alert_id


def test_many_causes_at_once_are_one_summary() -> None:
    signs = [failed(f"task-{n}", f"cause {n}") for n in range(2_000)]

    [summary] = notices(Judge(PLAN), signs, 300)

    assert summary.kind is NoticeKind.SUMMARY
    assert (len(summary.others), summary.task_count, summary.count) == (2_000, 2_000, 2_000)


def test_a_rule_tells_no_more_than_its_messages_in_the_time_of_a_digest() -> None:
    signs = [failed(f"task-{n}", f"cause {n}", second=n * 5) for n in range(200)]

    told = notices(Judge(PLAN), signs, 1_300)

    for begin in range(0, 1_300, 50):
        window = [n for n in told if at(begin) <= n.at < at(begin + 300)]
        assert len(window) <= PLAN.most_messages
    assert sum(max(1, len(n.others)) for n in told) == 200


def test_a_task_that_fails_differently_every_time_opens_three_alerts_at_most() -> None:
    signs = [failed(cause=f"cause {'abcdefghij'[n]}", second=n) for n in range(10)]

    told = notices(Judge(PLAN), signs, 100)

    assert len(told) == 3
    assert sum(notice.count for notice in told) == 10


# -- how much it takes ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("fff", ["62 opened"]), ("ff", []), ("ffsff", []), ("sfffff", ["63 opened x3"])],
)
def test_after_three_in_a_row(pattern: str, expected: list[str]) -> None:
    signs = [
        failed(second=n) if letter == "f" else fine(second=n) for n, letter in enumerate(pattern)
    ]

    assert heard(Judge(with_rule(in_a_row=3)), signs, 100) == expected


def test_three_in_an_hour_whatever_lies_between_them() -> None:
    judge = Judge(with_rule(within=(3, HOUR * S)))
    signs: list[Sign] = []
    for n in range(3):
        signs += [failed(second=n * 1_000), fine(second=n * 1_000 + 500)]

    told = heard(judge, signs, 3_000)

    # Two of them still lie within the hour, so one success does not end it; it was told as one.
    assert told == ["2060 opened"]


def test_three_in_more_than_an_hour_are_too_few() -> None:
    judge = Judge(with_rule(within=(3, HOUR * S)))

    assert heard(judge, [failed(second=n * 2_000) for n in range(6)], 12_000, step=10) == []


def test_what_the_ledger_knows_of_a_task_counts_too() -> None:
    judge = Judge(with_rule(in_a_row=3))
    assert judge.needs_history("upload")
    judge.memory.seed({"upload": [["failed", at(-10), S], ["failed", at(-20), S]]})
    assert not judge.needs_history("upload")

    assert heard(judge, [failed()], 100) == ["60 opened"]


def test_rules_look_at_their_tasks_alone() -> None:
    judge = Judge(with_rule(tasks=("db-*", "upload")))

    told = notices(judge, [failed(), failed("db-1"), failed("other")], 100)

    assert [notice.task_ids for notice in told] == [("upload", "db-1")]


# -- other kinds ---------------------------------------------------------------------------------


def test_what_is_missed_is_told_with_its_number_and_over_with_a_success() -> None:
    signs = [Missed("upload", "Upload", "misfire", 7, at(0)), fine(second=100)]

    assert heard(Judge(PLAN), signs, 200) == ["60 opened x7", "100 recovered x7"]


def waiting(second: float, due: float = 0) -> Look:
    return Look(at(second), waiting=(Standing("upload", "Upload", 5, at(due)),))


def test_a_run_is_late_while_it_waits_longer_than_its_grace() -> None:
    looks = [waiting(n) for n in range(0, 300, 5)] + [Look(at(300))]

    assert heard(Judge(PLAN), looks, 400) == ["125 opened", "300 recovered"]


def test_a_delay_that_is_over_before_anybody_heard_of_it_is_not_told() -> None:
    looks = [waiting(n) for n in range(0, 100, 5)] + [Look(at(100))]

    assert heard(Judge(PLAN), looks, 400) == []


def running(second: float, began: float = 0) -> Look:
    return Look(at(second), running=(Standing("upload", "Upload", 5, at(began)),))


def test_a_run_that_takes_longer_than_it_may_is_told_while_it_runs() -> None:
    judge = Judge(with_rule(overrun=600 * S))
    looks = [running(n) for n in range(0, 900, 5)] + [Look(at(900))]

    assert heard(judge, looks, 1_000) == ["665 opened", "900 recovered"]


def known(*seconds: float) -> Judge:
    judge = Judge(PLAN)
    judge.memory.seed(
        {"upload": [["succeeded", at(-n), round(s * S)] for n, s in enumerate(seconds)]}
    )
    return judge


def test_a_run_that_takes_longer_than_usual_is_told_and_the_next_usual_one_ends_it() -> None:
    judge = known(*[40 + n % 3 for n in range(20)])

    told = notices(judge, [fine(took=300), fine(second=200, took=41)], 300)

    assert [notice.kind for notice in told] == [NoticeKind.OPENED, NoticeKind.RECOVERED]
    assert told[0].about is AlertKind.SLOW
    assert told[0].sample is not None
    assert told[0].sample.error == "300.0/41.0"


def test_what_varies_a_lot_or_takes_no_time_is_not_slow() -> None:
    assert heard(known(*[10, 200] * 10), [fine(took=300)], 100) == []
    assert heard(known(*[0.01] * 20), [fine(took=0.9)], 100) == []
    assert heard(known(*[40] * 5), [fine(took=300)], 100) == []


def test_a_run_is_slow_while_it_still_runs() -> None:
    judge = known(*[40] * 20)

    assert heard(judge, [running(n) for n in range(0, 200, 5)], 200)[0] == "120 opened"


def test_a_task_whose_code_is_gone_is_told_until_it_is_back() -> None:
    looks = [
        Look(at(n), unresolved=(Standing("upload", "Upload", None, at(n), "NameError"),))
        for n in range(0, 100, 5)
    ]

    told = notices(Judge(PLAN), [*looks, Look(at(200))], 300)

    assert [(n.kind, n.cause) for n in told] == [
        ("opened", "NameError"),
        ("recovered", "NameError"),
    ]


def test_a_fault_of_the_scheduler_is_told_and_its_end() -> None:
    signs = [Faulted("store_full", "the disk is full", at(0)), Mended("store_full", at(100))]

    assert heard(Judge(PLAN), signs, 200) == ["60 opened", "100 recovered"]


def test_a_removed_task_is_not_spoken_of_any_more() -> None:
    judge = Judge(PLAN)
    judge.take(failed())
    judge.take(Gone("upload"))

    assert heard(judge, [], 300) == []


# -- what runs use -------------------------------------------------------------------------------


def used(second: float = 0, task_id: str = "upload", **amounts: float) -> Used:
    return Used(task_id, task_id, 1, amounts, at(second))


def test_a_run_that_uses_too_much_is_told_and_the_next_that_does_not_ends_it() -> None:
    plan = with_rule(most={"memory_bytes": 200e6, "cpu_seconds": 60})

    told = heard(
        Judge(plan),
        [
            used(memory_bytes=199e6, cpu_seconds=60),
            used(10, memory_bytes=201e6, cpu_seconds=1),
            used(300, memory_bytes=100e6),
        ],
        1_000,
    )

    assert told == ["70 opened", "300 recovered"]


def test_each_of_what_is_too_much_is_an_alert_of_its_own() -> None:
    plan = with_rule(most={"memory_bytes": 200e6, "written_bytes": 1e9})

    found = notices(Judge(plan), [used(memory_bytes=300e6, written_bytes=2e9)], 100)

    assert {notice.cause for notice in found} == {"memory_bytes", "written_bytes"}
    assert {notice.about for notice in found} == {AlertKind.HEAVY}


def test_a_run_that_uses_too_much_is_told_while_it_runs_and_once() -> None:
    plan = with_rule(most={"memory_bytes": 200e6, "cpu_seconds": 60})

    told = heard(
        Judge(plan),
        [
            replace(used(memory_bytes=100e6), is_over=False),
            *(replace(used(n, memory_bytes=300e6), is_over=False) for n in range(5, 200, 5)),
            # A look while it needs less ends nothing; that it is over by itself does not either.
            replace(used(200, memory_bytes=100e6), is_over=False),
            used(210, memory_bytes=300e6),
            replace(used(300, memory_bytes=100e6), run_id=2),
        ],
        1_000,
    )

    assert told == ["65 opened", "300 recovered"]


def test_what_nobody_measured_is_not_too_much() -> None:
    assert heard(Judge(with_rule(most={"memory_bytes": 1})), [used(cpu_seconds=9)], 100) == []
