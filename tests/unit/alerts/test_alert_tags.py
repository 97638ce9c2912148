"""Rules, silences, parents and maintenance by tag: they follow who has the tag."""

from __future__ import annotations

from dataclasses import replace

import pytest

from task_scheduler.alerts.judge import Judge
from task_scheduler.alerts.memory import Memory, Silence
from task_scheduler.alerts.rules import AlertKind, AlertPlan, is_named
from task_scheduler.config.alerts import AlertsSection, plan_of
from tests.unit.alerts.tables import PLAN, RULE, at, failed, heard, with_rule

POND = {"pond": frozenset({"pump", "feeder"})}


def of_pond(plan: AlertPlan) -> AlertPlan:
    return replace(plan, tagged=POND)


def test_a_rule_of_a_tag_hears_of_its_tasks_alone() -> None:
    plan = of_pond(with_rule(tasks=("tag:pond",)))

    assert heard(Judge(plan), [failed("pump"), failed("upload", "other")], 100) == ["60 opened"]


def test_a_rule_without_the_tags_of_the_ledger_hears_of_nobody() -> None:
    assert heard(Judge(with_rule(tasks=("tag:pond",))), [failed("pump")], 100) == []


def test_a_task_whose_id_looks_like_a_tag_can_still_be_named() -> None:
    assert is_named("tag:pond", ("tag:pond",), {})


def test_a_silence_of_a_tag_holds_for_its_tasks_until_it_ends() -> None:
    memory = Memory(silences=(Silence("tag:pond", at(300)),))

    told = heard(Judge(of_pond(PLAN), memory), [failed("pump"), failed("upload", "other")], 400)

    assert told == ["60 opened", "300 opened"]


def test_a_parent_silences_the_tasks_of_a_tag() -> None:
    plan = of_pond(replace(PLAN, parents={"uplink": ("tag:pond",)}))

    told = heard(Judge(plan), [failed("uplink", "down"), failed("pump", "no route", 1)], 200)

    assert told == ["60 opened"]


@pytest.mark.parametrize(
    ("keys", "tasks"),
    [
        ({}, ("*",)),
        ({"tags": ["pond"]}, ("tag:pond",)),
        ({"tags": ["pond"], "tasks": ["x*"]}, ("x*", "tag:pond")),
        ({"tasks": ["tag:pond"]}, ("tag:pond",)),
    ],
)
def test_the_configuration_says_tags_by_themselves_or_beside_tasks(
    keys: dict[str, list[str]], tasks: tuple[str, ...]
) -> None:
    section = AlertsSection.model_validate(
        {
            "channels": {"ops": {"webhook": {"url": "http://127.0.0.1:9/"}}},
            "rules": [{"on": ["failed"], **keys}],
        }
    )

    plan = plan_of(section)

    assert plan.rules[0].tasks == tasks
    assert plan.named_tags() == ({"pond"} if "tag:pond" in tasks else set())


def test_every_place_that_names_a_tag_is_known() -> None:
    plan = replace(
        PLAN,
        rules=(
            replace(RULE, tasks=("tag:a",)),
            replace(RULE, name="b", kinds=frozenset(AlertKind)),
        ),
        parents={"uplink": ("tag:c", "x*")},
    )

    assert plan.named_tags() == {"a", "c"}
