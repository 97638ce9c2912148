"""Alerts on a running scheduler, against a real mail server and a real HTTP receiver."""

from __future__ import annotations

import json
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from task_scheduler import CommandTask, FunctionTask, TaskScheduler
from task_scheduler.core.events import RunSettled
from task_scheduler.core.model import Outcome
from tests.integration.alerts.conftest import until
from tests.integration.alerts.servers import MailServer, Receiver

Start = Callable[..., TaskScheduler]
SECOND = 1_000_000


def mail_channel(server: MailServer) -> dict[str, Any]:
    return {"mail": {"host": "127.0.0.1", "port": server.port, "to": ["ops@example.org"]}}


def hook(receiver: Receiver, **more: Any) -> dict[str, Any]:
    return {"webhook": {"url": f"{receiver.url}/hook", **more}}


def settled(task_id: str, run_id: int, outcome: Outcome, error: str | None = None) -> RunSettled:
    now = time.time_ns() // 1_000
    return RunSettled(task_id, task_id, run_id, 1, outcome, error, SECOND, now)


def failing(text: str, path: Path) -> CommandTask:
    """A task that fails, and prints this, until a file is there."""
    program = f"import os, sys; print({text!r});sys.exit(0 if os.path.exists({str(path)!r}) else 3)"
    return CommandTask("upload", "Data upload", [sys.executable, "-c", program])


def test_a_failure_is_one_letter_with_all_that_is_needed_and_its_recovery_another(
    started: Start, mail: MailServer, tmp_path: Path
) -> None:
    scheduler = started({"channels": {"ops": mail_channel(mail)}})
    scheduler.add_task(
        failing("\x1b[31mError: pond 7\x1b[0m gives\u202eno answer", tmp_path / "fine")
    )

    run_id = scheduler.run_task("upload")
    until(lambda: mail.letters)

    [letter] = mail.letters
    text = letter.get_content()
    assert letter["Subject"].startswith("[farm] ✕ upload: ")
    assert letter["To"] == "ops@example.org"
    assert letter["Auto-Submitted"] == "auto-generated"
    for part in (
        "Task: upload (Data upload)",
        f"run {run_id}, attempt 1 of 1, exit code 3",
        "Cause: exit 3: Error: pond <n> gives",
        "Last success: never yet",
        "  | Error: pond 7 gives\\u202eno answer",
        f"  tsk logs {run_id}",
        "  tsk run upload",
        str(scheduler.files.database),
    ):
        assert part in text, text
    assert "\x1b" not in text

    (tmp_path / "fine").touch()
    scheduler.run_task("upload")
    until(lambda: len(mail.letters) == 2)

    assert "✓ upload is fine again" in mail.letters[1]["Subject"]
    assert mail.letters[1]["References"] == letter["References"]
    assert mail.letters[1]["Message-ID"] != letter["Message-ID"]
    assert scheduler.alerts() == []
    until(lambda: [d["state"] for d in scheduler.alert_log()] == ["delivered"] * 2)
    assert "250" in scheduler.alert_log()[0]["answer"] or scheduler.alert_log()[0]["answer"]


def test_28000_failures_of_one_cause_are_one_message_a_digest_and_a_recovery(
    started: Start, mail: MailServer, receiver: Receiver
) -> None:
    channels = {"ops": mail_channel(mail), "chat": hook(receiver)}
    scheduler = started({"channels": channels, "digest_seconds": 2})
    listener = scheduler._office
    assert listener is not None
    tell = scheduler._runtime.tell

    tell(settled("task-0", 1, Outcome.FAILED, "ConnectionError: no route to 10.0.0.1"))
    until(lambda: receiver.requests and mail.letters)
    turn = listener.desk._turn
    is_told = threading.Event()
    listener.desk._turn = lambda _: is_told.wait(30)  # type: ignore[assignment]
    for n in range(1, 28_000):
        error = f"ConnectionError: no route to 10.0.{n % 256}.{n // 256}"
        listener(settled(f"task-{n % 500}", n + 1, Outcome.FAILED, error))
    listener.desk._turn = turn
    is_told.set()
    until(lambda: len(receiver.requests) == 2 and len(mail.letters) == 2)
    for n in range(500):
        tell(settled(f"task-{n}", 28_001 + n, Outcome.SUCCEEDED))
    until(lambda: len(receiver.requests) == 3 and len(mail.letters) == 3)

    told = [(a["notice"], a["count"], a["task_count"]) for a in receiver.alerts]
    assert told == [("opened", 1, 1), ("digest", 28_000, 500), ("recovered", 28_000, 500)]
    assert {a["alert_id"] for a in receiver.alerts} == {1}
    assert receiver.alerts[0]["cause"] == "ConnectionError: no route to <address>"
    assert len({letter["References"] for letter in mail.letters}) == 1
    assert scheduler.alerts() == []


