"""Signs of life of what runs elsewhere: how each stands, and the token with which it pings.

Responsible for: that part of `tsk alerts`.
"""

from __future__ import annotations

import secrets
from typing import Any

from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.moments import NOTHING
from task_scheduler.cli.session import Session
from task_scheduler.cli.tables import Cell, Column, Row
from task_scheduler.core.model import SECOND
from task_scheduler.i18n import translate
from task_scheduler.ledger_view import iso

__all__ = ["expected_pings", "put_pings", "put_token"]

_TOKEN_BYTES = 24
_MARKS = {
    "fine": Cell("✓", "green"),
    "running": Cell("●", "blue"),
    "new": Cell("?", "dim"),
    "failed": Cell("✕", "red"),
    "silent": Cell("✕", "red"),
    "unfinished": Cell("✕", "red"),
}


def expected_pings(session: Session) -> list[dict[str, Any]]:
    """Return how each stands from which signs of life are expected.

    ``state`` is ``new`` (no sign yet), ``fine``, ``running``, ``failed``, ``silent`` or
    ``unfinished``; `due_at` is when the next good one is expected at the latest.
    """
    scheduler, now = session.scheduler, session.moments().now
    rows = {row["check_id"]: row for row in scheduler.view.ping_rows()}
    found = []
    for check_id, wanted in scheduler.config.settings.alerts.expected.items():
        row = rows.get(check_id)
        grace = round(wanted.grace_seconds * SECOND)
        due_at = None if row is None else row["fine_at"] + round(wanted.every_seconds * SECOND)
        state = "new" if row is None or due_at is None else _state(row, due_at + grace, grace, now)
        found.append(
            {
                "check_id": check_id,
                "state": state,
                "last_at": None if row is None or row["kind"] == "expected" else iso(row["at"]),
                "due_at": iso(due_at),
                "text": None if row is None else row["text"],
                "has_token": wanted.token_sha256 is not None,
            }
        )
    return found


def put_pings(session: Session) -> None:
    """Write how each stands, and where pings come in."""
    found = expected_pings(session)
    if not found:
        return
    moments = session.moments()
    columns = [
        Column(""),
        Column(translate("cli.ping_check"), narrowest=10),
        Column(translate("cli.ping_state"), narrowest=8),
        Column(translate("cli.ping_last")),
        Column(translate("cli.ping_due")),
    ]
    rows = [
        Row(
            (
                _MARKS[of["state"]],
                Cell(of["check_id"], "bold"),
                translate(f"cli.ping_state_{of['state']}"),
                moments.short(of["last_at"]) if of["last_at"] else NOTHING,
                moments.short(of["due_at"]) if of["due_at"] else NOTHING,
            ),
            notes=(Cell(str(of["text"]).partition("\n")[0], "dim"),) if of["text"] else (),
        )
        for of in found
    ]
    session.table(columns, rows)
    ping_in = session.scheduler.config.settings.alerts.ping_in
    if ping_in is not None:
        session.put(translate("cli.ping_in", listen=ping_in.listen))


def put_token(session: Session, check_id: str) -> ExitCode:
    """Make a token, and write where to ping with it and what of it to configure; kept nowhere."""
    from task_scheduler.alerts.ping_request import digest_of
    from task_scheduler.config.ping_in import PingInConfig

    token = secrets.token_urlsafe(_TOKEN_BYTES)
    ping_in = session.scheduler.config.settings.alerts.ping_in
    url = f"http://{(ping_in or PingInConfig()).listen}/ping/{token}"
    digest = digest_of(token)
    if session.is_json:
        values = {"check_id": check_id, "token": token, "token_sha256": digest, "url": url}
        session.document("alert_token", values)
        return ExitCode.FINE
    session.put(url)
    session.say(translate("cli.token_once"))
    line = f'"{check_id}": {{"every_seconds": "1d", "token_sha256": "{digest}"}}'
    session.say(translate("cli.token_config", line=line))
    if ping_in is None:
        session.say(translate("cli.token_no_door", line='"ping_in": {}'))
    return ExitCode.FINE


def _state(row: dict[str, Any], silent_at: int, grace: int, now: int) -> str:
    if row["kind"] == "fail":
        return "failed"
    if now > silent_at:
        return "silent"
    if row["started_at"] is not None:
        return "unfinished" if now > row["started_at"] + grace else "running"
    return "new" if row["kind"] in ("expected", "log") else "fine"
