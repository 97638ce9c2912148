"""Damage to a ledger that nobody runs: done to a copy, which must be refused and left as it is.

Responsible for: the ways to damage it, and telling harmless ones apart: a page that nothing uses.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import sqlite3
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from task_scheduler.errors import StoreDamagedError, StoreError
from task_scheduler.stores.sqlite import SqliteStore

_PAGE = 4096
_LOG_HEADER, _FRAME = 32, 24 + _PAGE


def copy_of(database: Path, folder: Path) -> Path:
    """Copy a ledger that nobody runs, with its log."""
    folder.mkdir()
    for suffix in ("", "-wal"):
        with contextlib.suppress(FileNotFoundError):
            shutil.copy(f"{database}{suffix}", folder / f"{database.name}{suffix}")
    return folder / database.name


def damages(database: Path, place: Path, rng: random.Random) -> Iterator[tuple[str, Path]]:
    """Give each damage done to a copy of its own, all of them in one place."""
    ways: dict[str, Callable[[Path], object]] = {
        "header": lambda path: _spoil(path, 0, 100, rng),
        "page": lambda path: _spoil(path, rng.randrange(1, _pages(path)) * _PAGE, _PAGE, rng),
        "truncated": lambda path: _truncate(path, rng.randrange(1, _pages(path)) * _PAGE),
        "text": lambda path: path.write_text("this is no database\n" * 500),
    }
    log = Path(f"{database}-wal")
    if log.exists() and _commits(log):
        ways["log"] = lambda path: _spoil_log(Path(f"{path}-wal"), rng)
    for name, way in ways.items():
        path = copy_of(database, place / name)
        if name != "log":
            # What stands in the log would be read instead of the damaged page.
            _fold(path)
        if name in ("page", "truncated") and _pages(path) < 3:
            continue
        way(path)
        yield name, path


def verdict(path: Path, sound: list[str]) -> str:
    """Return what a scheduler makes of a ledger: ``refused``, ``harmless``, or what is wrong."""
    before = _bytes_of(path)
    try:
        store = SqliteStore(path)
    except StoreDamagedError:
        return "refused" if _bytes_of(path) == before else "refused, and its file was changed"
    except StoreError as error:
        return f"refused as something else: {error}"
    store.close()
    return "harmless" if dump(path) == sound else "taken for sound"


def dump(path: Path) -> list[str]:
    """Return all that is in a database, as text."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def _bytes_of(path: Path) -> list[bytes]:
    files = [path, Path(f"{path}-wal")]
    return [file.read_bytes() if file.exists() else b"" for file in files]


def _fold(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _pages(path: Path) -> int:
    return path.stat().st_size // _PAGE


def _spoil(path: Path, at: int, length: int, rng: random.Random) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(rng.randbytes(length))


def _truncate(path: Path, length: int) -> None:
    with path.open("r+b") as file:
        file.truncate(length)


def _commits(log: Path) -> list[int]:
    """Return where those frames begin that end a commit of the log's last turn, but the last."""
    data = log.read_bytes()
    found = []
    for at in range(_LOG_HEADER, len(data) - _FRAME + 1, _FRAME):
        _, commit, *salts = struct.unpack(">4I", data[at : at + 16])
        if commit and salts == list(struct.unpack(">2I", data[16:24])):
            found.append(at)
    return found[:-1]


def _spoil_log(log: Path, rng: random.Random) -> None:
    """Change a few bytes of a frame before the last commit."""
    last = _commits(log)[-1]
    at = rng.randrange(_LOG_HEADER, last + _FRAME - 16)
    _spoil(log, at, 16, rng)
