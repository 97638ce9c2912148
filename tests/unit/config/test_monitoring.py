"""The section `monitoring`, and where else the log goes: what it means, and what is wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from task_scheduler.config import monitoring
from task_scheduler.config.monitoring import (
    export_plan_of,
    monitoring_secrets_of,
    trace_plan_of,
)
from task_scheduler.observe.exporter import ExportPlan
from task_scheduler.observe.log_shipping import JOURNAL, Shipping
from task_scheduler.observe.tracing import TracePlan
from tests.unit.config.conftest import Load, Problems

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs" / "monitoring.md").read_text("utf-8")
SCHEMA = json.loads((ROOT / "docs" / "scheduler_config.schema.json").read_text("utf-8"))
EXAMPLES = re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)
SECOND = 1_000_000


def export_plan(load: Load, metrics: Any) -> ExportPlan | None:
    return export_plan_of(
        load(json.dumps({"monitoring": {"metrics": metrics}})).settings.monitoring
    )


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_examples_of_the_document_are_right(load: Load, number: int) -> None:
    value = json.loads(EXAMPLES[number])

    assert load(EXAMPLES[number])
    assert jsonschema.Draft202012Validator(SCHEMA).is_valid(value)


def test_nothing_is_served_or_sent_unless_it_is_asked_for(load: Load) -> None:
    section = load("{}").settings.monitoring

    assert (export_plan_of(section), trace_plan_of(section)) == (None, None)


def test_whoever_asks_for_metrics_gets_them_on_the_loopback(load: Load) -> None:
    assert export_plan(load, {}) == ExportPlan(listen=("127.0.0.1", 9464))


def test_an_address_may_be_of_either_kind_or_a_name(load: Load) -> None:
    def listen(text: str) -> Any:
        plan = export_plan(load, {"listen": text})
        assert plan is not None
        return plan.listen

    assert listen("[::1]:9464") == ("::1", 9464)
    assert listen("0.0.0.0:0") == ("0.0.0.0", 0)
    assert listen("farm.local:80") == ("farm.local", 80)


@pytest.mark.parametrize(
    "text",
    ["9464", ":9464", "127.0.0.1", "127.0.0.1:x", "h:65536", "::1:9464", "a b:1", "[x]:1", ""],
)
def test_what_is_no_address_is_told(problems: Problems, text: str) -> None:
    [found] = problems(json.dumps({"monitoring": {"metrics": {"listen": text}}}))

    assert found["key"] == "monitoring.metrics.listen"


def test_a_file_is_found_from_the_folder_of_the_configuration(load: Load, tmp_path: Path) -> None:
    plan = export_plan(load, {"listen": None, "file": "m.prom", "file_interval_seconds": "1m"})

    assert plan == ExportPlan(file=tmp_path / "m.prom", file_interval=60 * SECOND)


def test_a_variable_may_switch_it_on(load: Load) -> None:
    name = "TASK_SCHEDULER__MONITORING__METRICS"
    settings = load("{}", environ={name: '{"listen": "0.0.0.0:9464"}'}).settings

    assert export_plan_of(settings.monitoring) == ExportPlan(listen=("0.0.0.0", 9464))


def test_traces_are_sent_as_asked(load: Load) -> None:
    traces = {
        "endpoint": "http://otel.example:4318/v1/traces",
        "headers": {"Authorization": "${secret:otel}"},
        "sample_ratio": 0.1,
        "service_name": "farm",
        "timeout_seconds": "3s",
    }
    section = load(json.dumps({"monitoring": {"traces": traces}})).settings.monitoring

    plan = trace_plan_of(section, lambda text: text.replace("${secret:otel}", "Bearer x"))

    assert plan == TracePlan(
        "http://otel.example:4318/v1/traces", {"Authorization": "Bearer x"}, 0.1, "farm", 3.0
    )


def test_secrets_are_known_so_that_they_are_masked(load: Load) -> None:
    given = {
        "metrics": {"token": "open-sesame"},
        "traces": {"headers": {"A": "Bearer abc", "B": "${secret:b}"}},
    }
    section = load(json.dumps({"monitoring": given})).settings.monitoring

    assert monitoring_secrets_of(section) == ["open-sesame", "Bearer abc"]


def test_traces_without_their_library_are_a_problem_that_names_the_remedy(
    problems: Problems, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitoring, "find_spec", lambda _: None)

    [found] = problems('{"monitoring": {"traces": {}}}')

    assert "pip install 'task-scheduler[otel]'" in found["message"]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('{"monitoring": {"metrics": {"listn": "x"}}}', "monitoring.metrics.listn"),
        ('{"monitoring": {"trace": {}}}', "monitoring.trace"),
        ('{"monitoring": {"metrics": {"task_limit": 0}}}', "monitoring.metrics.task_limit"),
        ('{"monitoring": {"traces": {"sample_ratio": 2}}}', "monitoring.traces.sample_ratio"),
        ('{"logging": {"syslog": {"adress": "/dev/log"}}}', "logging.syslog.adress"),
        ('{"logging": {"syslog": {"address": "tcp://x"}}}', "logging.syslog.address"),
        ('{"logging": {"syslog": {"facility": "kern"}}}', "logging.syslog.facility"),
        ('{"logging": {"journald": "socket"}}', "logging.journald"),
    ],
)
def test_what_is_wrong_is_told_at_its_place(problems: Problems, text: str, key: str) -> None:
    [found] = problems(text)

    assert found["key"] == key
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(json.loads(text))


def test_where_else_the_log_goes(load: Load) -> None:
    def shipping(**logs: Any) -> list[Shipping]:
        return load(json.dumps({"logging": logs})).settings.logging.shipping()

    assert shipping() == []
    assert shipping(journald=True) == [Shipping(JOURNAL)]
    assert shipping(journald="/run/j", syslog={}) == [
        Shipping("/run/j"),
        Shipping("/dev/log", "daemon", None),
    ]
    assert shipping(syslog={"address": "udp://[::1]", "facility": "cron", "form": "rfc3164"}) == [
        Shipping(("::1", 514), "cron", "rfc3164")
    ]
