"""Canary secrets in what is served over the network: the endpoint of the metrics, and its file."""

from __future__ import annotations

import http.client
import socket
from pathlib import Path

import pytest

from task_scheduler import CommandTask, TaskScheduler
from tests.integration.facade.bench import eventually, settled


def test_the_endpoint_of_the_metrics_tells_neither_its_token_nor_a_secret_in_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As a header can carry it, and as the id of a task.
    canary = "c4nary+9f8e-7d.6c"
    monkeypatch.setenv("POND_DB", canary)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {
        "security": {"secrets": {"DB": {"env": "POND_DB"}}},
        "monitoring": {
            "metrics": {
                "listen": f"127.0.0.1:{port}",
                "token": "${secret:DB}",
                "file": str(tmp_path / "metrics.prom"),
                "file_interval_seconds": 1,
            }
        },
        "storage": {"path": str(tmp_path / "state" / "scheduler.db")},
        "logging": {"log_dir": str(tmp_path / "logs"), "console": False},
    }
    answers: dict[str, tuple[int, str]] = {}
    with TaskScheduler(settings, language="en") as made:
        made.add_task(CommandTask("t", None, ["true"], env={"P": "${secret:DB}"}))
        settled(made, made.run_task("t"))
        eventually("the endpoint answers", lambda: answer_of(port, "") is not None)
        for name, header in (("none", ""), ("wrong", "Bearer x"), ("right", f"Bearer {canary}")):
            answers[name] = answer_of(port, header) or (0, "")
        written = eventually("the file", lambda: read_if_there(tmp_path / "metrics.prom"))
        config = repr(made.config.settings.model_dump()) + repr(made.config.settings)
    texts = [path.read_text() for path in (tmp_path / "logs").rglob("*") if path.is_file()]

    assert [answers[name][0] for name in ("none", "wrong", "right")] == [401, 401, 200]
    assert "task_scheduler_" in answers["right"][1]
    found = [*(body for _, body in answers.values()), written, config, *texts]
    assert [text for text in found if canary in text] == []


def read_if_there(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def answer_of(port: int, authorization: str) -> tuple[int, str] | None:
    """Return status, and head with body, of the endpoint; None while it does not listen."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Authorization": authorization} if authorization else {}
    try:
        connection.request("GET", "/metrics", headers=headers)
        response = connection.getresponse()
        return response.status, f"{response.headers}{response.read().decode()}"
    except ConnectionRefusedError:
        return None
    finally:
        connection.close()
