"""A real Prometheus fetches the metrics, and takes every rule and every query of the dashboard."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.facade.bench import eventually
from tests.integration.monitoring.conftest import Watched
from tests.integration.monitoring.test_deploy import RULES, SCRAPE, queries_of_dashboard

pytestmark = pytest.mark.may_skip(reason="Prometheus is not everywhere")

FILLED = {
    "$__rate_interval": "1m",
    "$__range": "1h",
    "$instance": ".*",
    "$task": ".*",
}
"""What Grafana puts in the place of its variables."""


class Prometheus:
    """One that runs."""

    def __init__(self, port: int) -> None:
        self._base = f"http://127.0.0.1:{port}/api/v1"

    def ask(self, path: str, **values: str) -> Any:
        """Return the data of an answer; None while there is none."""
        query = urllib.parse.urlencode(values)
        try:
            with urllib.request.urlopen(f"{self._base}/{path}?{query}", timeout=30) as reply:
                return json.load(reply)["data"]
        except urllib.error.HTTPError as error:
            # While it starts it says so in plain text.
            return None if error.code == 503 else {"error": json.load(error)["error"]}
        except OSError:
            return None


@pytest.fixture(scope="module")
def prometheus(watched: Watched, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    found = shutil.which("prometheus")
    if found is None:
        pytest.skip("prometheus is not on the PATH")
    folder = tmp_path_factory.mktemp("prometheus")
    text = SCRAPE.read_text(encoding="utf-8")
    address = watched.scheduler.metrics_address
    assert address is not None
    for old, new in {
        "127.0.0.1:9464": "{}:{}".format(*address),
        "task-scheduler.rules.yml": str(RULES),
        "interval: 15s": "interval: 1s",
    }.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "prometheus.yml").write_text(text, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [
            found,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        made = Prometheus(port)
        eventually("Prometheus answers", lambda: made.ask("status/buildinfo"))
        yield made
    finally:
        process.terminate()
        process.wait(60)


def test_it_fetches_the_metrics(prometheus: Prometheus) -> None:
    def result() -> Any:
        found = prometheus.ask("query", query='task_scheduler_runs_total{task="bad"}')
        return found and found["result"]

    series = eventually("the runs are there", result)

    labels = series[0]["metric"]
    assert labels["job"] == "task-scheduler"
    assert {item["metric"]["outcome"]: item["value"][1] for item in series}["failed"] == "1"
    [target] = prometheus.ask("targets")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")


def test_it_evaluates_every_rule(prometheus: Prometheus) -> None:
    def rules() -> Any:
        groups = (prometheus.ask("rules") or {"groups": []})["groups"]
        found = [rule for group in groups for rule in group["rules"]]
        return found if found and all(rule["health"] != "unknown" for rule in found) else None

    found = eventually("all rules were evaluated", rules)

    assert [(rule["name"], rule.get("lastError")) for rule in found if rule["health"] != "ok"] == []
    assert len(found) >= 20


def test_it_answers_every_query_of_the_dashboard(prometheus: Prometheus) -> None:
    problems, answered = [], 0
    for query in queries_of_dashboard():
        expression = query.expression
        for name, value in FILLED.items():
            expression = expression.replace(name, value)
        answer = prometheus.ask("query", query=expression)
        if answer is None or "error" in answer:
            problems.append((query.where, answer))
        else:
            answered += 1

    assert problems == []
    assert answered >= 40
