"""Opening a ledger: from nothing, again, and what is refused and left as it is."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from task_scheduler.errors import (
    NetworkFileSystemError,
    SchemaTooNewError,
    StoreDamagedError,
    StoreUnavailableError,
)
from task_scheduler.stores import sqlite
from task_scheduler.stores.mounts import network_file_system_of
from task_scheduler.stores.sqlite import SqliteStore
from task_scheduler.stores.statements import migrations
from tests.contract.ledgers import bytes_of, ids, put, put_many


def test_a_ledger_from_nothing_has_the_newest_schema_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "new" / "scheduler.db"

    SqliteStore(path).close()

    with sqlite3.connect(path) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.close()
    assert version == migrations()[-1][0]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_ledger_is_opened_again_with_what_was_in_it(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "scheduler.db")
    with store.transaction():
        put(store, "pump")
    store.close()

    again = SqliteStore(tmp_path / "scheduler.db")

    assert ids(again) == ["pump"]
    again.close()


def test_an_empty_file_becomes_a_ledger(tmp_path: Path) -> None:
    path = tmp_path / "scheduler.db"
    path.touch()

    SqliteStore(path).close()

    assert path.stat().st_size > 0


def test_the_schema_of_a_newer_release_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "scheduler.db"
    SqliteStore(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = bytes_of(path)

    with pytest.raises(SchemaTooNewError, match="99"):
        SqliteStore(path)

    assert bytes_of(path) == before


@pytest.mark.parametrize("version", [0, 1])
def test_the_database_of_another_program_is_refused_and_left_alone(
    tmp_path: Path, version: int
) -> None:
    path = tmp_path / "photos.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE photos (name)")
        connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    before = bytes_of(path)

    with pytest.raises(StoreDamagedError, match="another program"):
        SqliteStore(path)

    assert bytes_of(path) == before
    assert sorted(item.name for item in tmp_path.iterdir()) == ["photos.db"]


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "scheduler.db"
    path.write_text("dear diary, today the pump failed again\n" * 100)
    before = bytes_of(path)

    with pytest.raises(StoreDamagedError):
        SqliteStore(path)

    assert bytes_of(path) == before


def test_a_damaged_ledger_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "scheduler.db"
    store = SqliteStore(path)
    put_many(store, 500)
    store.close()
    damaged = bytearray(path.read_bytes())
    damaged[8192:24_576] = b"\xa5" * 16_384
    path.write_bytes(damaged)

    with pytest.raises(StoreDamagedError):
        SqliteStore(path)

    assert bytes_of(path) == bytes(damaged)


def test_a_truncated_ledger_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "scheduler.db"
    SqliteStore(path).close()
    path.write_bytes(path.read_bytes()[:10_000])
    before = bytes_of(path)

    with pytest.raises(StoreDamagedError):
        SqliteStore(path)

    assert bytes_of(path) == before


def test_a_folder_is_no_ledger(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match="folder"):
        SqliteStore(tmp_path)


def test_a_file_in_the_way_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").touch()

    with pytest.raises(StoreUnavailableError, match="state"):
        SqliteStore(tmp_path / "state" / "scheduler.db")


@pytest.mark.may_skip(reason="root may write everywhere")
@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StoreUnavailableError, match=r"scheduler\.db"):
            SqliteStore(tmp_path / "scheduler.db")
    finally:
        tmp_path.chmod(0o700)


def test_a_write_that_the_database_refuses_is_our_error(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "scheduler.db")
    store._connection.execute("PRAGMA query_only=1")

    with pytest.raises(StoreUnavailableError), store.transaction():
        put(store, "pump")

    store.close()


def test_a_full_disk_is_our_error_and_loses_nothing(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "scheduler.db")
    with store.transaction():
        put(store, "pump")
    store._connection.execute("PRAGMA max_page_count=1")

    with pytest.raises(StoreUnavailableError, match="full"):
        put_many(store, 2_000)

    assert ids(store) == ["pump"]
    store._connection.execute("PRAGMA max_page_count=100000")
    with store.transaction():
        put(store, "lamp")
    assert ids(store) == ["lamp", "pump"]
    store.close()


def test_a_foreign_writer_that_holds_the_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_BUSY_SECONDS", 0.01)
    store = SqliteStore(tmp_path / "scheduler.db")
    foreign = sqlite3.connect(tmp_path / "scheduler.db", isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreUnavailableError), store.transaction():
        put(store, "pump")

    foreign.execute("ROLLBACK")
    foreign.close()
    with store.transaction():
        put(store, "pump")
    store.close()


MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 22 0:35 / /data rw,relatime shared:20 - nfs4 server:/data rw,vers=4.2
41 40 254:1 / /data/local rw,relatime - xfs /dev/vdb rw
42 22 0:36 / /mnt/my\\040share rw - cifs //server/share rw
43 22 0:37 / /mnt/ssh rw - fuse.sshfs me@server: rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/home", None),
        ("/data", "nfs4"),
        ("/data/farm", "nfs4"),
        ("/database", None),
        ("/data/local/farm", None),
        ("/mnt/my share/farm", "cifs"),
        ("/mnt/ssh/a/b", "fuse.sshfs"),
    ],
)
def test_the_nearest_mount_decides_whether_a_folder_is_on_the_network(
    folder: str, kind: str | None
) -> None:
    assert network_file_system_of(Path(folder), MOUNTS) == kind


def test_a_ledger_on_the_network_is_refused_before_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "network_file_system_of", lambda _: "nfs4")

    with pytest.raises(NetworkFileSystemError, match="nfs4"):
        SqliteStore(tmp_path / "scheduler.db")

    assert not list(tmp_path.iterdir())
