"""What people do not hear, what they hear later, and what the next process remembers."""

from __future__ import annotations

from dataclasses import replace

from task_scheduler.alerts.judge import Judge
from task_scheduler.alerts.memory import Alert, Memory, Silence
from task_scheduler.alerts.rules import AlertKind, AlertPlan, Expectation, Maintenance
from task_scheduler.alerts.signs import Pinged, Sign
from task_scheduler.schedules.calendars.plain import calendar_from_plain
from tests.unit.alerts.tables import PLAN, S, at, failed, fine, heard, notices, with_rule

# -- signs of life -------------------------------------------------------------------------------

EXPECTING = replace(PLAN, expected={"nas": Expectation(600 * S, 60 * S)})


def test_what_gives_no_sign_of_life_is_told_and_the_next_one_ends_it() -> None:
    told = heard(Judge(EXPECTING), [Pinged("nas", "success", "", at(1_000))], 1_100)

    assert told == ["721 opened", "1000 recovered"]


def test_what_pings_in_time_is_not_told() -> None:
    signs = [Pinged("nas", "success", "", at(n)) for n in range(0, 6_000, 600)]

    assert heard(Judge(EXPECTING), signs, 6_000) == []


def test_what_began_and_does_not_end_is_told_before_the_next_is_due() -> None:
    signs = [Pinged("nas", "success", "", at(0)), Pinged("nas", "start", "", at(100))]

    [notice] = notices(Judge(EXPECTING), signs, 300)

    assert notice.cause == "unfinished"


def test_what_reports_its_failure_is_told_with_its_words() -> None:
    [notice] = notices(Judge(EXPECTING), [Pinged("nas", "fail", "disk 3 is gone", at(10))], 100)

    assert notice.cause == "failed"
    assert notice.sample is not None
    assert notice.sample.error == "disk 3 is gone"


# -- not to be heard -----------------------------------------------------------------------------


def test_a_silenced_task_is_told_when_its_silence_ends_and_it_has_not_recovered() -> None:
    judge = Judge(PLAN)
    judge.memory.silences = (Silence("up*", at(1_000)),)

    assert heard(judge, [failed(), failed("other", "denied")], 1_100) == [
        "60 opened",
        "1000 opened",
    ]


def test_what_recovers_in_a_silence_is_never_told() -> None:
    judge = Judge(PLAN)
    judge.memory.silences = (Silence("*", at(1_000)),)

    assert heard(judge, [failed(), fine(second=500)], 2_000) == []


def test_the_recovery_of_what_was_told_is_told_in_a_silence_too() -> None:
    judge = Judge(PLAN)
    judge.take(failed())
    assert judge.decide(at(60))
    judge.memory.silences = (Silence("*", at(9_000)),)

    assert heard(judge, [fine(second=100)], 200) == ["100 recovered"]


def test_a_parent_silences_its_children_and_they_are_told_when_it_is_fine_again() -> None:
    judge = Judge(PLAN)
    judge.memory.ancestors = {f"child-{n}": ("uplink",) for n in range(50)}
    signs: list[Sign] = [failed(f"child-{n}", "no network", 1) for n in range(50)]
    signs += [failed("uplink", "no carrier", 5), fine("uplink", 1_000)]
    signs += [fine(f"child-{n}", 999) for n in range(49)]

    told = notices(judge, signs, 1_500)

    assert told[0].task_ids == ("uplink",)
    assert {(n.kind, n.task_ids) for n in told[1:]} == {
        ("recovered", ("uplink",)),
        ("opened", ("child-49",)),
    }


def test_parents_of_the_configuration_silence_too() -> None:
    judge = Judge(replace(PLAN, parents={"uplink": ("upload-*",)}))

    told = notices(judge, [failed("upload-1", second=1), failed("uplink", "down")], 100)

    assert [notice.task_ids for notice in told] == [("uplink",)]


def test_nothing_is_told_of_what_is_in_maintenance() -> None:
    calendar = calendar_from_plain(
        {
            "windows": [{"from": "2027-01-15T08:00:00", "to": "2027-01-15T08:30:00"}],
            "timezone": "UTC",
        }
    )
    judge = Judge(replace(PLAN, maintenance=(Maintenance(("up*",), calendar),)))

    assert heard(judge, [failed(), failed("other", "x")], 2_000, step=10) == [
        "60 opened",
        "1800 opened",
    ]


# -- memory --------------------------------------------------------------------------------------


def reopened(judge: Judge, plan: AlertPlan = PLAN) -> Judge:
    """Return the judge of the next process, who knows what the ledger would."""
    alerts, parts, _ = judge.memory.take_changes()
    memory = Memory(last_alert_id=judge.memory.last_alert_id)
    for row in alerts:
        memory.alerts[row[0]] = Alert.of_row(row)
    for alert_id, task_id, *_ in parts:
        part = judge.memory.alerts[alert_id].parts[task_id]
        memory.alerts[alert_id].parts[task_id] = part
    return Judge(plan, memory)


def test_after_a_restart_nothing_is_told_twice_and_the_recovery_is_told() -> None:
    judge = Judge(PLAN)
    assert len(notices(judge, [failed(), failed(second=50)], 100)) == 1

    again = reopened(judge)

    assert heard(again, [fine(second=200)], 300) == ["200 recovered x2"]


def test_alerts_of_a_rule_that_is_gone_are_over_without_a_word() -> None:
    judge = Judge(PLAN)
    judge.take(failed())

    again = reopened(judge, AlertPlan())

    assert heard(again, [fine(second=200)], 300) == []
    assert [alert.is_over for alert in again.memory.alerts.values()] == [True]


def test_only_what_changed_is_written() -> None:
    judge = Judge(PLAN)
    judge.take(failed("a"))
    judge.take(failed("b", "denied"))
    judge.memory.take_changes()
    judge.take(failed("a", second=5))

    alerts, parts, left = judge.memory.take_changes()

    assert [row[0] for row in alerts] == [1]
    assert [row[:2] for row in parts] == [[1, "a"]]
    assert left == []


def test_the_success_of_a_task_matters_only_where_something_is_open() -> None:
    judge = Judge(with_rule(kinds=frozenset({AlertKind.FAILED})))

    assert not judge.awaits_success("upload")
    judge.take(failed())
    assert judge.awaits_success("upload")
    judge.take(fine())
    assert not judge.awaits_success("upload")
