"""Upload the sensor readings and the operation log to the server, each exactly once.

The server stands in farm.toml. Rows of data/farm.db and lines of the scheduler's log are packed
into batches. A batch is written down in the database before it is sent and removed only when the
server has answered 2xx, and every attempt sends the same bytes under the same Idempotency-Key,
which is a digest of them. So nothing is lost and nothing counts twice, whatever stops or fails
between; what could not be sent goes with the next run.

Exit code 0 when everything was taken, else 1. It is yours: change it as you like. It needs
Python 3.11 and httpx, and nothing of the scheduler.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import socket
import sqlite3
import sys
import time
import tomllib
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

try:
    import httpx
except ModuleNotFoundError as error:
    LACKING = error.name  # said by main, in the language of the machine
else:
    LACKING = None

FOLDER = Path(os.environ.get("FARM_FOLDER") or Path(__file__).resolve().parent.parent)
DATA = Path(os.environ.get("FARM_DATA") or FOLDER / "data")

SENTENCES = {
    "no_package": {
        "en": "the Python package {name} is missing: pip install 'task-scheduler[farm]'",
        "zh": "缺少 Python 包 {name}：pip install 'task-scheduler[farm]'",
        "ja": "Python パッケージ {name} がありません: pip install 'task-scheduler[farm]'",
    },
    "bad_farm": {
        "en": "{path} cannot be used: {reason}",
        "zh": "无法使用 {path}：{reason}",
        "ja": "{path} を使用できません: {reason}",
    },
    "no_server": {
        "en": "no server has an address: write its url into {path}",
        "zh": "没有配置服务器地址：请在 {path} 中填写 url",
        "ja": "サーバーのアドレスがありません。{path} に url を記入してください",
    },
    "bad_data": {
        "en": "the data in {path} cannot be used: {reason}",
        "zh": "无法使用 {path} 中的数据：{reason}",
        "ja": "{path} のデータを使用できません: {reason}",
    },
    "not_taken": {
        "en": "the server {url} did not take the data: {reason}; {kept} readings are kept and"
        " sent at the next run",
        "zh": "服务器 {url} 未接收数据：{reason}；{kept} 条数据已保留，下次运行时发送",
        "ja": "サーバー {url} がデータを受け付けません: {reason}。"
        "データ {kept} 件は保管され、次回送信されます",
    },
    "refused": {
        "en": "the server {url} refused {count} batches for what is in them ({reason}); they are"
        " kept in {path}, and --again sends them once more",
        "zh": "服务器 {url} 因内容拒绝了 {count} 个批次（{reason}）；已保留在 {path}，"
        "使用 --again 可重新发送",
        "ja": "サーバー {url} が内容を理由に {count} 件のバッチを拒否しました({reason})。"
        "{path} に保管されています。--again で再送信できます",
    },
    "sent": {
        "en": "sent {readings} readings and {lines} log lines to {url}",
        "zh": "已上传 {readings} 条数据和 {lines} 行日志到 {url}",
        "ja": "データ {readings} 件とログ {lines} 行を {url} に送信しました",
    },
}

READINGS_IN_BATCH = 500
LOG_BYTES_IN_BATCH = 256 * 1024
HEAD_BYTES = 256
PAUSED_STATUS = (401, 403, 404, 405, 408, 425, 429)
"""What a server answers that is set up wrongly or busy: the batch itself may be good."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS outbox (
    batch TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    count INTEGER NOT NULL,
    body BLOB NOT NULL,
    refused TEXT             -- what the server said to what it will never take
);
CREATE TABLE IF NOT EXISTS log_cursor (
    path TEXT PRIMARY KEY,
    head TEXT NOT NULL,      -- digest of the first bytes: an inode number alone comes again
    head_length INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    offset INTEGER NOT NULL
);
"""


@dataclass(frozen=True)
class Settings:
    """What farm.toml says about uploading."""

    gateway: str
    url: str
    token: str
    log: Path
    timeout_seconds: float
    keep_days: float


@dataclass(frozen=True)
class Batch:
    """What is sent in one request."""

    batch: str
    kind: str
    count: int
    body: bytes


@dataclass(frozen=True)
class Cursor:
    """Up to where a log was packed: which file, told by its first bytes and inode, and how far."""

    head: str
    head_length: int
    inode: int
    offset: int


class NotTakenError(Exception):
    """The server cannot be reached or does not take anything now."""


class RefusedError(Exception):
    """The server will never take this batch."""


def main(argv: Sequence[str] | None = None) -> int:
    """Upload what there is; return the exit code."""
    options = parser().parse_args(argv)
    if LACKING is not None:
        print(sentence("no_package", name=LACKING), file=sys.stderr)
        return 1
    path = FOLDER / "farm.toml"
    try:
        settings = read_settings(path)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        print(sentence("bad_farm", path=path, reason=error), file=sys.stderr)
        return 1
    if not settings.url:
        print(sentence("no_server", path=path), file=sys.stderr)
        return 1
    try:
        with closing(open_database(DATA / "farm.db")) as db:
            if options.again:
                db.execute("UPDATE outbox SET refused = NULL")
            await_first_readings(db, options.wait)
            return upload(db, settings, options.mode)
    except (OSError, sqlite3.Error) as error:
        print(sentence("bad_data", path=DATA / "farm.db", reason=error), file=sys.stderr)
        return 1


def upload(db: sqlite3.Connection, settings: Settings, mode: str) -> int:
    """Send batch after batch until nothing is left; say how it went and return the exit code."""
    packers: dict[str, Callable[[sqlite3.Connection, Settings], Batch | None]] = {
        "readings": pack_readings,
        "logs": pack_log,
    }
    sent = dict.fromkeys(packers, 0)
    headers = {"Authorization": f"Bearer {settings.token}"} if settings.token else {}
    try:
        with httpx.Client(headers=headers, timeout=settings.timeout_seconds) as client:
            for kind, pack in packers.items():
                while mode in ("auto", kind) and (batch := waiting(db, kind) or pack(db, settings)):
                    try:
                        send(client, settings.url, batch)
                    except RefusedError as error:
                        change = "UPDATE outbox SET refused = ? WHERE batch = ?"
                        db.execute(change, (str(error), batch.batch))
                    else:
                        settle(db, batch)
                        sent[kind] += batch.count
    except NotTakenError as error:
        kept = unsent_readings(db)
        print(sentence("not_taken", url=settings.url, reason=error, kept=kept), file=sys.stderr)
        return 1
    prune(db, settings.keep_days)
    print(sentence("sent", readings=sent["readings"], lines=sent["logs"], url=settings.url))
    query = "SELECT count(*), max(refused) FROM outbox WHERE refused IS NOT NULL"
    refused, reason = db.execute(query).fetchone()
    if refused:
        values = {"count": refused, "reason": reason, "path": DATA / "farm.db"}
        print(sentence("refused", url=settings.url, **values), file=sys.stderr)
    return 1 if refused else 0


def send(client: httpx.Client, url: str, batch: Batch) -> None:
    """Send one batch; return only when the server has it."""
    headers = {"Idempotency-Key": batch.batch, "Content-Type": "application/json"}
    try:
        answer = client.post(f"{url}/api/v1/{batch.kind}", content=batch.body, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        raise NotTakenError(str(error) or type(error).__name__) from None
    if answer.is_success:
        return
    said = f"{answer.status_code} {answer.text[:200]!r}"
    if answer.is_client_error and answer.status_code not in PAUSED_STATUS:
        raise RefusedError(said)
    raise NotTakenError(said)


def waiting(db: sqlite3.Connection, kind: str) -> Batch | None:
    """Return a batch that was written down and not yet taken."""
    query = "SELECT batch, kind, count, body FROM outbox WHERE kind = ? AND refused IS NULL LIMIT 1"
    row = db.execute(query, (kind,)).fetchone()
    return None if row is None else Batch(*row)


def settle(db: sqlite3.Connection, batch: Batch) -> None:
    """Write down that the server has a batch."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    with db:
        db.execute("BEGIN IMMEDIATE")
        if batch.kind == "readings" and has_readings(db):
            change = "UPDATE readings SET sent_at = ? WHERE batch = ? AND sent_at IS NULL"
            db.execute(change, (now, batch.batch))
        db.execute("DELETE FROM outbox WHERE batch = ?", (batch.batch,))


