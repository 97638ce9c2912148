"""What the collector received, in one SQLite file.

Responsible for: checking the content of a batch and storing it exactly once for each key. A reading
that is sent again under another key replaces the earlier one: it is the same measurement, mended.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

__all__ = ["KINDS", "Collected", "ContentError"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS batches (
    key TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    received_at TEXT NOT NULL,
    count INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS readings (
    gateway TEXT NOT NULL,
    pond TEXT NOT NULL,
    sensor TEXT NOT NULL,
    scheduled_at TEXT NOT NULL,
    measured_at TEXT NOT NULL,
    value REAL,
    unit TEXT NOT NULL,
    quality TEXT NOT NULL,
    PRIMARY KEY (gateway, pond, sensor, scheduled_at)
);
CREATE TABLE IF NOT EXISTS logs (
    id INTEGER PRIMARY KEY,
    gateway TEXT NOT NULL,
    line TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS heartbeats (
    id INTEGER PRIMARY KEY,
    gateway TEXT NOT NULL,
    received_at TEXT NOT NULL,
    content TEXT NOT NULL
);
"""
_STORE_READING = """
INSERT INTO readings (gateway, pond, sensor, scheduled_at, measured_at, value, unit, quality)
VALUES (:gateway, :pond, :sensor, :scheduled_at, :measured_at, :value, :unit, :quality)
ON CONFLICT (gateway, pond, sensor, scheduled_at) DO UPDATE SET
    measured_at = excluded.measured_at, value = excluded.value,
    unit = excluded.unit, quality = excluded.quality
"""
_READING_TEXTS = ("pond", "sensor", "scheduled_at", "measured_at", "unit", "quality")


class ContentError(ValueError):
    """What was sent is not what its address takes."""


class Collected:
    """The file, shared by the server's threads; raises sqlite3.Error where it cannot be used."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False, timeout=10, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def store(self, kind: str, key: str, content: Any) -> tuple[int, bool]:
        """Store a batch and return how many rows it holds and whether it was new.

        It is durable on return. Raises ContentError for content that is not of this kind.
        """
        if not isinstance(content, dict):
            raise ContentError("a JSON object is needed")
        gateway = _text(content, "gateway")
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        try:
            with self._lock, self._db:
                self._db.execute("BEGIN IMMEDIATE")
                known = self._db.execute("SELECT count FROM batches WHERE key = ?", (key,))
                if found := known.fetchone():
                    return int(found[0]), False
                count = KINDS[kind](self._db, gateway, content, now)
                self._db.execute("INSERT INTO batches VALUES (?, ?, ?, ?)", (key, kind, now, count))
        except (UnicodeEncodeError, OverflowError) as error:
            # Half a character, a number of a thousand digits: JSON has them, no database does.
            raise ContentError(f"this cannot be stored: {error}") from None
        return count, True

    def summary(self) -> dict[str, Any]:
        """Return how much was received of each kind, and the latest beat and reading."""
        with self._lock:
            counts = {
                table: self._one(f"SELECT count(*) FROM {table}")[0]  # noqa: S608  our own names
                for table in (*KINDS, "batches")
            }
            beat = self._one("SELECT received_at, content FROM heartbeats ORDER BY id DESC LIMIT 1")
            reading = self._one("SELECT max(measured_at) FROM readings")
        return {
            **counts,
            "last_heartbeat": beat and {"received_at": beat[0], **json.loads(beat[1])},
            "last_measured_at": reading[0],
        }

    def _one(self, statement: str) -> Any:
        return self._db.execute(statement).fetchone()


def _store_readings(
    db: sqlite3.Connection, gateway: str, content: dict[str, Any], _now: str
) -> int:
    rows = [_reading(gateway, row) for row in _items(content, "readings")]
    db.executemany(_STORE_READING, rows)
    return len(rows)


def _store_logs(db: sqlite3.Connection, gateway: str, content: dict[str, Any], _now: str) -> int:
    lines = _items(content, "lines")
    if not all(isinstance(line, str) for line in lines):
        raise ContentError("'lines' must hold texts")
    db.executemany("INSERT INTO logs (gateway, line) VALUES (?, ?)", ((gateway, x) for x in lines))
    return len(lines)


def _store_heartbeat(
    db: sqlite3.Connection, gateway: str, content: dict[str, Any], now: str
) -> int:
    statement = "INSERT INTO heartbeats (gateway, received_at, content) VALUES (?, ?, ?)"
    db.execute(statement, (gateway, now, json.dumps(content, ensure_ascii=False)))
    return 1


KINDS: dict[str, Callable[[sqlite3.Connection, str, dict[str, Any], str], int]] = {
    "readings": _store_readings,
    "logs": _store_logs,
    "heartbeats": _store_heartbeat,
}
"""What can be received; the names are those of the addresses and of the tables."""


def _reading(gateway: str, row: Any) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise ContentError("'readings' must hold objects")
    value = row.get("value")
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise ContentError(f"'value' must be a number or null, not {value!r}")
    texts = {name: _text(row, name) for name in _READING_TEXTS}
    return {"gateway": gateway, "value": None if value is None else float(value), **texts}


def _items(content: dict[str, Any], name: str) -> list[Any]:
    items = content.get(name)
    if not isinstance(items, list):
        raise ContentError(f"{name!r} must be a list")
    return items


def _text(content: dict[str, Any], name: str) -> str:
    text = content.get(name)
    if not isinstance(text, str) or (not text and name != "unit"):
        raise ContentError(f"{name!r} must be a text")
    return text
