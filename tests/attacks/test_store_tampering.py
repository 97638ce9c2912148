"""A ledger that somebody has changed, replaced, or put in our way."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from task_scheduler.core.audit import check
from task_scheduler.core.events import EntryFailed
from task_scheduler.errors import StoreError, TaskSchedulerError
from task_scheduler.executors.marks import MarkFile, read_witness
from task_scheduler.ledger_view import LedgerView
from task_scheduler.state_files import StateFiles
from task_scheduler.stores.engine_lock import EngineLock
from task_scheduler.stores.sqlite import SqliteReader, SqliteStore, read_only
from tests.unit.cli.made_ledger import MadeLedger
from tests.unit.core.engine_bench import Bench, entry

NOBODY = 65_534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Give a ledger with one task, that nobody has open."""
    path = tmp_path / "scheduler.db"
    with closing(SqliteStore(path)) as store:
        row = ["t", "t", "command", "process", {"command": ["true"]}, [], {}, "api", 0, 5]
        store.execute("put_entries", rows=[row])
        store.execute("put_progress", rows=[["t", 1, 5, None, 7, 7]])
    return path


def tamper(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for statement in statements:
            database.execute(statement)


DAMAGES = ["{", "7", "[7]", '"x"', "null", '{"a": 1}', '{"overlap": 7}', "[[]]", '[{"type": []}]']


@pytest.mark.parametrize("column", ["definition", "rules", "policies"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_row_hides_no_other_task(damage: str, column: str, ledger: Path) -> None:
    with closing(SqliteStore(ledger)) as store:
        row = ["good", "Good", "command", "process", {"command": ["true"]}, [], {}, "api", 0, 5]
        store.execute("put_entries", rows=[row])
        store.execute("put_progress", rows=[["good", 1, 5, None, 7, 7]])
    tamper(ledger, f"UPDATE entries SET {column} = '{damage}' WHERE task_id = 't'")

    reader = SqliteReader(ledger)
    with closing(reader):
        view = LedgerView(reader.fetch)
        assert [task["task_id"] for task in view.tasks()] == ["good", "t"]
        assert view.task("good")["name"] == "Good"
        assert view.task("t")["task_id"] == "t"


@pytest.mark.parametrize("column", ["definition", "rules", "policies"])
@pytest.mark.parametrize("damage", DAMAGES[:6])
def test_a_damaged_row_keeps_no_other_task_from_its_time_and_is_told(
    damage: str, column: str
) -> None:
    bench = Bench()
    bench.add(entry("t"), entry("good"))
    bench.end(bench.start(1))
    bench.end(bench.start(2))
    with bench.ledger.transaction():
        execute = bench.ledger._connection.execute
        execute(f"UPDATE entries SET {column} = ? WHERE task_id = 't'", (damage,))
        execute("UPDATE progress SET revision = 2 WHERE task_id = 't'")

    bench.tick(after=15)

    assert {claim.task_id for claim in bench.hands.gate.values()} >= {"good"}
    if (column, damage) not in HARMLESS:
        assert [e for e in bench.events if isinstance(e, EntryFailed) and e.task_id == "t"]


HARMLESS = {("definition", '{"a": 1}'), ("policies", '{"a": 1}')}
"""What a definition may hold is not the engine's affair, and unknown policies a newer release's."""


@pytest.mark.parametrize("how", ["reader", "store"])
def test_a_schema_is_not_trusted(how: str, ledger: Path) -> None:
    store = SqliteStore(ledger)
    connection = read_only(str(ledger)) if how == "reader" else store._connection
    with closing(store), closing(connection if how == "reader" else store):
        assert connection.execute("PRAGMA trusted_schema").fetchone() == (0,)


@pytest.mark.parametrize(
    "call",
    [
        "load_extension('/tmp/evil.so')",
        "writefile('/tmp/evil', 'x')",
        "readfile('/etc/passwd')",
        "edit('x')",
        "fts3_tokenizer('simple')",
        "zipfile('x', 'y')",
        "eval('SELECT 1')",
        "shell('id')",
    ],
)
def test_a_view_in_the_place_of_a_table_calls_nothing(call: str, ledger: Path) -> None:
    tamper(
        ledger,
        "ALTER TABLE runs RENAME TO hidden",
        f"CREATE VIEW runs AS SELECT *, {call} AS x FROM hidden",
    )
    reader = SqliteReader(ledger)
    with pytest.raises((TaskSchedulerError, sqlite3.Error)):
        LedgerView(reader.fetch).runs()
    reader.close()


def test_functions_of_a_program_are_not_lent_to_a_view(ledger: Path) -> None:
    tamper(ledger, "CREATE VIEW evil AS SELECT lent(1) AS x")
    called: list[Any] = []
    with closing(read_only(str(ledger))) as connection:
        connection.create_function("lent", 1, called.append)
        with pytest.raises(sqlite3.OperationalError, match="unsafe"):
            connection.execute("SELECT * FROM evil").fetchall()
    assert called == []


@pytest.mark.parametrize("moment", ["INSERT", "UPDATE", "DELETE"])
def test_a_trigger_calls_nothing(moment: str, ledger: Path, canary: Path) -> None:
    tamper(
        ledger,
        f"CREATE TRIGGER evil AFTER {moment} ON progress BEGIN "
        f"SELECT writefile('{canary}', 'x'), load_extension('{canary}'); END",
    )
    change = {
        "INSERT": "INSERT INTO progress SELECT * FROM progress",
        "UPDATE": "UPDATE progress SET anchor = 1",
        "DELETE": "DELETE FROM progress",
    }
    with (
        closing(SqliteStore(ledger)) as store,
        pytest.raises(sqlite3.Error, match=r"unsafe|no such function|authorized"),
    ):
        store._connection.execute(change[moment])


@pytest.mark.parametrize(
    "statement", ["DELETE FROM runs", "CREATE TABLE x (y)", "VACUUM", "PRAGMA user_version=9"]
)
def test_a_reader_cannot_write(statement: str, ledger: Path) -> None:
    with closing(read_only(str(ledger))) as connection, pytest.raises(sqlite3.OperationalError):
        connection.execute(statement)


@pytest.mark.parametrize("version", [99, 10_000, 2_147_483_647])
def test_a_ledger_of_the_future_is_left_alone(version: int, ledger: Path) -> None:
    tamper(ledger, f"PRAGMA user_version={version}")
    before = ledger.read_bytes()

    for opened in (SqliteStore, lambda path: SqliteReader(path).fetch("count_entries")):
        with pytest.raises(StoreError, match=str(version)):
            opened(ledger)
    assert ledger.read_bytes() == before


CONTENTS: dict[str, bytes] = {
    "text": b"x" * 5_000,
    "zeros": bytes(8_192),
    "head": b"SQLite format 3\0" + b"\xff" * 4_096,
    "pickle": b"\x80\x04cos\nsystem\n(S'touch /tmp/owned'\ntR." * 200,
    "script": b"#!/bin/sh\ntouch /tmp/owned\n" * 50,
    "gzip": b"\x1f\x8b\x08" + b"\0" * 4_096,
}


@pytest.mark.parametrize("name", CONTENTS)
def test_a_file_that_is_no_ledger_is_refused_and_kept(name: str, tmp_path: Path) -> None:
    path = tmp_path / "scheduler.db"
    path.write_bytes(CONTENTS[name])

    with pytest.raises(StoreError):
        SqliteStore(path)
    assert path.read_bytes() == CONTENTS[name]


def test_another_programs_database_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "scheduler.db"
    tamper(path, "PRAGMA application_id=1", "PRAGMA user_version=1", "CREATE TABLE entries (x)")
    before = path.read_bytes()

    with pytest.raises((StoreError, sqlite3.Error)):
        SqliteStore(path)
    assert path.read_bytes() == before


ROWS: dict[str, str] = {
    "definition-no-json": "UPDATE entries SET definition='{'",
    "definition-list": "UPDATE entries SET definition='[1]'",
    "definition-number": "UPDATE entries SET definition='5'",
    "definition-deep": "UPDATE entries SET definition=replace(hex(zeroblob(3000)),'00','[')",
    "definition-huge": "UPDATE entries SET definition=json_array(hex(zeroblob(3000000)))",
    "rules-number": "UPDATE entries SET rules='[5]'",
    "rules-unknown": 'UPDATE entries SET rules=\'[{"type": "os:system"}]\'',
    "rules-no-json": "UPDATE entries SET rules='x'",
    "rules-minus": 'UPDATE entries SET rules=\'[{"type": "interval", "seconds": -1}]\'',
    "policies-no-json": "UPDATE entries SET policies='x'",
    "policies-list": "UPDATE entries SET policies='[]'",
    "kind": "UPDATE entries SET kind='__class__'",
    "id-escape": "UPDATE entries SET task_id='t' || char(27) || '[2J'",
    "moments-before": "UPDATE progress SET anchor=-(1<<62), next_due_at=-(1<<62)",
    "moments-after": "UPDATE progress SET next_due_at=1<<62, last_run_at=1<<62",
    "counts-minus": "UPDATE progress SET run_count=-5, success_count=9223372036854775807",
    "error-escape": "UPDATE progress SET last_error=char(27) || ']0;owned' || char(7)",
    "durations": "UPDATE progress SET duration_total=-1, duration_max=9223372036854775807",
}


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("command", ["ls", "show", "status", "next"])
def test_a_row_written_by_hand_is_shown_or_told_of_and_runs_nothing(
    command: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    farm = MadeLedger(tmp_path, capsys)
    farm.task("t")
    farm.task("good")
    tamper(farm.database, ROWS[name].replace("'t' ||", "'t' ||") + " WHERE task_id='t'")

    answer = farm.tsk(command, *(["t"] if command == "show" else []))

    assert "Traceback" not in answer.err
    assert "\x1b" not in answer.out + answer.err
    assert answer.out or answer.err


@pytest.mark.parametrize(
    "value", ["5", "'x'", "NULL", "x'80'", "1.5"], ids=["number", "text", "null", "blob", "real"]
)
def test_a_strict_table_takes_no_other_type(value: str, ledger: Path) -> None:
    columns = {
        "5": None,
        "'x'": "added_at",
        "NULL": "name",
        "x'80'": "definition",
        "1.5": "added_at",
    }
    column = columns[value]
    if column is None:
        tamper(ledger, "UPDATE entries SET name=5")
        assert SqliteReader(ledger).fetch("all_task_ids", limit=5) == ["t"]
        return
    with pytest.raises(sqlite3.IntegrityError):
        tamper(ledger, f"UPDATE entries SET {column}={value}")


AUDIT = {
    "changed": "UPDATE audit SET actor='somebody else' WHERE number=2",
    "task": "UPDATE audit SET task_id='other' WHERE number=2",
    "moment": "UPDATE audit SET at=at+1 WHERE number=2",
    "after": 'UPDATE audit SET after=\'{"command":["evil"]}\' WHERE number=2',
    "action": "UPDATE audit SET action='resume' WHERE number=2",
    "hash": "UPDATE audit SET hash=substr('00' || hash, 1, 64) WHERE number=2",
    "removed": "DELETE FROM audit WHERE number=2",
    "first-removed": "DELETE FROM audit WHERE number=1",
    "renumbered": "UPDATE audit SET number=9 WHERE number=3",
    "forged": "INSERT INTO audit SELECT 4, at, actor, action, task_id, before, after, hash"
    " FROM audit WHERE number=3",
}


def audited(path: Path) -> list[Any]:
    """Make a ledger with a chain of three rows and return them."""
    from task_scheduler.core.audit import AuditTrail
    from task_scheduler.core.inbox import PauseEntry

    with closing(SqliteStore(path)) as store:
        trail = AuditTrail(store)
        for number in range(3):
            trail.note(PauseEntry(task_id=f"t{number}", reason="x", actor="root, pid 1, tsk"))
            trail.write(number)
        return LedgerView(store.fetch).audit_rows()


@pytest.mark.parametrize("name", AUDIT)
def test_a_row_of_the_audit_resists_and_a_change_of_it_is_found(name: str, tmp_path: Path) -> None:
    path = tmp_path / "scheduler.db"
    head = audited(path)[-1].hash
    if name != "forged":
        with pytest.raises(sqlite3.Error, match=r"audit|append"):
            tamper(path, AUDIT[name])
    with closing(sqlite3.connect(path)) as database:
        triggers = database.execute(
            "SELECT name FROM sqlite_schema WHERE type='trigger'"
        ).fetchall()
    tamper(path, *(f"DROP TRIGGER {trigger}" for (trigger,) in triggers), AUDIT[name])

    with closing(SqliteStore(path)) as store:
        _, _, findings = check(LedgerView(store.fetch).audit_rows(), head)

    assert findings


def test_who_makes_the_whole_chain_anew_is_found_by_a_hash_kept_elsewhere(tmp_path: Path) -> None:
    head = audited(tmp_path / "a.db")[-1].hash

    with closing(SqliteStore(tmp_path / "b.db")) as store:
        assert [
            finding.what for finding in check(LedgerView(store.fetch).audit_rows(), head)[2]
        ] == ["unknown_head"]


# -- files beside the ledger ----------------------------------------------------------------------


@needs_root
@pytest.mark.parametrize("name", ["database", "runs", "lock", "marks"])
@pytest.mark.parametrize("kind", ["own", "link"])
def test_what_another_user_has_put_in_a_shared_folder_is_not_used(
    name: str, kind: str, folder: Path
) -> None:
    shared = folder / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    files = StateFiles(shared / "scheduler.db")
    path = getattr(files, name)
    target = folder / "target" if kind == "link" else path
    if name == "runs":
        target.mkdir()
    else:
        target.touch()
    if kind == "link":
        path.symlink_to(target)
    os.chown(path, NOBODY, NOBODY, follow_symlinks=False)

    with pytest.raises(StoreError, match="another user"):
        files.prepare()


@needs_root
@pytest.mark.parametrize("owner", [NOBODY, 1, 12_345])
def test_a_state_folder_of_another_user_is_refused(owner: int, folder: Path) -> None:
    state = folder / "state"
    state.mkdir()
    os.chown(state, owner, owner)

    with pytest.raises(StoreError, match="another user"):
        StateFiles(state / "scheduler.db").prepare()
    assert list(state.iterdir()) in ([], [state / "scheduler.runs"])


def test_what_is_made_is_private(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        files = StateFiles(tmp_path / "state" / "scheduler.db")
        files.prepare()
        SqliteStore(files.database).close()
        MarkFile(files.marks).close()
        lock = EngineLock(files.lock)
        assert lock.acquire()
        lock.release()
    finally:
        os.umask(before)

    modes = {
        path.name: stat.S_IMODE(path.lstat().st_mode) for path in files.database.parent.iterdir()
    }
    assert modes.pop("scheduler.runs") == 0o700
    assert set(modes.values()) == {0o600}, modes
    assert stat.S_IMODE(files.database.parent.stat().st_mode) == 0o700


PLACED: dict[str, Callable[[Path, Path], Any]] = {
    "folder": lambda path, _: path.mkdir(),
    "device": lambda path, _: path.symlink_to("/dev/full"),
    "link": lambda path, target: path.symlink_to(target),
    "loop": lambda path, _: path.symlink_to(path),
}


@pytest.mark.parametrize("kind", PLACED)
def test_marks_that_are_no_file_are_refused_and_read_without_waiting(
    kind: str, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    PLACED[kind](tmp_path / "scheduler.marks", target)

    assert read_witness(tmp_path / "scheduler.marks") is None
    with pytest.raises(OSError):  # noqa: PT011  each kind has its own
        MarkFile(tmp_path / "scheduler.marks")
    assert target.read_text() == "precious"


def test_a_pipe_in_the_place_of_marks_holds_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "scheduler.marks")

    assert read_witness(tmp_path / "scheduler.marks") is None
    with pytest.raises(OSError, match="seek"):
        MarkFile(tmp_path / "scheduler.marks")


@pytest.mark.parametrize(
    "content", [b"", b"x", b"\xff" * 80_000, b"TSKWITN1" * 10_000, os.urandom(69_632)]
)
def test_marks_that_lie_are_bytes_and_nothing_else(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "scheduler.marks"
    path.write_bytes(content)

    witness = read_witness(path)
    marks = MarkFile(path)

    assert witness is None or witness.mileage.token < 1 << 62
    assert [marks.read(slot) for slot in (-1, 1 << 40)] == [None, None]
    marks.close()


@pytest.mark.parametrize("kind", ["folder", "loop", "device"])
def test_a_ledger_that_is_no_file_is_refused_at_once(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "scheduler.db"
    PLACED[kind](path, tmp_path)

    with pytest.raises((StoreError, OSError, sqlite3.Error)):
        SqliteStore(path)


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_a_ledger_that_is_exchanged_while_it_is_open_is_not_written(
    suffix: str, ledger: Path, tmp_path: Path
) -> None:
    store = SqliteStore(ledger)
    other = tmp_path / "other.db"
    other.write_bytes(b"precious")
    place = Path(f"{ledger}{suffix}")
    place.unlink(missing_ok=True)
    other.rename(place)

    with pytest.raises(StoreError), store.transaction():
        store.execute("put_progress", rows=[["u", 1, 5, None, 7, 7]])
    assert place.read_bytes() == b"precious"
    store._connection.close()


def test_json_of_a_row_with_two_values_of_one_name_is_read_as_one(ledger: Path) -> None:
    doubled = json.dumps({"command": ["true"]})[:-1] + ', "command": ["evil"]}'
    tamper(ledger, f"UPDATE entries SET definition='{doubled}'")

    [task] = LedgerView(SqliteReader(ledger).fetch).tasks(["t"])

    assert len(task["definition"]) == 1