def pack_readings(db: sqlite3.Connection, settings: Settings) -> Batch | None:
    """Write down a batch of the oldest readings that are in none; None if there is none."""
    if not has_readings(db):
        return None
    columns = ("scheduled_at", "measured_at", "pond", "sensor", "value", "unit", "quality")
    with db:
        db.execute("BEGIN IMMEDIATE")
        query = f"SELECT id, {', '.join(columns)} FROM readings WHERE batch IS NULL"  # noqa: S608
        rows = db.execute(f"{query} ORDER BY id LIMIT ?", (READINGS_IN_BATCH,)).fetchall()
        if not rows:
            return None
        readings = [dict(zip(columns, row[1:], strict=True)) for row in rows]
        batch = pack("readings", len(rows), {"gateway": settings.gateway, "readings": readings})
        write_down(db, batch)
        marks = [(batch.batch, row[0]) for row in rows]
        db.executemany("UPDATE readings SET batch = ?, sent_at = NULL WHERE id = ?", marks)
    return batch


def pack_log(db: sqlite3.Connection, settings: Settings) -> Batch | None:
    """Write down a batch of the log's next lines, and with it how far that is."""
    key = str(settings.log)
    with db:
        db.execute("BEGIN IMMEDIATE")
        query = "SELECT head, head_length, inode, offset FROM log_cursor WHERE path = ?"
        row = db.execute(query, (key,)).fetchone()
        chunk, cursor = next_chunk(settings.log, None if row is None else Cursor(*row))
        if cursor is None or not chunk:
            return None
        lines = chunk.decode("utf-8", "replace").removesuffix("\n").split("\n")
        # Where they stood goes into the digest: the same words may be logged twice.
        content = {
            "gateway": settings.gateway,
            "file": cursor.head,
            "end": cursor.offset,
            "lines": lines,
        }
        batch = pack("logs", len(lines), content)
        write_down(db, batch)
        values = (key, cursor.head, cursor.head_length, cursor.inode, cursor.offset)
        db.execute("INSERT OR REPLACE INTO log_cursor VALUES (?, ?, ?, ?, ?)", values)
    return batch


