"""`tsk alerts` and `tsk ping`: what they print, letter by letter, and how they end."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from task_scheduler.alerts.memory import Alert, Part, Sample
from task_scheduler.alerts.messages import Message
from task_scheduler.cli.display_width import width_of
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.i18n import LANGUAGES
from task_scheduler.stores.sqlite import SqliteStore
from tests.unit.cli.made_ledger import NOW, MadeLedger, at

GOLDEN = Path(__file__).with_name("golden")
COMMANDS = ("alerts", "alerts --all", "alerts log", "alerts --help", "ping --help", "ping nsa")
ALERTS = {
    "channels": {
        "ops": {"mail": {"to": ["ops@example.org"]}},
        "chat": {"webhook": {"url": "http://127.0.0.1:9/secret-path"}},
    },
    "expected": {"nas": {"every_seconds": "1d"}},
}


@pytest.fixture
def told(farm: MadeLedger) -> MadeLedger:
    """A ledger with an open alert of two tasks, one that is over, a silence and deliveries."""
    farm.config.write_text(json.dumps({"alerts": ALERTS, "logging": {"console": False}}))
    error = "exit code 1: ConnectionRefusedError: [Errno 111] Connection refused"
    opened = Alert(1, "all", "failed", "exit 1: ConnectionRefusedError", at("02:05:16"), NOW)
    opened.count, opened.told_at, opened.seen_count = 12, at("02:06:16"), 2
    opened.sample = Sample("data_upload", "Data upload", 7, 3, error, NOW)
    over = Alert(2, "all", "late", "", at("04:00:00"), at("04:10:00"), at("04:10:00"), 1, True)
    over.sample = Sample("heartbeat", "Heartbeat", 8, 0, "", at("04:00:00"))
    parts = [
        opened.part_row(Part(name, name, at("02:05:16"), NOW, 6, 7))
        for name in ("data_upload", "report")
    ]
    message = Message(subject="[farm] ✕ data_upload: refused", text="", thread="t", key="k")
    plain = message.to_json()
    deliveries = [
        [1, 1, "ops", "opened", "delivered", at("02:06:16"), 0, 1, at("02:06:17"), "accepted"],
        [2, 1, "chat", "opened", "superseded", at("02:06:16"), 0, 4, at("03:06:17"), "503"],
        [3, 1, "chat", "digest", "waiting", at("05:00:00"), 0, 2, at("05:50:00"), "503 \x1b[31m"],
        [4, 1, "old", "opened", "given_up", at("01:00:00"), 0, 3, at("01:00:17"), "404"],
    ]
    store = SqliteStore(farm.database)
    with store.transaction():
        store.execute("put_alerts", rows=[opened.row(), over.row()])
        store.execute("put_alert_tasks", rows=parts)
        store.execute("put_deliveries", rows=[[*row, plain] for row in deliveries])
        until = at("08:00:00")
        silence = {"pattern": "pond_*", "until": until, "reason": "cleaning", "actor": "sato"}
        store.execute("insert_silence", now=at("05:00:00"), **silence)
    store.close()
    return farm


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_reads_as_it_was_approved(told: MadeLedger, language: str) -> None:
    pages = []
    for line in COMMANDS:
        answer = told.tsk("--lang", language, *line.split())
        assert [wide for wide in answer.out.splitlines() if width_of(wide) > 80] == []
        pages.append(f"$ tsk {line}\n{answer.out}-- stderr, exit {answer.code}\n{answer.err}")
    text = "\n".join(line.rstrip() for line in "\n".join(pages).split("\n"))
    path = GOLDEN / f"alerts.{language}.txt"
    if os.environ.get("TASK_SCHEDULER_RENEW_GOLDEN"):
        path.write_text(text, encoding="utf-8")

    assert text == path.read_text(encoding="utf-8")


def test_an_open_alert_is_a_problem_found(told: MadeLedger) -> None:
    answer = told.tsk("alerts", "--json")

    assert answer.code == ExitCode.PROBLEM
    [alert] = answer.document["alerts"]
    assert (alert["alert_id"], alert["task_count"], alert["is_open"]) == (1, 2, True)
    assert alert["task_ids"] == ["data_upload", "report"]
    assert [silence["pattern"] for silence in answer.document["silences"]] == ["pond_*"]


def test_without_channels_the_way_to_the_first_one_is_told(empty: MadeLedger) -> None:
    answer = empty.tsk("alerts")

    assert (answer.code, answer.out) == (ExitCode.FINE, "")
    assert "docs/alerts.md" in answer.err
    assert empty.tsk("alerts", "test").code == ExitCode.INVALID


def test_a_silence_is_kept_without_a_scheduler_and_ended_by_its_pattern(told: MadeLedger) -> None:
    assert told.tsk("alerts", "silence", "data_upload", "--for", "2h").code == ExitCode.FINE
    silences = told.tsk("alerts", "--json").document["silences"]
    assert [s["until"][11:16] for s in silences if s["pattern"] == "data_upload"] == ["08:00"]

    answer = told.tsk("alerts", "unsilence", "data_upload", "--json")

    assert (answer.code, answer.document["ended"]) == (ExitCode.FINE, 1)
    assert told.tsk("alerts", "unsilence", "data_upload").code == ExitCode.NOT_FOUND


@pytest.mark.parametrize(
    ("line", "code", "text"),
    [
        ("alerts silence", ExitCode.USAGE, "tsk alerts silence TASK"),
        ("alerts log ops", ExitCode.USAGE, "ops"),
        ("alerts silenc x", ExitCode.USAGE, "silence"),
        ("alerts silence data_uplod", ExitCode.NOT_FOUND, "data_upload"),
        ("alerts silence x* --until 2020-01-01T00:00", ExitCode.INVALID, "x*"),
        ("alerts silence x* --for 1h --until 2030-01-01T00:00", ExitCode.USAGE, "--until"),
        ("alerts test osp", ExitCode.NOT_FOUND, "'ops'"),
        ("ping", ExitCode.USAGE, "ID"),
        ("ping nas --start --fail", ExitCode.USAGE, "--fail"),
        ("ping sna", ExitCode.NOT_FOUND, "'nas'"),
    ],
)
def test_what_cannot_be_is_told_with_the_way_out(
    told: MadeLedger, line: str, code: ExitCode, text: str
) -> None:
    answer = told.tsk(*line.split())

    assert (answer.code, text in answer.err) == (code, True), answer.err


def test_a_ping_is_kept_with_what_it_says(told: MadeLedger) -> None:
    assert told.tsk("ping", "nas", "--start").code == ExitCode.FINE
    assert told.tsk("ping", "nas", "--fail", "-m", "disk 3").code == ExitCode.FINE

    [ping] = told.tsk("alerts", "--json").document["pings"]

    assert (ping["check_id"], ping["kind"], ping["text"]) == ("nas", "fail", "disk 3")


def test_a_channel_that_is_not_reached_is_named_without_its_secret(told: MadeLedger) -> None:
    answer = told.tsk("alerts", "test", "chat")

    assert answer.code == ExitCode.PROBLEM
    assert "✕ chat  http://127.0.0.1:9/…" in answer.out
    assert "secret-path" not in answer.out
