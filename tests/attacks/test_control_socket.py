"""What a process of the same user may send to the control socket: refused, or carried literally.

One scheduler gets all of it; after each attack it still answers, and a run still succeeds.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from task_scheduler import CommandTask, TaskScheduler
from task_scheduler.control import ask, command_of, entry_from
from task_scheduler.core.model import Policies
from task_scheduler.core.policies import to_plain
from task_scheduler.errors import TaskSchedulerError
from tests.attacks.places import open_to_all
from tests.integration.facade.bench import settled

NOBODY = 65_534


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TaskScheduler]:
    folder = tmp_path_factory.mktemp("victim")
    with TaskScheduler(
        {},
        storage=str(folder / "state" / "scheduler.db"),
        language="en",
        logging={"log_dir": str(folder / "logs"), "console": False},
    ) as made:
        made.add_task(CommandTask("ok", None, ["true"]))
        yield made
        assert settled(made, made.run_task("ok"))["state"] == "succeeded"
        assert made.view.audit_rows()


def exchange(scheduler: TaskScheduler, line: bytes) -> bytes:
    """Send bytes and return what comes back until the other end has no more to say."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(os.path.relpath(scheduler.files.socket))
        client.sendall(line)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65_536), b""))


RAW: dict[str, bytes] = {
    "blank": b"\n",
    "spaces": b"   \n",
    "text": b"hello\n",
    "http": b"GET / HTTP/1.1\r\n",
    "null": b"null\n",
    "number": b"5\n",
    "list": b"[]\n",
    "list-of-op": b'["op"]\n',
    "text-json": b'"op"\n',
    "empty": b"{}\n",
    "half": b'{"op": "hello"\n',
    "trailing": b'{"op": "hello"} x\n',
    "binary": bytes(range(1, 10)) + b"\xff\xfe\n",
    "nul": b'{"op": "hel\0lo"}\n',
    "utf-16": '{"op": "hello"}'.encode("utf-16") + b"\n",
    "deep": b"[" * 100_000 + b"\n",
    "deep-object": b'{"op":' * 50_000 + b"\n",
    "deep-value": b'{"op": "pause", "task_id": ' + b"[" * 50_000 + b"]" * 50_000 + b"}\n",
    "megabytes": b'{"op": "' + b"x" * 3_000_000 + b'"}\n',
    "digits": b'{"op": "cancel", "run_id": ' + b"9" * 5_000 + b"}\n",
    "nan": b'{"op": "cancel", "run_id": NaN}\n',
    "endless": b'{"op": "cancel", "run_id": 1e400}\n',
    "op-null": b'{"op": null}\n',
    "op-list": b'{"op": ["hello"]}\n',
    "op-object": b'{"op": {"a": 1}}\n',
    "op-unknown": b'{"op": "shutdown"}\n',
    "op-dunder": b'{"op": "__class__"}\n',
    "op-case": b'{"op": "HELLO"}\n',
    "op-space": b'{"op": " pause"}\n',
    "op-eval": b"{\"op\": \"__import__('os').system('id')\"}\n",
}


@pytest.mark.parametrize("name", RAW)
def test_a_line_that_is_no_request_is_answered_with_an_error(
    name: str, victim: TaskScheduler
) -> None:
    answer = json.loads(exchange(victim, RAW[name]))

    assert set(answer) == {"error"}
    assert ask(victim.files.socket, "hello", timeout_seconds=20)["state"] == "running"


def test_of_two_values_of_one_name_the_last_counts_and_is_checked(victim: TaskScheduler) -> None:
    line = b'{"op": "hello", "op": "pause", "task_id": "ok", "task_id": 5}\n'

    assert "error" in json.loads(exchange(victim, line))
    assert victim.get_task_status("ok")["paused_at"] is None


def test_many_requests_at_once_get_as_many_answers(victim: TaskScheduler) -> None:
    answers = exchange(victim, b'{"op": "nothing"}\n' * 50).splitlines()

    assert len(answers) == 50
    assert all("error" in json.loads(answer) for answer in answers)


@pytest.mark.parametrize("count", [1, 100])
def test_who_connects_and_says_nothing_keeps_nobody_out(count: int, victim: TaskScheduler) -> None:
    idle = []
    try:
        for _ in range(min(count, 40)):
            client = socket.socket(socket.AF_UNIX)
            idle.append(client)
            client.connect(os.path.relpath(victim.files.socket))
        assert ask(victim.files.socket, "hello", timeout_seconds=20)["state"] == "running"
    finally:
        for client in idle:
            client.close()