def next_chunk(log: Path, cursor: Cursor | None) -> tuple[bytes, Cursor | None]:
    """Return the log's next whole lines after `cursor`, and the cursor behind them.

    Files that were rotated away (log.1 is newer than log.2) are read first, up to their end. When
    the cursor's own file is gone, everything that is left is newer than it.
    """
    with ExitStack() as stack:
        files = open_newest_first(log, stack)
        position = next((i for i, file in enumerate(files) if is_at(file, cursor)), None)
        if position is None:
            position, offset = len(files) - 1, 0
        else:
            assert cursor is not None
            offset = cursor.offset
        for file in reversed(files[: position + 1]):
            file.seek(offset)
            chunk = file.read(LOG_BYTES_IN_BATCH)
            # Somebody may be writing the last line of the newest file; the others are finished.
            if file is files[0] or len(chunk) == LOG_BYTES_IN_BATCH:
                chunk = whole_lines(chunk)
            if chunk:
                return chunk, cursor_of(file, offset + len(chunk))
            offset = 0
    return b"", None


def whole_lines(chunk: bytes) -> bytes:
    """Return a chunk up to its last line break; a line longer than a batch is cut."""
    end = chunk.rfind(b"\n") + 1
    return chunk if not end and len(chunk) == LOG_BYTES_IN_BATCH else chunk[:end]


def open_newest_first(log: Path, stack: ExitStack) -> list[BinaryIO]:
    """Open the log and its rotated files.

    In this order a rotation between two of them shows a file twice, never none; the next run sees
    the newest.
    """
    numbered = sorted(
        (int(path.suffix[1:]), path)
        for path in log.parent.glob(f"{log.name}.*")
        if path.suffix[1:].isdecimal()
    )
    files: dict[int, BinaryIO] = {}
    for path in (log, *(path for _, path in numbered)):
        try:
            file = stack.enter_context(path.open("rb"))
        except FileNotFoundError:
            continue
        files.setdefault(os.fstat(file.fileno()).st_ino, file)
    return list(files.values())


def is_at(file: BinaryIO, cursor: Cursor | None) -> bool:
    """Tell whether a file is the cursor's: the same inode, and it begins with the same bytes."""
    if cursor is None or os.fstat(file.fileno()).st_ino != cursor.inode:
        return False
    is_long_enough = os.fstat(file.fileno()).st_size >= cursor.offset
    return is_long_enough and head_of(file, cursor.head_length) == cursor.head


