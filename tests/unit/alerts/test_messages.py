"""What people read, letter by letter, in three languages; and what is kept out of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from task_scheduler.alerts.composer import Composer, Identity
from task_scheduler.alerts.excerpt import harmless, last_lines
from task_scheduler.alerts.memory import Sample
from task_scheduler.alerts.messages import Message
from task_scheduler.alerts.notices import Notice, NoticeKind, Other
from task_scheduler.alerts.rules import AlertKind
from task_scheduler.errors import StoreUnavailableError
from task_scheduler.i18n import LANGUAGES, set_language

GOLDEN = Path(__file__).with_name("golden")
AT = 1_795_539_916 * 1_000_000
MINUTE = 60_000_000
SAMPLE = Sample("upload", "数据上传", 8123, 4, "exit code 1: Error: pond 7: refused", AT)
NOTICE = Notice(
    kind=NoticeKind.OPENED,
    alert_id=3,
    about=AlertKind.FAILED,
    rule="all",
    cause="exit 1: Error: pond <n>: refused",
    channels=("ops",),
    opened_at=AT,
    at=AT + MINUTE,
    task_ids=("upload",),
    task_count=1,
    news=1,
    sample=SAMPLE,
)
MANY = {"task_ids": tuple(f"sensor_{n}" for n in range(20)), "task_count": 700, "count": 28_000}


def about(kind: AlertKind, cause: str, error: str, **more: Any) -> Notice:
    return replace(NOTICE, about=kind, cause=cause, sample=replace(SAMPLE, error=error, **more))


NOTICES = (
    NOTICE,
    replace(NOTICE, kind=NoticeKind.DIGEST, news=27_999, held_back=12, **MANY),
    replace(NOTICE, kind=NoticeKind.REMINDER, count=4, news=0),
    replace(NOTICE, kind=NoticeKind.RECOVERED, closed_at=AT + 90 * MINUTE),
    about(AlertKind.LATE, "", "", attempt=0),
    about(AlertKind.MISSED, "misfire", "misfire", run_id=None, attempt=0),
    about(AlertKind.OVERRUN, "", "", attempt=0),
    about(AlertKind.SLOW, "", "300.0/41.0", attempt=0),
    about(AlertKind.UNRESOLVED, "", "", run_id=None, attempt=0),
    about(AlertKind.SILENT, "silent", "", run_id=None, attempt=0),
    about(AlertKind.SILENT, "unfinished", "", run_id=None, attempt=0),
    about(AlertKind.SILENT, "failed", "disk 3 is gone", run_id=None, attempt=0),
    replace(
        NOTICE,
        about=AlertKind.FAULT,
        cause="store_full",
        sample=Sample("@store_full", "store_full", None, 0, "the disk is full: /farm", AT),
    ),
    replace(
        NOTICE,
        kind=NoticeKind.SUMMARY,
        others=tuple(
            Other(AlertKind.FAILED, f"exit {n}", n, f"task_{n}", is_over=n % 2 == 0)
            for n in range(1, 34)
        ),
    ),
)


@pytest.fixture(autouse=True)
def _world(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    yield
    set_language("en")


class Ledger:
    """Answers what the composer asks."""

    def __init__(self, folder: Path, output: bytes) -> None:
        self.folder = folder
        (folder / "output").write_bytes(output)
        self.is_shut = False

    def fetch(self, name: str, **_: Any) -> Any:
        if self.is_shut:
            raise StoreUnavailableError("errors.store_full", path="/farm")
        edit = [AT - 30 * MINUTE, "sato, pid 7, tsk", "edit", {"rules": 1}, {"rules": 2}]
        return {
            "load_entries": [
                [*[None] * 5, [{"cron": "5 * * * *", "timezone": "Asia/Tokyo"}], {"max_retries": 3}]
            ],
            "alert_attempts": {"8123": [1, "output"]},
            "alert_last_success": [8000, AT - 60 * MINUTE],
            "alert_changes": [edit],
        }[name]

    def composer(self) -> Composer:
        identity = Identity("farm", "gw-07", "/farm/scheduler.db", "abc")
        return Composer(
            self.fetch,
            runs_folder=self.folder,
            mask=lambda text: text.replace("hunter22", "***"),
            identity=lambda: identity,
        )


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path, b"start\nPOST pond 7 with hunter22\nError: pond 7: refused\n")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_reads_as_it_was_approved(ledger: Ledger, language: str) -> None:
    set_language(language)
    composer = ledger.composer()
    messages = [composer.message(notice) for notice in NOTICES]
    messages.append(composer.test_message("ops", AT))
    text = "\n".join(f"Subject: {m.subject}\n\n{m.text}{'-' * 72}" for m in messages) + "\n"
    path = GOLDEN / f"messages.{language}.txt"
    if os.environ.get("TASK_SCHEDULER_RENEW_GOLDEN"):
        path.write_text(text, encoding="utf-8")

    assert text == path.read_text(encoding="utf-8")


def test_a_message_says_the_same_to_programs_and_keeps_secrets(ledger: Ledger) -> None:
    message = ledger.composer().message(NOTICE)

    values = dict(message.values)
    assert values["output"] == ["start", "POST pond 7 with ***", "Error: pond 7: refused"]
    assert (values["run_id"], values["attempt"], values["attempts"]) == (8123, 4, 4)
    assert values["exit_code"] == 1
    assert values["changes"][0]["keys"] == ["rules"]
    assert values["commands"][:2] == ["tsk show upload", "tsk logs 8123"]
    assert "hunter22" not in message.to_json()


def test_a_message_is_made_although_the_ledger_cannot_be_read(ledger: Ledger) -> None:
    ledger.is_shut = True

    message = ledger.composer().message(NOTICE)

    assert "upload" in message.subject
    assert message.values["output"] == []


def test_what_waits_in_the_ledger_is_what_was_written(ledger: Ledger) -> None:
    composer = ledger.composer()
    message = composer.keyed(composer.message(NOTICE), 7)

    assert Message.from_json(message.to_json()) == message
    assert message.key == "tsk.abc.7"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07shown", "shown"),
        ("a\u202eb", "a\\u202eb"),
        ("bell\x07", "bell\\x07"),
        ("a\tb  ", "a    b"),
        ("日本語", "日本語"),
        ("x" * 400, "x" * 300 + "…"),
    ],
)
def test_a_stranger_s_line_is_only_a_line(text: str, expected: str) -> None:
    assert harmless(text) == expected


def test_the_last_lines_of_a_long_output_are_read_and_no_piece_of_one(tmp_path: Path) -> None:
    path = tmp_path / "output"
    path.write_bytes(b"".join(b"line %d\n" % n for n in range(100_000)) + b"50 %\r100 %\r\n\xff")

    assert last_lines(path, 4) == ["line 99999", "50 %", "100 %", "\ufffd"]
    assert len(last_lines(path, 100_000)) < 2_000
    assert last_lines(path, 100_000)[0].startswith("line ")


def test_an_output_that_is_not_there_or_is_a_pipe_has_no_lines(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    assert last_lines(tmp_path / "nothing", 20) == []
    assert last_lines(tmp_path / "pipe", 20) == []
