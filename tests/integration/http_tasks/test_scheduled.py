"""HTTP tasks under a real scheduler: outcomes, outputs, cancels, timeouts, secrets, restarts."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from task_scheduler import HttpTask, TaskScheduler
from tests.integration.facade.bench import eventually, settled
from tests.integration.http_tasks.servers import Seen, answer, closed_port, serving
from tests.integration.http_tasks.test_requests import silent
from tests.unit.cli.made_ledger import MadeLedger

CANARY = "c4n4ry/+secret&9f8e"


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., TaskScheduler]]:
    """Make schedulers of one configuration file, with these entries and this security."""
    made: list[TaskScheduler] = []

    def make(entries: dict[str, Any] | None = None, **security: Any) -> TaskScheduler:
        config = {
            "security": security,
            "entries": entries or {},
            "tasks": {"max_retries": 0},
            "scheduler": {"log_level": "DEBUG", "language": "en"},
            "logging": {"log_dir": "logs", "console": False},
        }
        (tmp_path / "scheduler_config.json").write_text(json.dumps(config))
        scheduler = TaskScheduler(str(tmp_path / "scheduler_config.json"))
        made.append(scheduler)
        scheduler.start()
        return scheduler

    yield make
    for scheduler in made:
        scheduler.stop(10)


def attempt_of(scheduler: TaskScheduler, run_id: int) -> dict[str, Any]:
    return dict(settled(scheduler, run_id)["attempts"][-1])


def test_a_declared_request_runs_and_its_answer_can_be_read(
    make: Callable[..., TaskScheduler], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(answer(body=b"12 fish\n\x1b[2J")) as server:
        entry = {"type": "http", "url": server.url("/count"), "every": "1d", "expected_status": 200}
        scheduler = make({"count": entry})
        run_id = eventually("it runs", lambda: scheduler.view.runs("count"))[0]["run_id"]
        attempt = attempt_of(scheduler, run_id)
    assert attempt["outcome"] == "succeeded", attempt
    path = Path(attempt["output_path"])
    assert path.read_bytes() == b"12 fish\n\x1b[2J"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    farm = MadeLedger.__new__(MadeLedger)
    farm.config, farm._capsys = tmp_path / "scheduler_config.json", capsys
    shown = farm.tsk("logs", str(run_id)).out
    assert "12 fish" in shown
    assert "\x1b[2J" not in shown
    assert server.url("/count") in farm.tsk("show", "count").out.replace("\n", "")
    assert json.loads(farm.tsk("show", "count", "--json").out)["task"]["kind"] == "http"
    assert "http" in farm.tsk("check").out


def test_retries_are_those_of_every_task_and_name_the_same_run(
    make: Callable[..., TaskScheduler],
) -> None:
    def reply(connection: Any, seen: Seen) -> None:
        is_third = len(server.seen) >= 3
        (answer() if is_third else answer("503 Busy", b"later"))(connection, seen)

    with serving(reply) as server:
        scheduler = make()
        scheduler.add_task(HttpTask("t", None, server.url(), max_retries=5, retry_delay=0))
        run = settled(scheduler, scheduler.run_task("t"))
    assert run["state"] == "succeeded"
    assert [attempt["outcome"] for attempt in run["attempts"]] == ["failed", "failed", "succeeded"]
    assert "503 Busy" in run["attempts"][0]["error"]
    assert len({seen.headers["idempotency-key"] for seen in server.seen}) == 1


def test_a_cancel_closes_the_connection_and_the_run_is_cancelled(
    make: Callable[..., TaskScheduler],
) -> None:
    with serving(silent) as server:
        scheduler = make()
        scheduler.add_task(HttpTask("t", None, server.url(), timeout=None))
        run_id = scheduler.run_task("t")
        assert server.reached.wait(30)
        scheduler.cancel_run(run_id)
        run = settled(scheduler, run_id)
        assert server.broken.wait(30)
    assert run["state"] == "cancelled"


def test_a_timeout_closes_the_connection_and_gives_the_seat_back(
    make: Callable[..., TaskScheduler],
) -> None:
    with serving(silent) as server:
        scheduler = make()
        scheduler.add_task(HttpTask("t", None, server.url(), timeout=0.3))
        run = settled(scheduler, scheduler.run_task("t"))
        assert server.broken.wait(30)
        assert run["state"] == "timed_out"
        # The next attempt starts only when the thread of the first has ended.
        again = settled(scheduler, scheduler.run_task("t"))
        assert again["state"] == "timed_out"
        assert len(server.seen) == 2


def test_after_a_restart_the_request_is_the_same(make: Callable[..., TaskScheduler]) -> None:
    with serving(answer()) as server:
        first = make()
        task = HttpTask("t", None, server.url("/x"), "POST", json={"a": [1, None]}, verify=False)
        first.add_task(task)
        first.stop(10)
        second = make()
        assert second.view.task("t")["definition"] == task.definition()
        assert settled(second, second.run_task("t"))["state"] == "succeeded"
    assert (server.seen[0].line, json.loads(server.seen[0].body)) == (
        "POST /x HTTP/1.1",
        {"a": [1, None]},
    )


def test_hosts_that_are_not_listed_are_not_reached(make: Callable[..., TaskScheduler]) -> None:
    with serving(answer()) as server:
        scheduler = make(targets={"hosts": ["farm.example"]})
        scheduler.add_task(HttpTask("t", None, server.url()))
        attempt = attempt_of(scheduler, scheduler.run_task("t"))
    assert (attempt["outcome"], server.seen) == ("failed", [])
    assert "127.0.0.1" in attempt["error"]


def test_no_channel_has_the_secret_of_a_request(
    make: Callable[..., TaskScheduler],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whatever the other side does with it: say it, send it back, redirect to it, break off."""
    monkeypatch.setenv("POND_KEY", CANARY)
    caplog.set_level(logging.DEBUG)
    quoted = "c4n4ry%2F%2Bsecret%269f8e"

    def reply(connection: Any, seen: Seen) -> None:
        path = seen.line.split()[1].partition("?")[0]
        said = f"you said {CANARY}, {quoted} and {seen.headers['authorization']}".encode()
        replies = {
            "/says": answer("500 Oops", said),
            "/fine": answer("200 OK", said),
            "/reason": answer(f"500 {CANARY}", b""),
            "/away": answer("302 Found", said, {"Location": f"http://127.0.0.1:1/{quoted}"}),
            "/odd": answer("302 Found", said, {"Location": f"http://[{quoted}"}),
            "/moved": answer(
                "301 Moved", said, {"Location": f"http://x.invalid/{quoted}?k={quoted}"}
            ),
            "/breaks": answer(body=said, headers={"Content-Length": "9999"}),
            "/packed": answer(body=said, headers={"Content-Encoding": "gzip"}),
        }
        replies[path](connection, seen)

    with serving(reply) as server:
        scheduler = make(secrets={"KEY": {"env": "POND_KEY"}})
        events: list[Any] = []
        scheduler._runtime.listeners.append(events.append)
        paths = ("/says", "/fine", "/reason", "/away", "/odd", "/moved", "/breaks", "/packed")
        urls = [server.url(path) for path in paths] + [f"http://127.0.0.1:{closed_port()}/"]
        for number, url in enumerate(urls):
            scheduler.add_task(
                HttpTask(
                    f"t{number}",
                    None,
                    f"{url}?key=${{secret:KEY}}",
                    "POST" if url.endswith("/moved") else "GET",
                    auth=["farm", "${secret:KEY}"],
                    headers={"X-Key": "${secret:KEY}"},
                    body="${secret:KEY}",
                )
            )
            settled(scheduler, scheduler.run_task(f"t{number}"))
    # It was there, and went to nobody else.
    assert all(CANARY in seen.headers["x-key"] for seen in server.seen)
    assert len(server.seen) == len(paths)
    farm = MadeLedger.__new__(MadeLedger)
    farm.config, farm._capsys = tmp_path / "scheduler_config.json", capsys
    found = {"log records": caplog.text, "events": repr(events)}
    found["metrics"] = scheduler.metrics().decode()
    found["status"] = repr(scheduler.get_task_status())
    for words in (["show", "t0", "--json"], ["runs", "--json"], ["audit", "--json"], ["status"]):
        found[" ".join(words)] = farm.tsk(*words).out
    for run in scheduler.view.runs():
        found[f"logs {run['run_id']}"] = farm.tsk("logs", str(run["run_id"])).out
    assert farm.tsk("backup", str(tmp_path / "backup.db")).code == 0
    for path in tmp_path.rglob("*"):
        if path.is_file() and not path.is_socket():
            found[str(path)] = path.read_bytes().decode("utf-8", "replace")
    middles = ("4ry/+sec", "4ry%2F%2Bsec", "NG40cnkvK3NlY3Jld")
    leaks = [place for place, text in found.items() for part in middles if part in text]
    assert leaks == []
    assert "***" in "".join(found.values())
