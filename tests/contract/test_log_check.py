"""A log that was damaged in its middle is refused; one that merely ends there is not."""

from __future__ import annotations

import random
import shutil
import struct
from pathlib import Path

import pytest

from task_scheduler.clock import read_boot_id
from task_scheduler.errors import StoreDamagedError
from task_scheduler.stores.log_check import lost_commits
from task_scheduler.stores.sqlite import SqliteStore
from tests.contract.ledgers import ids, put

FRAME = 24 + 4096
COMMITS = 12


@pytest.fixture
def crashed(tmp_path: Path) -> Path:
    """Return a ledger as a killed process of this boot leaves it: a dozen commits in the log."""
    store = SqliteStore(tmp_path / "live" / "scheduler.db")
    store.execute("begin_epoch", boot_id=read_boot_id(), pid=1, version="0", at=1)
    store._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    for number in range(COMMITS):
        with store.transaction():
            put(store, f"task-{number}")
    folder = tmp_path / "crashed"
    folder.mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(store.path + suffix, folder / f"scheduler.db{suffix}")
    store.close()
    return folder / "scheduler.db"


def log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def frames(path: Path) -> list[int]:
    """Return where the frames begin."""
    return list(range(32, log_of(path).stat().st_size, FRAME))


def commits(path: Path) -> list[int]:
    """Return where those frames begin that end a commit."""
    data = log_of(path).read_bytes()
    return [at for at in frames(path) if struct.unpack(">I", data[at + 4 : at + 8])[0]]


def damage(path: Path, at: int, length: int = 1) -> None:
    data = bytearray(log_of(path).read_bytes())
    for index in range(at, at + length):
        data[index] ^= 0x5A
    log_of(path).write_bytes(data)


def test_a_log_that_ends_where_its_process_did_is_sound(crashed: Path) -> None:
    assert len(commits(crashed)) >= COMMITS
    assert lost_commits(str(crashed), is_same_boot=True) == 0

    store = SqliteStore(crashed)

    assert len(ids(store)) == COMMITS
    store.close()


def test_a_log_that_was_cut_off_in_its_last_frame_is_sound(crashed: Path) -> None:
    data = log_of(crashed).read_bytes()
    log_of(crashed).write_bytes(data[: commits(crashed)[-1] + 100])

    assert lost_commits(str(crashed), is_same_boot=True) == 0


def test_every_byte_of_a_frame_counts(crashed: Path) -> None:
    """Wherever a frame before the last commit was changed, the commits behind it are counted."""
    whole = log_of(crashed).read_bytes()
    ends = commits(crashed)
    rng = random.Random(7)
    for _ in range(150):
        log_of(crashed).write_bytes(whole)
        at = rng.choice([frame for frame in frames(crashed) if frame < ends[-2]])
        # In its head each byte, in its page any: the first four bytes are its number.
        damage(crashed, at + rng.choice([*range(24), rng.randrange(24, FRAME)]))

        lost = lost_commits(str(crashed), is_same_boot=True)

        assert lost >= sum(end > at for end in ends) > 0


def test_a_damaged_log_is_refused_and_left_as_it_is(crashed: Path) -> None:
    damage(crashed, frames(crashed)[3] + 500, 20)
    before = log_of(crashed).read_bytes()
    database = crashed.read_bytes()

    with pytest.raises(StoreDamagedError, match=r"commits.*wal_checkpoint"):
        SqliteStore(crashed)

    assert log_of(crashed).read_bytes() == before
    assert crashed.read_bytes() == database


def test_a_log_without_its_header_is_refused(crashed: Path) -> None:
    damage(crashed, 0, 32)

    with pytest.raises(StoreDamagedError):
        SqliteStore(crashed)


def test_after_a_power_cut_the_last_transaction_may_be_torn(crashed: Path) -> None:
    ends = commits(crashed)
    damage(crashed, ends[-2] + FRAME + 30)

    assert lost_commits(str(crashed), is_same_boot=False) == 0


def test_what_an_earlier_turn_of_the_log_left_behind_is_no_damage(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "scheduler.db")
    for number in range(COMMITS):
        with store.transaction():
            put(store, f"task-{number}")
    store._connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
    for number in range(2):
        with store.transaction():
            put(store, f"later-{number}")

    assert lost_commits(store.path, is_same_boot=True) == 0
    store.close()


def test_a_commit_that_failed_leaves_nothing_in_the_log_that_looks_lost(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "scheduler.db")
    with store.transaction():
        put(store, "first")
    with pytest.raises(ZeroDivisionError), store.transaction():
        raise ZeroDivisionError

    store.checkpoint()

    assert store.log_bytes == 0
    store.close()


def test_a_ledger_that_stood_in_its_log_alone_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "live" / "scheduler.db")
    for number in range(COMMITS):
        with store.transaction():
            put(store, f"task-{number}")
    path = tmp_path / "scheduler.db"
    shutil.copy(store.path + "-wal", log_of(path))
    path.touch()
    store.close()

    with pytest.raises(StoreDamagedError, match="empty"):
        SqliteStore(path)

    assert log_of(path).stat().st_size
    damage(path, 32 + 100)
    assert lost_commits(str(path), is_same_boot=False) >= COMMITS - 1


def test_what_a_ledger_is_stands_in_its_file_from_the_first_moment_on(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "scheduler.db")

    assert store.log_bytes == 0
    store.close()