def cursor_of(file: BinaryIO, offset: int) -> Cursor:
    """Return the cursor that stands at `offset` of a file."""
    length = min(offset, HEAD_BYTES)
    return Cursor(head_of(file, length), length, os.fstat(file.fileno()).st_ino, offset)


def head_of(file: BinaryIO, length: int) -> str:
    """Return a digest of a file's first bytes."""
    file.seek(0)
    return hashlib.sha256(file.read(length)).hexdigest()


def pack(kind: str, count: int, content: dict[str, Any]) -> Batch:
    """Return a batch whose id is a digest of what is in it."""
    body = json.dumps(content, ensure_ascii=False, sort_keys=True).encode()
    return Batch(f"{kind}-{hashlib.sha256(body).hexdigest()}", kind, count, body)


def write_down(db: sqlite3.Connection, batch: Batch) -> None:
    """Keep a batch until the server has it."""
    statement = "INSERT INTO outbox (batch, kind, count, body) VALUES (?, ?, ?, ?)"
    db.execute(statement, (batch.batch, batch.kind, batch.count, batch.body))


def await_first_readings(db: sqlite3.Connection, seconds: float) -> None:
    """Give the very first collection a moment: at the first start both are due at once."""
    deadline = time.monotonic() + seconds
    while not has_readings(db) and time.monotonic() < deadline:
        time.sleep(0.2)


def has_readings(db: sqlite3.Connection) -> bool:
    """Tell whether the sensors were ever read: their script makes the table."""
    query = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'readings'"
    return bool(db.execute(query).fetchone()[0])


def unsent_readings(db: sqlite3.Connection) -> int:
    """Return how many readings the server does not have."""
    if not has_readings(db):
        return 0
    return int(db.execute("SELECT count(*) FROM readings WHERE sent_at IS NULL").fetchone()[0])


def prune(db: sqlite3.Connection, keep_days: float) -> None:
    """Remove readings that the server has had for `keep_days`; others stay for ever. 0: never."""
    if keep_days and has_readings(db):
        before = datetime.now(UTC) - timedelta(days=keep_days)
        moment = before.isoformat(timespec="milliseconds")
        db.execute("DELETE FROM readings WHERE sent_at < ?", (moment,))


def open_database(path: Path) -> sqlite3.Connection:
    """Open the farm's data so that what is written down survives a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, timeout=10, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.executescript(SCHEMA)
    except sqlite3.Error:
        db.close()
        raise
    return db


def read_settings(path: Path) -> Settings:
    """Return the settings; the environment fills in what farm.toml leaves empty."""
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    server, part = content.get("server", {}), content.get("upload", {})
    token = server.get("token") or os.environ.get("FARM_SERVER_TOKEN", "")
    if not token.isascii():
        raise ValueError("server.token: only ASCII characters can be sent")
    log = os.environ.get("FARM_LOG") or part.get("log", "logs/scheduler.log")
    return Settings(
        gateway=content.get("gateway") or socket.gethostname(),
        url=(server.get("url") or os.environ.get("FARM_SERVER_URL", "")).rstrip("/"),
        token=token,
        log=FOLDER / log,
        timeout_seconds=float(part.get("timeout_seconds", 20)),
        keep_days=float(part.get("keep_days", 90)),
    )


def parser() -> argparse.ArgumentParser:
    """Return the reader of the command's arguments."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    arguments.add_argument(
        "--mode",
        choices=("auto", "readings", "logs"),
        default="auto",
        help="what to send; auto: both",
    )
    arguments.add_argument(
        "--wait",
        type=float,
        default=0,
        metavar="SECONDS",
        help="wait so long for the first readings, as long as there never were any",
    )
    arguments.add_argument(
        "--again", action="store_true", help="also send what the server refused before"
    )
    return arguments


def sentence(key: str, **values: Any) -> str:
    """Return a sentence in the language of the machine."""
    names = ("FARM_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
    tag = next((os.environ[name] for name in names if os.environ.get(name)), "en")[:2]
    return SENTENCES[key].get(tag, SENTENCES[key]["en"]).format(**values)


if __name__ == "__main__":
    sys.exit(main())
