"""What lies in deploy/ asks for nothing that a real scheduler does not tell."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.integration.monitoring.conftest import Watched
from tests.integration.monitoring.promql import asked

DEPLOY = Path(__file__).parents[3] / "deploy"
RULES = DEPLOY / "prometheus" / "task-scheduler.rules.yml"
SCRAPE = DEPLOY / "prometheus" / "prometheus.yml"
DASHBOARD = DEPLOY / "grafana" / "task-scheduler.json"

OF_PROMETHEUS = {"up": {"job", "instance"}}
"""What Prometheus itself knows of everything that it scrapes."""
ADDED = {"job", "instance"}
"""The labels that it adds to every sample."""
_LEGEND = re.compile(r"\{\{\s*(?:\$labels\.)?([a-z_]+)\s*\}\}")


class Query(NamedTuple):
    """An expression of a file, and the texts that are filled with its labels."""

    where: str
    expression: str
    texts: tuple[str, ...] = ()


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def queries_of_rules() -> Iterator[Query]:
    for rule in rules():
        name = rule.get("alert") or rule["record"]
        yield Query(name, rule["expr"], tuple(rule.get("annotations", {}).values()))


def queries_of_dashboard() -> Iterator[Query]:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield Query(panel["title"], target["expr"], (target["legendFormat"],))
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            inner = re.fullmatch(r"label_values\((.*), ([a-z_]+)\)", variable["definition"])
            assert inner is not None, variable
            yield Query(variable["name"], inner[1], (f"{{{{{inner[2]}}}}}",))


def test_the_files_ask_for_something() -> None:
    assert len(list(queries_of_rules())) >= 20
    assert len(list(queries_of_dashboard())) >= 40


@pytest.mark.parametrize(
    "queries", [queries_of_rules, queries_of_dashboard], ids=["rules", "dashboard"]
)
def test_every_metric_label_and_value_is_in_a_scrape_of_a_real_scheduler(
    watched: Watched, queries: Any
) -> None:
    recorded = {rule["record"]: asked(rule["expr"]).labels for rule in rules() if "record" in rule}
    problems = []
    for query in queries():
        found, known = asked(query.expression), set(ADDED)
        for selector in found.selectors:
            metric = selector.metric
            labels = ADDED | OF_PROMETHEUS.get(metric, watched.scrape.labels_of(metric))
            if metric in recorded:
                labels = recorded[metric]
            elif metric not in watched.scrape.samples and metric not in OF_PROMETHEUS:
                problems.append(f"{query.where}: nobody tells {metric}")
                continue
            known |= labels
            for label, pattern in selector.matchers.items():
                if label not in labels:
                    problems.append(f"{query.where}: {metric} has no label {label}")
                elif label not in ADDED and "$" not in pattern:
                    values = watched.scrape.values_of(metric, label)
                    missing = set(pattern.split("|")) - values
                    problems += [f"{query.where}: no {metric} has {label}={m}" for m in missing]
        used = found.labels | {name for text in query.texts for name in _LEGEND.findall(text)}
        problems += [f"{query.where}: nothing has the label {n}" for n in sorted(used - known)]

    assert problems == []


def test_every_metric_that_the_guide_names_is_in_a_scrape(watched: Watched) -> None:
    guide = (DEPLOY.parent / "docs" / "monitoring.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:task_scheduler|process|python)_[a-z_]+)", guide))
    families = {
        name.removesuffix(suffix)
        for name in watched.scrape.samples
        for suffix in ("", "_bucket", "_count", "_sum")
    }

    assert len(named) >= 30
    assert sorted(named - families) == []


def test_every_metric_of_ours_is_in_the_guide(watched: Watched) -> None:
    guide = (DEPLOY.parent / "docs" / "monitoring.md").read_text(encoding="utf-8")
    ours = {name for name in watched.scrape.samples if name.startswith("task_scheduler_")}
    names = {re.sub(r"_(bucket|count|sum)$", "", name) for name in ours}

    assert sorted(name for name in names if f"`{name}" not in guide) == []


def test_every_alert_says_what_is_wrong_and_what_to_do() -> None:
    for rule in rules():
        if "alert" in rule:
            assert rule["labels"]["severity"] in ("critical", "warning", "info"), rule
            assert rule["annotations"]["summary"], rule
            assert rule["annotations"]["description"], rule


def test_the_dashboard_can_be_imported_anywhere() -> None:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    ids = [panel["id"] for panel in dashboard["panels"]]
    sources = {
        json.dumps(panel["datasource"]) for panel in dashboard["panels"] if "datasource" in panel
    }

    assert len(ids) == len(set(ids))
    assert sources == {'{"type": "prometheus", "uid": "${datasource}"}'}
    assert all(p.get("description") for p in dashboard["panels"] if p["type"] != "row")
    boxes = [panel["gridPos"] for panel in dashboard["panels"]]
    assert all(box["x"] + box["w"] <= 24 for box in boxes)
    cells = [
        (x, y)
        for box in boxes
        for x in range(box["x"], box["x"] + box["w"])
        for y in range(box["y"], box["y"] + box["h"])
    ]
    assert len(cells) == len(set(cells)), "panels that lie on each other"


def promtool(*arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """Call promtool, where it is."""
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not on the PATH")
    return subprocess.run(
        [found, *arguments], input=text, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.may_skip(reason="promtool comes with Prometheus, which few machines have")
def test_promtool_takes_the_rules_and_the_configuration() -> None:
    for done in (promtool("check", "rules", str(RULES)), promtool("check", "config", str(SCRAPE))):
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.may_skip(reason="promtool comes with Prometheus, which few machines have")
def test_promtool_finds_the_scrape_well_formed(watched: Watched) -> None:
    done = promtool("check", "metrics", text=watched.scrape.text)

    # It is of the opinion that counters of the client library should be called otherwise.
    own = [line for line in done.stderr.splitlines() if line.startswith("task_scheduler_")]
    assert done.returncode in (0, 3), done.stderr
    assert own == []


@pytest.mark.may_skip(reason="promtool comes with Prometheus, which few machines have")
def test_the_alerts_fire_when_they_should() -> None:
    done = promtool("test", "rules", str(Path(__file__).with_name("rules_test.yml")))

    assert done.returncode == 0, done.stdout + done.stderr
