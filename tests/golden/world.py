"""The worlds in front of which commands are typed: made ledgers at one fixed moment.

Responsible for: making each of them the same every time, letter by letter, in a folder whose name
is always as long.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from task_scheduler.alerts.memory import Alert, Part, Sample
from task_scheduler.alerts.messages import Message
from task_scheduler.stores.sqlite import SqliteStore
from tests.unit.cli.made_ledger import NOW, MadeLedger, at, fill

__all__ = [
    "ALERTS",
    "ENTRIES",
    "SHOWN_FOLDER",
    "USUAL",
    "WORLDS",
    "fill_busily",
    "folder_of_a_world",
    "made",
]

USUAL = "farm"
SHOWN_FOLDER = "/srv/farm/north/01"
"""Takes the place of the real folder in what is compared: as many characters."""

_TOKYO = {"latitude": 35.68, "longitude": 139.69}
ENTRIES = {
    "hello": {"type": "command", "command": ["echo", "hello"], "every": "30s"},
    "report": {"type": "command", "command": ["true"], "cron": "0 7 * * 1-5", "tags": ["office"]},
    "sunset_lamp": {"type": "command", "command": ["true"], "solar": "sunset", **_TOKYO},
}
ALERTS = {
    "channels": {
        "ops": {"mail": {"to": ["ops@example.org"]}},
        "chat": {"webhook": {"url": "http://127.0.0.1:9/secret-path"}},
    },
    "expected": {"nas": {"every_seconds": "1d"}},
}
_BROKEN = """{
    "scheduler": {"max_workers": "many"},
    "entries": {
        "hello": {"type": "command", "command": "echo hello", "evry": "30s"}
    }
}
"""
_CRONTAB = """\
CRON_TZ=Asia/Tokyo
0 3 * * 1-5 /bin/true --full
*/5 * * * * cd /tmp && true
#0 4 * * * /bin/false
@reboot /bin/start
"""


def made(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> MadeLedger:
    """Make a world in a folder."""
    ledger = MadeLedger(folder, capsys)
    (folder / "crontab").write_text(_CRONTAB, encoding="utf-8")
    WORLDS[name](ledger)
    return ledger


@contextlib.contextmanager
def folder_of_a_world() -> Iterator[Path]:
    """Give a folder with a name of a fixed length: lines are wrapped by it."""
    folder = Path(tempfile.mkdtemp(prefix="world", dir="/tmp"))
    assert len(str(folder)) == len(SHOWN_FOLDER)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _nothing(ledger: MadeLedger) -> None:
    """A folder in which nothing was ever started."""
    shutil.rmtree(ledger.folder / ".scheduler")


def _empty(ledger: MadeLedger) -> None:
    """A ledger without a task."""


def _declared(ledger: MadeLedger) -> None:
    """A configuration with tasks, which no start has taken up."""
    config = {"logging": {"console": False}, "entries": ENTRIES, "alerts": ALERTS}
    ledger.config.write_text(json.dumps(config, indent=4), encoding="utf-8")


def _broken(ledger: MadeLedger) -> None:
    """A configuration with mistakes, and the ledger of before."""
    _farm(ledger)
    ledger.config.write_text(_BROKEN, encoding="utf-8")


def _farm(ledger: MadeLedger) -> None:
    """A ledger after a night: one task fails, one beats, one rests."""
    fill(ledger)


def _busy(ledger: MadeLedger) -> None:
    """A ledger in which much goes on, and alerts were told."""
    fill(ledger)
    fill_busily(ledger)
    config = {"logging": {"console": False}, "alerts": ALERTS}
    ledger.config.write_text(json.dumps(config), encoding="utf-8")


def fill_busily(ledger: MadeLedger) -> None:
    """Make a night a busy one: names in other scripts, a run of every kind, alerts."""
    five_minutes = {"type": "interval", "seconds": 300}
    ledger.task("水温_3号池", five_minutes, next_due="06:05:00", name="３号池の水温と溶存酸素量")
    ledger.run(116, "水温_3号池", "running", "05:45:00", started_at=at("05:45:00"), token=1)
    ledger.skip("水温_3号池", "overlap", "05:50:00", "06:00:00", 3)
    ledger.task("flaky", {"type": "interval", "seconds": 3600}, last_error="exit code 4")
    ledger.run(119, "flaky", "waiting", "05:59:00", due_at=at("06:00:30"), waiting_for="retry")
    ledger.task("closure", five_minutes, is_resolved=0)
    ledger.task("asked_only", name="on request")
    ledger.run(120, "asked_only", "waiting", "06:00:00", origin="manual")
    ledger.run(121, "heartbeat", "skipped", "05:59:30", reason="overlap", origin="manual")
    ledger.run(
        122,
        "asked_only",
        "lost",
        "04:00:00",
        origin="manual",
        started_at=at("04:00:00"),
        ended_at=at("04:30:00"),
        error="the machine was restarted while it ran",
    )
    _tell_alerts(ledger)


def _tell_alerts(ledger: MadeLedger) -> None:
    error = "exit code 1: ConnectionRefusedError: [Errno 111] Connection refused"
    opened = Alert(1, "all", "failed", "exit 1: ConnectionRefusedError", at("02:05:16"), NOW)
    opened.count, opened.told_at, opened.seen_count = 12, at("02:06:16"), 2
    opened.sample = Sample("data_upload", "Data upload", 7, 3, error, NOW)
    over = Alert(2, "all", "late", "", at("04:00:00"), at("04:10:00"), at("04:10:00"), 1, True)
    over.sample = Sample("heartbeat", "Heartbeat", 8, 0, "", at("04:00:00"))
    names = ("data_upload", "flaky")
    parts = [opened.part_row(Part(name, name, at("02:05:16"), NOW, 6, 7)) for name in names]
    plain = Message(subject="[farm] ✕ data_upload: refused", text="", thread="t", key="k").to_json()
    deliveries = [
        [1, 1, "ops", "opened", "delivered", at("02:06:16"), 0, 1, at("02:06:17"), "accepted"],
        [2, 1, "chat", "digest", "waiting", at("05:00:00"), 0, 2, at("05:50:00"), "503 busy"],
        [3, 1, "old", "opened", "given_up", at("01:00:00"), 0, 3, at("01:00:17"), "404"],
    ]
    store = SqliteStore(ledger.database)
    with store.transaction():
        store.execute("put_alerts", rows=[opened.row(), over.row()])
        store.execute("put_alert_tasks", rows=parts)
        store.execute("put_deliveries", rows=[[*row, plain] for row in deliveries])
        silence = {"pattern": "pond_*", "until": at("08:00:00"), "reason": "cleaning"}
        store.execute("insert_silence", now=at("05:00:00"), actor="sato", **silence)
    store.close()


WORLDS = {
    "nothing": _nothing,
    "empty": _empty,
    "declared": _declared,
    "broken": _broken,
    "farm": _farm,
    "busy": _busy,
}
