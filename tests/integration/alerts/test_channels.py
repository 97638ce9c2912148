"""Channels by themselves: what they send, and what they make of every kind of answer."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from task_scheduler.alerts.channels.apprise_urls import AppriseTarget
from task_scheduler.alerts.channels.mail import MailTarget
from task_scheduler.alerts.channels.program import ProgramTarget
from task_scheduler.alerts.channels.webhook import FORMS, WebhookTarget
from task_scheduler.alerts.messages import ChannelError, Message
from tests.integration.alerts.conftest import until
from tests.integration.alerts.servers import MailServer, Receiver

MESSAGE = Message(
    subject="[farm] ✕ 采集: エラー",
    text="第一行\nsecond\n.a line with a dot\n",
    thread="tsk.x.alert-1",
    key="tsk.x.7",
    values={"schema": "tsk.alert/1", "task_id": "upload"},
)


def plainly(text: str) -> str:
    return text


def mail_to(server: MailServer, **more: Any) -> MailTarget:
    target = {"host": "127.0.0.1", "port": server.port, "security": "none"}
    people = {"recipients": ("操作 <ops@example.org>",), "sender": "Farm <tsk@example.org>"}
    return MailTarget(**{**target, **people, **more})


def refused(target: Any) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        target.send(MESSAGE, plainly)
    return caught.value


# -- mail ----------------------------------------------------------------------------------------


def test_a_letter_is_plain_text_in_every_script(mail: MailServer) -> None:
    assert mail_to(mail).send(MESSAGE, plainly) == "accepted"

    [letter] = mail.letters
    assert letter.get_content_type() == "text/plain"
    assert letter.get_content().replace("\r\n", "\n") == MESSAGE.text
    assert letter["Subject"] == MESSAGE.subject
    assert letter["Message-ID"] == "<tsk.x.7@example.org>"
    assert letter["References"] == "<tsk.x.alert-1@example.org>"


def test_a_subject_adds_no_header(mail: MailServer) -> None:
    hostile = Message(subject="x\r\nBcc: all@example.org", text="y", thread="t", key="k")

    mail_to(mail).send(hostile, plainly)

    assert mail.letters[0]["Bcc"] is None
    assert mail.letters[0]["Subject"] == "x Bcc: all@example.org"


@pytest.mark.parametrize(("answer", "is_final"), [("550 no such user", True), ("451 later", False)])
def test_a_refused_recipient_is_told_in_the_server_s_words(
    mail: MailServer, answer: str, is_final: bool
) -> None:
    mail.refuse = answer

    error = refused(mail_to(mail))

    assert (error.why, error.is_final) == (answer, is_final)


def test_a_server_that_is_not_there_or_speaks_in_the_open_gets_no_password(
    mail: MailServer,
) -> None:
    closed = mail_to(mail, security="starttls", username="tsk", password="${secret:x}")
    error = refused(closed)
    assert "STARTTLS" in error.why
    mail.close()

    assert "refused" in refused(mail_to(mail)).why.lower()


# -- webhook -------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_every_form_says_what_is_wrong(receiver: Receiver, form: str) -> None:
    WebhookTarget(url=receiver.url, form=form).send(MESSAGE, plainly)

    [request] = receiver.requests
    body = json.loads(request["body"])
    assert request["headers"]["Content-Type"] == "application/json"
    if form == "json":
        assert body == dict(MESSAGE.values)
    else:
        assert MESSAGE.subject in json.dumps(body, ensure_ascii=False)


def test_a_body_can_be_checked_by_its_signature(receiver: Receiver) -> None:
    target = WebhookTarget(url=receiver.url, signing_key="${secret:k}", headers={"X-Who": "farm"})

    target.send(MESSAGE, lambda text: text.replace("${secret:k}", "key"))

    [request] = receiver.requests
    digest = hmac.new(b"key", request["body"], hashlib.sha256).hexdigest()
    assert request["headers"]["X-Task-Scheduler-Signature"] == f"sha256={digest}"
    assert request["headers"]["X-Who"] == "farm"


@pytest.mark.parametrize(
    ("code", "is_final"), [(301, True), (404, True), (408, False), (429, False), (500, False)]
)
def test_an_answer_says_whether_to_try_again(receiver: Receiver, code: int, is_final: bool) -> None:
    receiver.code = code

    error = refused(WebhookTarget(url=receiver.url))

    assert (error.why, error.is_final) == (f"{code} ok", is_final)


@pytest.mark.parametrize(
    ("form", "answer", "is_fine"),
    [
        ("wecom", b'{"errcode": 93000, "errmsg": "invalid webhook url"}', False),
        ("wecom", b'{"errcode": 0}', True),
        ("dingtalk", b'{"errcode": 310000}', False),
        ("feishu", b'{"code": 19024, "msg": "Key Words Not Found"}', False),
        ("feishu", b'{"StatusCode": 0}', True),
        ("slack", b"ok", True),
        ("json", b'{"errcode": 1}', True),
    ],
)
def test_a_chat_that_refuses_with_200_has_refused(
    receiver: Receiver, form: str, answer: bytes, is_fine: bool
) -> None:
    receiver.answer = answer
    target = WebhookTarget(url=receiver.url, form=form)

    if is_fine:
        assert target.send(MESSAGE, plainly).startswith("200")
    else:
        assert answer.decode() in refused(target).why


def test_a_receiver_that_does_not_answer_is_left_after_its_time(receiver: Receiver) -> None:
    receiver.hold.clear()

    assert "Timeout" in refused(WebhookTarget(url=receiver.url, timeout_seconds=0.2)).why


def test_the_place_of_a_hook_hides_its_secret() -> None:
    target = WebhookTarget(url="https://user:word@chat.example/hooks/secret")

    assert target.place == "https://chat.example/…"


# -- command -------------------------------------------------------------------------------------


def program(code: str, **more: Any) -> ProgramTarget:
    return ProgramTarget(argv=(sys.executable, "-c", code), **more)


def test_a_program_that_fails_is_told_with_its_last_words() -> None:
    error = refused(program("print('no screen'); raise SystemExit(3)"))

    assert error.why == "exit 3: no screen"


def test_a_program_that_is_not_there_is_told() -> None:
    assert "No such file" in refused(ProgramTarget(argv=("/nowhere/notify",))).why


def test_a_program_that_does_not_end_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        f"open({str(pid)!r}, 'w').write(str(child.pid))\n"
        "time.sleep(600)"
    )

    error = refused(program(code, timeout_seconds=2))

    assert "2 s" in error.why
    until(lambda: not is_alive(int(pid.read_text(encoding="utf-8"))))


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended and that nobody has waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2][0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def test_a_program_gets_what_cannot_be_printed_by_an_old_terminal(tmp_path: Path) -> None:
    code = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read()[-20:])"

    assert program(code).send(MESSAGE, plainly)
    assert "TASK_SCHEDULER_ALERT_KEY" not in os.environ


# -- apprise -------------------------------------------------------------------------------------


class Apprise:
    """Stands in for the library, with the calls of it that are used."""

    told: list[dict[str, str]]
    is_fine = True

    def __init__(self) -> None:
        self.urls: list[str] = []

    def add(self, url: str) -> bool:
        self.urls.append(url)
        return not url.startswith("nothing:")

    def notify(self, *, title: str, body: str, body_format: str) -> bool:
        Apprise.told.append(
            {"title": title, "body": body, "format": body_format, **dict.fromkeys(self.urls, "")}
        )
        return Apprise.is_fine


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> type[Apprise]:
    module = types.ModuleType("apprise")
    module.Apprise = Apprise  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "apprise", module)
    Apprise.told, Apprise.is_fine = [], True
    return Apprise


def test_apprise_gets_title_and_text_and_its_urls_with_their_secrets(
    library: type[Apprise],
) -> None:
    target = AppriseTarget(urls=("line://${secret:t}/u",))

    target.send(MESSAGE, lambda text: text.replace("${secret:t}", "token"))

    [told] = library.told
    assert (told["title"], told["format"]) == (MESSAGE.subject, "text")
    assert "line://token/u" in told
    assert target.place == "line://…"


def test_what_apprise_does_not_know_or_take_is_told(library: type[Apprise]) -> None:
    assert refused(AppriseTarget(urls=("nothing://x",))).is_final
    library.is_fine = False
    assert not refused(AppriseTarget(urls=("line://x",))).is_final


def test_without_the_library_the_way_to_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)

    assert "pip install 'task-scheduler[alerts]'" in refused(AppriseTarget(urls=("line://x",))).why
