"""A restart for an upgrade: the ledger that the next release finds is of an older schema.

What an older release left is made of what this one leaves: the tables that it did not know go, and
so does what it did not write behind the mark bytes.
"""

from __future__ import annotations

import contextlib
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from task_scheduler.stores.statements import migrations
from tests.integration.facade.bench import Bench, eventually, settled

OLD_MARKS_BYTES = 65_536


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def downgrade(bench: Bench) -> None:
    """Make of the ledger what the release before the fifth migration had."""
    older = bench.database.with_name("older.db")
    with contextlib.closing(sqlite3.connect(older)) as ledger:
        ledger.executescript("".join(text for number, text in migrations() if number < 5))
        ledger.execute("ATTACH ? AS later", (str(bench.database),))
        for (table,) in ledger.execute(
            "SELECT name FROM main.sqlite_schema WHERE type = 'table'"
        ).fetchall():
            names = _columns(ledger, "main", table) & _columns(ledger, "later", table)
            columns = ", ".join(sorted(names))
            ledger.execute(f"DELETE FROM main.{table}")
            ledger.execute(
                f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM later.{table}"
            )
        ledger.commit()
        ledger.execute("DETACH later")
        ledger.execute("PRAGMA user_version = 4")
        ledger.commit()
    for suffix in ("-wal", "-shm"):
        bench.database.with_name(bench.database.name + suffix).unlink(missing_ok=True)
    older.replace(bench.database)
    with (bench.state / "scheduler.marks").open("r+b") as marks:
        marks.truncate(OLD_MARKS_BYTES)


def _columns(ledger: sqlite3.Connection, schema: str, table: str) -> set[str]:
    return {row[1] for row in ledger.execute(f"PRAGMA {schema}.table_info({table})")}


def version_of(database: Path) -> int:
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as ledger:
        (version,) = ledger.execute("PRAGMA user_version").fetchone()
    return int(version)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "let go"])
def test_an_upgrade_that_migrates_the_ledger_takes_living_scripts_up_and_loses_no_run(
    bench: Bench, end: signal.Signals
) -> None:
    starts, goes_on = bench.folder / "starts", bench.folder / "goes-on"
    script = bench.script(
        f"""
        import os, time
        with open({str(starts)!r}, "a") as file:
            file.write("started\\n")
        print("before", flush=True)
        while not os.path.exists({str(goes_on)!r}):
            time.sleep(0.02)
        print("after", flush=True)
        """
    )
    program = bench.program(
        f"""
        scheduler = make()
        scheduler.add_task(ScriptTask("long", script_path={str(script)!r}))
        scheduler.add_task(CommandTask("queued", command=["true"], overlap="queue"))
        scheduler.start()
        print("RUN", scheduler.run_task("long"), flush=True)
        scheduler.pause_task("queued")
        # An upgrade ends the program as it likes: what runs under supervision goes on.
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
        time.sleep(60)
        """
    )
    living = int(program.says("RUN").split()[1])
    eventually("the script has started", starts.exists)
    program.send(end)
    program.ends(None)
    downgrade(bench)

    scheduler = bench.running()

    assert version_of(bench.database) == migrations()[-1][0]
    assert scheduler.view.run(living)["state"] == "running"
    assert scheduler.get_task_status("queued")["status"] == "paused"
    scheduler.resume_task("queued")
    after = scheduler.run_task("queued")
    assert after > living, "ids go on above those of the older release"
    goes_on.touch()
    run = settled(scheduler, living)
    assert (run["state"], len(run["attempts"])) == ("succeeded", 1)
    assert starts.read_text() == "started\n"
    assert Path(run["attempts"][0]["output_path"]).read_text() == "before\nafter\n"
    assert settled(scheduler, after)["state"] == "succeeded"