def test_a_dead_channel_is_shown_and_tried_again_and_holds_up_no_other(
    started: Start, receiver: Receiver, monkeypatch: Any
) -> None:
    monkeypatch.setattr("task_scheduler.alerts.courier._FIRST_PAUSE", SECOND // 20)
    monkeypatch.setattr("task_scheduler.alerts.courier._LONGEST_PAUSE", SECOND // 5)
    dead = Receiver()
    dead.code, dead.answer = 503, b"out of order"
    channels = {"chat": hook(receiver), "dead": hook(dead)}
    scheduler = started({"channels": channels, "rules": [{"on": ["failed"]}]})
    scheduler.add_task(FunctionTask("fails", "Fails", lambda: False))

    scheduler.run_task("fails")
    until(lambda: receiver.requests)
    [problem] = until(scheduler.problems)

    assert (problem["kind"], problem["where"]) == ("alerts_failed", "dead")
    assert problem["why"] == "503 out of order"
    assert "tsk alerts log" in problem["remedy"]
    until(lambda: len(dead.requests) > 3)
    assert len(receiver.requests) == 1
    assert len({r["headers"]["Idempotency-Key"] for r in dead.requests}) == 1

    dead.code = 200
    until(lambda: {d["state"] for d in scheduler.alert_log()} == {"delivered"})
    until(lambda: not scheduler.problems())
    dead.close()


def test_a_channel_that_does_not_answer_holds_up_neither_engine_nor_stop(
    started: Start, receiver: Receiver
) -> None:
    receiver.hold.clear()
    scheduler = started({"channels": {"chat": hook(receiver)}})
    scheduler.add_task(FunctionTask("fails", "Fails", lambda: False))
    scheduler.add_task(FunctionTask("works", "Works", lambda: True, overlap="allow"))

    scheduler.run_task("fails")
    until(lambda: receiver.requests)
    for n in range(20):
        scheduler.run_task("works", request_id=str(n))

    until(lambda: scheduler.get_task_status("works")["success_count"] == 20)
    scheduler.stop(timeout=5)

    assert scheduler.get_task_status()["scheduler"]["state"] == "stopped"
    assert not receiver.hold.is_set()
    receiver.hold.set()


def test_what_was_not_delivered_is_delivered_by_the_next_process_once(
    started: Start, receiver: Receiver
) -> None:
    receiver.code = 500
    alerts = {"channels": {"chat": hook(receiver)}, "rules": [{"on": ["failed"]}]}
    first = started(alerts)
    first.add_task(FunctionTask("fails", "Fails", "tests.integration.alerts.work:fail"))
    first.run_task("fails")
    until(lambda: [d["attempts"] for d in first.alert_log()] == [1])
    first.stop()
    assert [d["state"] for d in first.alert_log()] == ["waiting"]
    receiver.code = 200
    before = len(receiver.requests)

    second = started(alerts)
    until(lambda: [d["state"] for d in second.alert_log()] == ["delivered"])
    second.stop()
    third = started(alerts)
    third.add_task(FunctionTask("fails", "Fails", "tests.integration.alerts.work:work"))
    third.run_task("fails")
    until(lambda: len(third.alert_log()) == 2)
    until(lambda: third.alert_log()[0]["state"] == "delivered")

    assert [a["notice"] for a in receiver.alerts[before:]] == ["opened", "recovered"]


def test_a_failure_that_nobody_was_told_of_before_the_end_is_told_by_the_next_process(
    started: Start, receiver: Receiver
) -> None:
    alerts = {"channels": {"chat": hook(receiver)}, "rules": [{"on": ["failed"]}]}
    first = started(alerts)
    first.add_task(FunctionTask("fails", "Fails", "tests.integration.alerts.work:fail"))
    until(lambda: first._reader.fetch("alert_cursor"))
    # As a crash in the very moment would leave it: the run is in the ledger, no alert is.
    office = first._office
    assert office is not None
    office.close()
    first.run_task("fails")
    until(lambda: first.get_task_status("fails")["failure_count"] == 1)
    first.stop()
    assert receiver.requests == []

    started(alerts)
    until(lambda: receiver.requests)

    assert receiver.alerts[0]["task_id"] == "fails"


def test_a_restored_ledger_delivers_nothing_that_was_on_its_way_when_it_was_saved(
    started: Start, receiver: Receiver
) -> None:
    receiver.code = 500
    alerts = {"channels": {"chat": hook(receiver)}, "rules": [{"on": ["failed"]}]}
    first = started(alerts)
    first.add_task(FunctionTask("fails", "Fails", "tests.integration.alerts.work:fail"))
    first.run_task("fails")
    until(lambda: [d["attempts"] for d in first.alert_log()] == [1])
    first.stop()
    with closing(sqlite3.connect(first.files.database)) as ledger, ledger:
        now = time.time_ns() // 1_000
        ledger.execute("UPDATE ledger SET held_at = ?, held_reason = 'restored'", (now,))
        ledger.execute("UPDATE ledger SET held_moment = ?, held_token = 0, held_run_id = 9", (now,))
    receiver.code, before = 200, len(receiver.requests)

    second = started(alerts)
    until(lambda: [d["state"] for d in second.alert_log()] == ["superseded"])

    assert second.hold() is not None
    assert len(receiver.requests) == before


def test_a_channel_that_comes_with_a_new_configuration_is_told_from_then_on(
    started: Start, receiver: Receiver
) -> None:
    scheduler = started({})
    scheduler.add_task(FunctionTask("fails", "Fails", lambda: False))
    assert scheduler._office is None

    scheduler.config.config["alerts"] = {"channels": {"chat": hook(receiver)}, "gather_seconds": 0}
    until(lambda: scheduler._reader.fetch("alert_cursor"))
    scheduler.run_task("fails")

    until(lambda: receiver.requests)


def test_a_full_ledger_is_told_although_nothing_can_be_written(
    started: Start, receiver: Receiver
) -> None:
    from task_scheduler.core.events import FaultBegan
    from task_scheduler.core.faults import FaultKind, Trouble

    scheduler = started({"channels": {"chat": hook(receiver)}})
    until(lambda: scheduler._reader.fetch("alert_cursor"))
    office = scheduler._office
    assert office is not None
    office.desk._write = lambda _: False

    trouble = Trouble(FaultKind.STORE_FULL, "/farm", "no space")
    scheduler._runtime.tell(FaultBegan(trouble, time.time_ns() // 1_000))

    until(lambda: receiver.requests)
    assert receiver.alerts[0]["kind"] == "fault"


def test_a_silence_keeps_quiet_and_another_process_can_ask_for_it(
    started: Start, receiver: Receiver
) -> None:
    alerts = {"channels": {"chat": hook(receiver)}, "rules": [{"on": ["failed"]}]}
    scheduler = started(alerts)
    scheduler.add_task(FunctionTask("fails", "Fails", lambda: False))
    # A facade that was not started goes through the control socket, as `tsk` does.
    client = started(alerts, is_begun=False)

    client.silence_alerts("fails", seconds=3_600, reason="moving")
    scheduler.run_task("fails")
    until(lambda: [a["count"] for a in client.alerts()] == [1])

    assert [s["pattern"] for s in client.silences()] == ["fails"]
    assert receiver.requests == []
    assert client.unsilence_alerts("fails") == 1
    until(lambda: receiver.requests)
    actions = [row["action"] for row in client.view.audit(limit=3)]
    assert actions == ["unsilence", "run", "silence"]


def test_a_program_gets_the_message_and_none_of_our_secrets(
    started: Start, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", "hunter22")
    target = tmp_path / "message.json"
    program = (
        "import json, os, sys; message = json.load(sys.stdin);"
        "message['environment'] = dict(os.environ);"
        f"open({str(target)!r} + '.new', 'w').write(json.dumps(message));"
        f"os.rename({str(target)!r} + '.new', {str(target)!r}); print('shown')"
    )
    command = {"command": {"argv": [sys.executable, "-c", program], "env": {"WHO": "ops"}}}
    scheduler = started({"channels": {"screen": command}})
    scheduler.add_task(FunctionTask("fails", "Fails", lambda: False))

    scheduler.run_task("fails")
    until(target.exists)

    message = json.loads(target.read_text(encoding="utf-8"))
    assert message["schema"] == "tsk.alert/1"
    assert message["task_id"] == "fails"
    assert message["environment"]["WHO"] == "ops"
    assert "DATABASE_PASSWORD" not in message["environment"]
    until(lambda: scheduler.alert_log()[0]["answer"] == "shown")


def test_secrets_are_in_no_message_and_no_log(
    started: Start, receiver: Receiver, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("s3cr3t-token-of-the-chat", encoding="utf-8")
    (tmp_path / "word").write_text("pond-password-77", encoding="utf-8")
    security = {
        "secrets": {
            "chat": {"file": str(tmp_path / "token")},
            "pond": {"file": str(tmp_path / "word")},
        }
    }
    receiver.code, receiver.answer = 404, b"no hook s3cr3t-token-of-the-chat"
    channel = {"webhook": {"url": receiver.url + "/${secret:chat}"}}
    scheduler = started({"channels": {"chat": channel}}, security=security)
    program = "import os, sys; print('Error:', os.environ['WORD']); sys.exit(1)"
    scheduler.add_task(
        CommandTask(
            "leaks", "Leaks", [sys.executable, "-c", program], env={"WORD": "${secret:pond}"}
        )
    )

    scheduler.run_task("leaks")
    [delivery] = until(lambda: [d for d in scheduler.alert_log() if d["answer"]])

    assert receiver.paths[0] == "/s3cr3t-token-of-the-chat"
    assert "pond-password-77" not in receiver.requests[0]["body"].decode()
    assert delivery["answer"] == "404 no hook ***"


def test_runs_are_told_to_a_monitor_outside_and_so_is_the_scheduler_s_life(
    started: Start, receiver: Receiver
) -> None:
    scheduler = started(
        {
            "pings": {"works": f"{receiver.url}/w", "fail*": f"{receiver.url}/f"},
            "heartbeat": {"url": f"{receiver.url}/alive", "every_seconds": 1},
        }
    )
    scheduler.add_task(FunctionTask("works", "Works", lambda: True))
    scheduler.add_task(FunctionTask("fails", "Fails", lambda: False))

    scheduler.run_task("works")
    scheduler.run_task("fails")
    until(lambda: receiver.paths.count("/alive") >= 2)
    until(lambda: any(path.startswith("/f/fail") for path in receiver.paths))

    of_works = [path.split("?") for path in receiver.paths if path.startswith("/w")]
    assert [path for path, _ in of_works] == ["/w/start", "/w"]
    assert of_works[0][1] == of_works[1][1]
    assert [p.split("?")[0] for p in receiver.paths if p.startswith("/f")] == [
        "/f/start",
        "/f/fail",
    ]


def test_a_ping_from_elsewhere_ends_the_alert_of_its_silence(
    started: Start, receiver: Receiver
) -> None:
    alerts = {
        "channels": {"chat": hook(receiver)},
        "expected": {"nas": {"every_seconds": 1, "grace_seconds": 1}},
    }
    scheduler = started(alerts)
    until(lambda: receiver.requests)

    started(alerts, is_begun=False).ping("nas")
    until(lambda: len(receiver.requests) >= 2)

    assert [(a["notice"], a["kind"]) for a in receiver.alerts[:2]] == [
        ("opened", "silent"),
        ("recovered", "silent"),
    ]
    assert [row["check_id"] for row in scheduler.pings()] == ["nas"]


def test_the_engine_waits_for_no_listener_however_many_failures_there_are(
    started: Start, receiver: Receiver
) -> None:
    scheduler = started({"channels": {"chat": hook(receiver)}})
    until(lambda: scheduler._reader.fetch("alert_cursor"))
    office = scheduler._office
    assert office is not None
    # The desk stands still: nothing is taken from the queue.
    is_held = threading.Event()
    take, office.desk._turn = office.desk._turn, lambda _: is_held.wait(30)  # type: ignore[assignment]
    for n in range(150_000):
        office(settled("fails", n, Outcome.FAILED, "x"))

    assert len(office.desk._events) <= 100_000
    assert office.desk.dropped >= 49_000
    office.desk._turn = take
    is_held.set()
    until(lambda: receiver.requests)
