"""Backups: whole whatever is written meanwhile, private, and refused where they are not sound."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from task_scheduler.errors import SchemaTooNewError, StoreDamagedError, StoreUnavailableError
from task_scheduler.stores.backup import copy_file, put_in_place, read_contents, write_backup
from task_scheduler.stores.sqlite import MEMORY, SqliteStore
from task_scheduler.stores.statements import migrations
from tests.contract.ledgers import bytes_of, ids, put, put_many


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path / "scheduler.db")) as made:
        yield made


def test_a_backup_is_one_private_file_with_everything_in_it(
    store: SqliteStore, tmp_path: Path
) -> None:
    put_many(store, 50)

    write_backup(store, tmp_path / "x.backup", now=7)

    found = read_contents(tmp_path / "x.backup")
    assert (found.entries, found.runs, found.backed_up_at) == (50, 0, 7)
    assert (tmp_path / "x.backup").stat().st_mode & 0o777 == 0o600
    assert not list(tmp_path.glob("x.backup-*")), "no log is left beside it"
    with closing(SqliteStore(tmp_path / "x.backup")) as copy:
        assert ids(copy) == ids(store)


def test_what_is_committed_between_two_steps_is_in_it(store: SqliteStore, tmp_path: Path) -> None:
    put_many(store, 400)
    steps: list[int] = []

    def rest() -> None:
        # In place of another thread: here the ledger belongs to whoever comes.
        steps.append(len(steps))
        with store.transaction():
            put(store, f"during-{len(steps)}")
        if len(steps) % 5 == 0:
            store._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    with closing(sqlite3.connect(tmp_path / "x.backup", isolation_level=None)) as target:
        store.copy(target, pages=4, rest=rest)

    assert len(steps) > 10
    assert read_contents(tmp_path / "x.backup").entries == 400 + len(steps)


def test_ticks_of_another_thread_go_on_while_it_is_made(store: SqliteStore, tmp_path: Path) -> None:
    put_many(store, 2_000)
    done = threading.Event()
    written: list[str] = []

    def write() -> None:
        while not done.is_set():
            with store.transaction():
                written.append(f"during-{len(written)}")
                put(store, written[-1])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            before = len(written)
            write_backup(store, tmp_path / f"{number}.backup", now=0)
            found = read_contents(tmp_path / f"{number}.backup").entries - 2_000
            assert before - 1 <= found <= len(written)
    finally:
        done.set()
        writer.join()
    assert len(written) > 10


def test_a_ledger_in_memory_can_be_backed_up(tmp_path: Path) -> None:
    with closing(SqliteStore(MEMORY)) as memory:
        put(memory, "pump")
        write_backup(memory, tmp_path / "x.backup", now=0)

    assert read_contents(tmp_path / "x.backup").entries == 1


def test_a_backup_never_overwrites(store: SqliteStore, tmp_path: Path) -> None:
    (tmp_path / "x.backup").write_text("mine")

    with pytest.raises(FileExistsError):
        write_backup(store, tmp_path / "x.backup", now=0)

    assert (tmp_path / "x.backup").read_text() == "mine"


def test_what_cannot_be_written_leaves_nothing(store: SqliteStore, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match="gone"):
        write_backup(store, tmp_path / "gone" / "x.backup", now=0)


def test_closing_the_ledger_breaks_a_copy_off_and_leaves_nothing(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "scheduler.db")
    put_many(store, 2_000)
    is_resting, go_on = threading.Event(), threading.Event()
    errors: list[BaseException] = []

    def rest() -> None:
        is_resting.set()
        assert go_on.wait(10)

    def copy() -> None:
        with closing(sqlite3.connect(tmp_path / "x.backup", isolation_level=None)) as target:
            try:
                store.copy(target, pages=4, rest=rest)
            except StoreUnavailableError as error:
                errors.append(error)

    copier = threading.Thread(target=copy)
    copier.start()
    assert is_resting.wait(10)
    closer = threading.Thread(target=store.close)
    closer.start()
    # It waits: the copy's connection must not outlive the lock of the ledger.
    closer.join(0.05)
    assert closer.is_alive()
    go_on.set()
    copier.join(10)
    closer.join(10)

    assert [getattr(error, "key", "") for error in errors] == ["errors.copy_broken_off"]
    assert not closer.is_alive()


def _other_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as made:
        made.execute("CREATE TABLE theirs (x)")


def _newer(path: Path) -> None:
    SqliteStore(path).close()
    with closing(sqlite3.connect(path)) as made:
        made.execute("PRAGMA user_version = 999")


def _torn(path: Path) -> None:
    with closing(SqliteStore(path)) as made:
        put_many(made, 2_000)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 4096] = b"\xa5" * 4096
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda path: path.write_bytes(b""), StoreDamagedError),
        (
            lambda path: path.write_text("no database at all, but long enough" * 100),
            StoreDamagedError,
        ),
        (_other_program, StoreDamagedError),
        (_torn, StoreDamagedError),
        (_newer, SchemaTooNewError),
        (lambda _: None, FileNotFoundError),
        (lambda path: path.mkdir(), FileNotFoundError),
    ],
    ids=["empty", "text", "another program's", "torn", "newer", "missing", "a folder"],
)
def test_what_is_no_sound_ledger_is_refused_and_left_alone(
    tmp_path: Path, make: Callable[[Path], object], kind: type[Exception]
) -> None:
    path = tmp_path / "x.backup"
    make(path)
    before = bytes_of(path) if path.is_file() else b""

    with pytest.raises(kind):
        read_contents(path)

    assert (bytes_of(path) if path.is_file() else b"") == before
    assert sorted(tmp_path.iterdir()) in ([path], [])


def test_a_ledger_of_an_older_release_is_read_and_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as made:
        for number, text in migrations():
            if number < 5:
                made.executescript(text)
        made.execute("PRAGMA user_version = 4")
        made.execute("INSERT INTO epochs VALUES (6, 'boot', 1, '1', 1)")

    found = read_contents(path)
    copy_file(path, tmp_path / "copy.db")

    assert (found.schema, found.ledger_id) == (4, None)
    with closing(SqliteStore(tmp_path / "copy.db")) as store:
        # All that an earlier release can have handed out.
        assert store.fetch("ledger_row")["last_token"] == (7 << 32) - 1


def test_a_copy_holds_what_the_log_of_a_killed_process_holds(
    store: SqliteStore, tmp_path: Path
) -> None:
    put_many(store, 30)
    (tmp_path / "killed").mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(f"{store.path}{suffix}", tmp_path / "killed" / f"x.db{suffix}")

    copy_file(tmp_path / "killed" / "x.db", tmp_path / "copy.db")

    assert read_contents(tmp_path / "copy.db").entries == 30


def test_what_was_in_the_place_of_a_restored_ledger_lies_aside_whole(tmp_path: Path) -> None:
    database, aside, fresh = tmp_path / "scheduler.db", tmp_path / "aside", tmp_path / "fresh"
    for suffix in ("", "-wal", "-shm"):
        Path(f"{database}{suffix}").write_text(f"old{suffix}")
    fresh.write_text("new")

    put_in_place(fresh, database, aside)

    assert database.read_text() == "new"
    assert {path.name: path.read_text() for path in tmp_path.iterdir() if path != database} == {
        "aside": "old",
        "aside-wal": "old-wal",
        "aside-shm": "old-shm",
    }


class Killed(BaseException):
    """What a test raises in place of `kill -9`."""


@pytest.mark.parametrize("survived", range(8))
def test_a_kill_while_a_copy_is_put_in_place_leaves_a_whole_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, survived: int
) -> None:
    database, fresh = tmp_path / "scheduler.db", tmp_path / "fresh"
    for path, name in ((database, "old"), (fresh, "new")):
        with closing(SqliteStore(path)) as made:
            put(made, name)
    left = [survived]

    def or_die(step: Callable[..., object]) -> Callable[..., object]:
        def run(*arguments: object, **options: object) -> object:
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return step(*arguments, **options)

        return run

    with monkeypatch.context() as patch:
        for name in ("hardlink_to", "unlink", "replace"):
            patch.setattr(Path, name, or_die(getattr(Path, name)))
        is_whole = False
        try:
            put_in_place(fresh, database, tmp_path / "aside")
            is_whole = True
        except Killed:
            pass

    with closing(SqliteStore(database)) as found:
        assert ids(found) == (["new"] if is_whole else ["old"])
    assert is_whole == (survived >= 6)


def test_a_log_whose_ledger_is_gone_is_not_taken_for_that_of_the_copy(tmp_path: Path) -> None:
    database, fresh = tmp_path / "scheduler.db", tmp_path / "fresh"
    with closing(SqliteStore(tmp_path / "other.db")) as other:
        put_many(other, 30)
        shutil.copy(f"{other.path}-wal", f"{database}-wal")
    with closing(SqliteStore(fresh)) as made:
        put(made, "new")

    put_in_place(fresh, database, tmp_path / "aside")

    with closing(SqliteStore(database)) as found:
        assert ids(found) == ["new"]
    assert (tmp_path / "aside-wal").exists()