WRONG: dict[str, tuple[str, dict[str, Any]]] = {
    "pause-object": ("pause", {"task_id": {"a": 1}}),
    "pause-list": ("pause", {"task_id": ["ok"]}),
    "pause-none": ("pause", {"task_id": None}),
    "pause-nothing": ("pause", {}),
    "pause-other": ("pause", {"task_id": "nothing' OR '1'='1"}),
    "pause-reason-object": ("pause", {"task_id": "ok", "reason": {"a": 1}}),
    "pause-reason-half": ("pause", {"task_id": "ok", "reason": "\ud800"}),
    "pause-until-text": ("pause", {"task_id": "ok", "until": "tomorrow"}),
    "pause-until-huge": ("pause", {"task_id": "ok", "until": 10**30}),
    "pause-until-float": ("pause", {"task_id": "ok", "until": 1e308}),
    "pause-until-flag": ("pause", {"task_id": "ok", "until": True}),
    "pause-resolve": ("pause", {"task_id": "ok", "resolve": "os:system"}),
    "pause-reject": ("pause", {"task_id": "ok", "reject": {"__class__": "x"}}),
    "pause-class": ("pause", {"task_id": "ok", "__class__": "subprocess.Popen"}),
    "pause-init": ("pause", {"task_id": "ok", "__init__": []}),
    "pause-self": ("pause", {"task_id": "ok", "self": 1}),
    "resume-text": ("resume", {"task_id": "ok", "resume_from": "x"}),
    "resume-huge": ("resume", {"task_id": "ok", "resume_from": 10**40}),
    "run-number": ("run", {"task_id": "ok", "request_id": 5}),
    "run-object": ("run", {"task_id": "ok", "request_id": {"a": 1}}),
    "run-half": ("run", {"task_id": "ok", "request_id": "\udfff"}),
    "run-more": ("run", {"task_id": "ok", "request_id": "x", "user": "root"}),
    "run-command": ("run", {"task_id": "ok", "request_id": "x", "command": ["touch", "/x"]}),
    "run-other": ("run", {"task_id": "../ok", "request_id": "x"}),
    "cancel-text": ("cancel", {"run_id": "1 OR 1=1"}),
    "cancel-huge": ("cancel", {"run_id": 10**30}),
    "cancel-none": ("cancel", {"run_id": None}),
    "cancel-flag": ("cancel", {"run_id": True}),
    "cancel-negative": ("cancel", {"run_id": -1}),
    "cancel-reason": ("cancel", {"run_id": 1, "reason": {"x": 1}}),
    "backfill-text": ("backfill", {"task_id": "ok", "start": "a", "end": "b", "limit": "c"}),
    "backfill-huge": ("backfill", {"task_id": "ok", "start": -(10**30), "end": 1, "limit": 1}),
    "backfill-limit": ("backfill", {"task_id": "ok", "start": 1, "end": 2, "limit": 10**30}),
    "backfill-flag": (
        "backfill",
        {"task_id": "ok", "start": 1, "end": 2, "limit": 1, "is_dry_run": "no"},
    ),
    "release": ("release", {"since": None}),
    "release-text": ("release", {"since": "now"}),
    "release-flag": ("release", {"since": None, "keep_waiting": 1}),
    "remove-text": ("remove", {"task_ids": "ok"}),
    "remove-number": ("remove", {"task_ids": 5}),
    "remove-lists": ("remove", {"task_ids": [["ok"]]}),
    "remove-nothing": ("remove", {"task_ids": ["nothing"]}),
    "remove-both": ("remove", {"task_ids": ["ok", "nothing"]}),
    "add-nothing": ("add", {"entries": [{}]}),
    "add-number": ("add", {"entries": 5}),
    "add-text": ("add", {"entries": "ok"}),
    "add-resolve": ("add", {"entries": [], "resolve": 1}),
    "offer-number": ("offer", {"entries": 5}),
    "offer-lists": ("offer", {"entries": [[]]}),
    "offer-nothing": ("offer", {}),
    "backup-nothing": ("backup", {}),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_request_with_wrong_values_changes_nothing(name: str, victim: TaskScheduler) -> None:
    op, values = WRONG[name]
    before = victim.view.tasks(), victim.view.audit_rows(), victim.view.runs()

    with pytest.raises(TaskSchedulerError):
        ask(victim.files.socket, op, timeout_seconds=20, **values)

    assert (victim.view.tasks(), victim.view.audit_rows(), victim.view.runs()) == before
    assert ask(victim.files.socket, "hello", timeout_seconds=20)["store_error"] is None


@pytest.mark.parametrize(
    "name", [name for name, (op, _) in WRONG.items() if op not in ("offer", "backup")]
)
def test_what_is_refused_never_reaches_the_engine(name: str) -> None:
    op, values = WRONG[name]
    is_literal = name in (
        "pause-other",
        "run-other",
        "release",
        "remove-nothing",
        "remove-both",
        "cancel-negative",
    )
    if is_literal:
        assert command_of(op, values).__class__.__module__ == "task_scheduler.core.inbox"
        return
    with pytest.raises((TaskSchedulerError, TypeError, KeyError)):
        command_of(op, values)


GOOD = {
    "task_id": "added",
    "name": "added",
    "kind": "command",
    "executor": "process",
    "definition": {"command": ["true"], "working_dir": "/", "env": {}},
    "rules": [],
    "policies": to_plain(Policies()),
    "is_code_bound": False,
    "origin": "api",
}

ENTRIES: dict[str, tuple[str, Any]] = {
    "id-number": ("task_id", 5),
    "id-empty": ("task_id", ""),
    "id-half": ("task_id", "\ud800"),
    "id-escape": ("task_id", "a\x1b[2Jb"),
    "id-line": ("task_id", "a\nb"),
    "id-long": ("task_id", "x" * 10_000),
    "name-none": ("name", None),
    "name-line": ("name", "a\nb"),
    "name-long": ("name", "x" * 10_000),
    "kind-number": ("kind", 5),
    "executor-unknown": ("executor", "gpu"),
    "executor-number": ("executor", 5),
    "definition-list": ("definition", [1]),
    "definition-text": ("definition", "command"),
    "definition-none": ("definition", None),
    "rules-number": ("rules", [5]),
    "rules-none": ("rules", None),
    "rules-text": ("rules", "every 5m"),
    "bound-text": ("is_code_bound", "no"),
    "bound-number": ("is_code_bound", 0),
    "origin-number": ("origin", 5),
    "policies-list": ("policies", []),
    "more": ("__class__", "subprocess.Popen"),
    "more-user": ("user", "root"),
}


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_that_no_program_of_ours_sends_is_refused(
    name: str, victim: TaskScheduler
) -> None:
    field, value = ENTRIES[name]
    entry = {**GOOD, field: value}

    with pytest.raises((TaskSchedulerError, TypeError, KeyError, ValueError, AttributeError)):
        entry_from(entry)
    with pytest.raises(TaskSchedulerError):
        ask(victim.files.socket, "add", entries=[entry], timeout_seconds=20)
    assert [task["task_id"] for task in victim.view.tasks()] == ["ok"]


@pytest.mark.parametrize("policies", [{"max_retries": "many"}, {"preexec": "os:system"}, {}])
def test_policies_that_are_none_are_the_usual_ones(policies: dict[str, Any]) -> None:
    assert entry_from({**GOOD, "policies": policies}).policies == Policies()


@pytest.mark.parametrize("actor", ["root, pid 1, systemd", "", 5, None, {"a": 1}, "x" * 9_999])
def test_who_asks_is_what_the_system_says(actor: Any, victim: TaskScheduler) -> None:
    ask(victim.files.socket, "pause", task_id="ok", reason="x", actor=actor, timeout_seconds=20)
    told = victim.view.audit(limit=1)[0]["actor"]
    ask(victim.files.socket, "resume", task_id="ok", timeout_seconds=20)

    assert f"pid {os.getpid()}" in told
    assert len(told) < 300
    # One who says nothing at all is told of, too.
    assert f"pid {os.getpid()}" in victim.view.audit(limit=1)[0]["actor"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_another_user_is_not_heard_even_where_the_file_lets_him_in(
    victim: TaskScheduler,
) -> None:
    path = victim.files.socket
    path.chmod(0o777)
    open_to_all(path.parent)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(20)
                client.connect(str(path))
                client.sendall(b'{"op": "hello"}\n')
                os.write(writing, b"answer:" + client.recv(100))
        except OSError as error:
            os.write(writing, type(error).__name__.encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(pid, 0)
    answer = os.read(reading, 200)
    os.close(reading)

    assert answer in (b"answer:", b"ConnectionResetError", b"BrokenPipeError"), answer


def test_the_socket_is_its_users_alone(tmp_path: Path) -> None:
    from task_scheduler.control import ControlServer

    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("precious")
    for kind in ("file", "link", "pipe"):
        path = tmp_path / kind
        if kind == "file":
            path.write_text("x")
        elif kind == "link":
            path.symlink_to(elsewhere)
        else:
            os.mkfifo(path)
        server = ControlServer(path, lambda op, values: None)
        assert path.is_socket()
        assert path.stat().st_mode & 0o777 == 0o600
        server.close()
        assert not path.exists()
    assert elsewhere.read_text() == "precious"
