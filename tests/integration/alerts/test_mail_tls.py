"""Letters over TLS: a real server with certificates, good and bad ones."""

from __future__ import annotations

import base64
import datetime as dt
import socketserver
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from task_scheduler import FunctionTask, TaskScheduler
from task_scheduler.alerts.channels.mail import MailTarget
from tests.integration.alerts import work
from tests.integration.alerts.conftest import until
from tests.integration.alerts.servers import MailServer
from tests.integration.alerts.test_channels import MESSAGE, mail_to, plainly, refused

Make = Callable[..., "TlsServer"]


class TlsServer(MailServer):
    """Speaks TLS from the first byte on (``tls``), or when it is asked to (``starttls``)."""

    def __init__(self, context: ssl.SSLContext, security: str) -> None:
        self._context = context
        self._security = security
        self.logins: list[str] = []
        self.was_open: list[str] = []
        """What was said in the open."""
        super().__init__()

    def talk(self, session: socketserver.StreamRequestHandler) -> None:
        try:
            if self._security == "tls":
                self._wrap(session)
            self._converse(session)
        except OSError:
            pass  # whoever does not trust us hangs up
        finally:
            # What was wrapped is not closed with what it wraps.
            session.connection.close()

    def _converse(self, session: socketserver.StreamRequestHandler) -> None:
        def say(line: str) -> None:
            session.wfile.write(f"{line}\r\n".encode())
            session.wfile.flush()

        self.tries += 1
        say("220 here")
        while line := session.rfile.readline().decode().strip():
            is_tls = isinstance(session.connection, ssl.SSLSocket)
            if not is_tls:
                self.was_open.append(line)
            word = line.partition(" ")[0].upper()
            if word in ("EHLO", "HELO"):
                offered = "AUTH PLAIN" if is_tls else "STARTTLS"
                say(f"250-here\r\n250-{offered}\r\n250 SMTPUTF8")
            elif word == "STARTTLS":
                say("220 go on")
                self._wrap(session)
            elif word == "AUTH":
                secret = base64.b64decode(line.split()[2]).decode()
                self.logins.append(secret)
                say("235 fine" if secret.endswith("\0right") else "535 5.7.8 no such login")
            elif word == "DATA":
                say("354 go on")
                self._take(session, say)
            elif word == "QUIT":
                say("221 bye")
                return
            else:
                say("250 fine")

    def _wrap(self, session: socketserver.StreamRequestHandler) -> None:
        session.connection = self._context.wrap_socket(session.connection, server_side=True)
        session.rfile = session.connection.makefile("rb")
        session.wfile = session.connection.makefile("wb")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
def make(authority: trustme.CA) -> Iterator[Make]:
    """Return what starts a server with a certificate for a name."""
    made: list[TlsServer] = []

    def start(security: str, name: str = "127.0.0.1", **more: Any) -> TlsServer:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name, **more).configure_cert(context)
        made.append(TlsServer(context, security))
        return made[-1]

    yield start
    for server in made:
        server.close()


def secure(server: MailServer, security: str, ca_file: str | None, **more: Any) -> MailTarget:
    login = {"username": "tsk", "password": "${secret:smtp}"}
    return mail_to(server, security=security, ca_file=ca_file, **{**login, **more})


def reveal(text: str) -> str:
    return text.replace("${secret:smtp}", "right")


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_letter_and_its_login_go_over_tls(make: Make, ca_file: str, security: str) -> None:
    server = make(security)

    assert secure(server, security, ca_file).send(MESSAGE, reveal) == "accepted"

    [letter] = server.letters
    assert letter["Subject"] == MESSAGE.subject
    assert letter.get_content().replace("\r\n", "\n") == MESSAGE.text
    assert server.logins == ["\0tsk\0right"]
    assert {line.split()[0].upper() for line in server.was_open} <= {"EHLO", "STARTTLS"}


@pytest.mark.parametrize(
    ("name", "more", "is_trusted"),
    [
        ("127.0.0.1", {}, False),
        ("mail.example.org", {}, True),
        ("127.0.0.1", {"not_after": dt.datetime(2020, 1, 1, tzinfo=dt.UTC)}, True),
    ],
    ids=["of a stranger", "of another name", "expired"],
)
def test_a_certificate_that_is_not_right_gets_no_password(
    make: Make, ca_file: str, name: str, more: dict[str, Any], *, is_trusted: bool
) -> None:
    for security in ("tls", "starttls"):
        server = make(security, name, **more)

        error = refused(secure(server, security, ca_file if is_trusted else None))

        assert "certificate verify failed" in error.why.lower()
        assert not error.is_final
        assert (server.logins, server.letters) == ([], [])


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_wrong_password_is_told_in_the_server_s_words(
    make: Make, ca_file: str, security: str
) -> None:
    error = refused(secure(make(security), security, ca_file, password="wrong"))

    assert error.why.startswith("535 5.7.8 no such login")
    assert error.is_final


def test_a_server_that_does_not_speak_tls_gets_no_password(mail: MailServer, ca_file: str) -> None:
    error = refused(secure(mail, "tls", ca_file, timeout_seconds=5))

    assert str(mail.port) in error.why
    assert mail.letters == []


def test_a_file_that_is_not_there_is_named(make: Make, tmp_path: Path) -> None:
    missing = str(tmp_path / "no.pem")

    assert missing in refused(secure(make("tls"), "tls", missing)).why


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_failure_is_told_through_a_mail_server_over_tls(
    make: Make,
    ca_file: str,
    security: str,
    started: Callable[..., TaskScheduler],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = make(security)
    monkeypatch.setenv("SMTP_PASSWORD", "right")
    letters = {
        "to": ["ops@example.org"],
        "from": "tsk@example.org",
        "host": "127.0.0.1",
        "port": server.port,
        "security": security,
        "username": "tsk",
        "password": "${secret:smtp}",
        "ca_file": ca_file,
    }
    scheduler = started(
        {"channels": {"ops": {"mail": letters}}},
        security={"secrets": {"smtp": {"env": "SMTP_PASSWORD"}}},
    )

    scheduler.add_task(FunctionTask("fails", "Fails", work.fail))
    scheduler.run_task("fails")

    [letter] = until(lambda: server.letters)
    assert "fails" in letter["Subject"]
    assert server.logins == ["\0tsk\0right"]
    assert plainly(scheduler.alert_log()[0]["channel"]) == "ops"
