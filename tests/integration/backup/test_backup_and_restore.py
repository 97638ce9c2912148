"""Backups of a ledger in use, and that nothing that ran after one runs again when it is back."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from task_scheduler.clock import SystemClock
from task_scheduler.errors import StoreError
from task_scheduler.restoring import restore_ledger
from tests.integration.facade.bench import ROOT, Bench, Program, is_alive
from tests.integration.facade.bench import eventually as eventually_within

WORK = """
    import os
    from pathlib import Path
    from task_scheduler import CommandTask, current_run
    scheduler = make(max_workers=8)
    witness = os.open("witness", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note():
        run = current_run()
        os.write(witness, f"{run.task_id} {run.key} {run.run_id}\\n".encode())

    for number in range(3):
        scheduler.task(f"function-{number}", every=0.1, max_retries=0)(lambda: note())
    script = 'echo "$TASK_SCHEDULER_TASK_ID $TASK_SCHEDULER_KEY $TASK_SCHEDULER_RUN_ID" >> witness'
    for number in range(2):
        scheduler.add_task(
            CommandTask(f"script-{number}", None, ["/bin/sh", "-c", script]), every=0.2
        )
    scheduler.start()
    print("ready", flush=True)
    scheduler.run_forever()
"""
"""Functions and scripts that note the identity of their run outside the ledger."""


def eventually(what: str, condition: Callable[[], Any]) -> Any:
    """Wait longer than others do: several programs start here one after another."""
    return eventually_within(what, condition, seconds=60)


def witnessed(bench: Bench) -> list[tuple[str, str, int]]:
    """Return what ran: task, key, run id; in order."""
    path = bench.folder / "witness"
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return [(task, key, int(run_id)) for task, key, run_id in (line.split() for line in lines)]


def came_to_rest(bench: Bench) -> None:
    """Wait until what a killed scheduler had ordered has come and gone."""

    def is_quiet() -> bool:
        before = len(witnessed(bench))
        threading.Event().wait(0.5)
        return not _living_attempts(bench) and len(witnessed(bench)) == before

    eventually("the last script has ended", is_quiet)


def twice(bench: Bench) -> list[tuple[str, str]]:
    """Return what ran a second time."""
    counts = Counter((task, key) for task, key, _ in witnessed(bench))
    return [run for run, count in counts.items() if count > 1]


def now() -> int:
    return SystemClock().now()


def at_work(bench: Bench, name: str = "work.py") -> Program:
    program = bench.program(WORK, name=name)
    program.says("ready")
    before = len(witnessed(bench))
    eventually("some runs", lambda: len(witnessed(bench)) >= before + 20)
    return program


def ended(program: Program) -> None:
    program.send(signal.SIGTERM)
    program.ends()


def restored(bench: Bench, backup: Path) -> Path | None:
    """Restore, once the last one who only wrote has let the ledger go."""
    asker = bench.scheduler()
    eventually("nobody holds it", lambda: asker.holder() is None)
    return restore_ledger(asker.files, backup, now=now())


def put_back(bench: Bench, copy: Path) -> None:
    """Do what somebody does who has never heard of `tsk restore`."""
    for suffix in ("-wal", "-shm"):
        Path(f"{bench.database}{suffix}").unlink(missing_ok=True)
    shutil.copy(copy, bench.database)


@contextmanager
def watched(bench: Bench) -> Iterator[list[tuple[str, str, int]]]:
    """Let nothing run while this lasts."""
    before = witnessed(bench)
    yield before
    assert witnessed(bench) == before, "a held ledger starts nothing"


def held_program(bench: Bench, name: str) -> Program:
    """Start the same program on a held ledger, and see it start nothing for a while."""
    with watched(bench):
        program = bench.program(WORK, name=name)
        program.says("ready")
        threading.Event().wait(1.0)
    return program


def test_twenty_backups_under_load_are_all_whole_and_can_be_restored(bench: Bench) -> None:
    program = at_work(bench)
    asker = bench.scheduler()
    found = []

    for number in range(20):
        before = {(task, key) for task, key, _ in witnessed(bench)}
        contents = asker.backup(bench.folder / f"{number}.backup")
        after = {(task, key) for task, key, _ in witnessed(bench)}
        found.append((contents, before, after))
    rows = asker.view.runs(limit=10_000)
    ended(program)

    assert len(rows) > 20
    for number, (contents, before, after) in enumerate(found):
        path = bench.folder / f"{number}.backup"
        assert contents["path"] == str(path)
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as copy:
            assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            runs = copy.execute("SELECT task_id, key, state FROM runs").fetchall()
        known = {(task, key) for task, key, _ in runs}
        # A claim is in the ledger before its start: what ran before is in it, and what it says
        # has run did so by the end.
        assert before <= known
        done = {(task, key) for task, key, state in runs if state == "succeeded"}
        assert done <= after
        aside = restored(bench, path)
        hold = asker.hold()
        assert aside is not None
        assert aside.exists()
        assert hold is not None
        assert hold["reason"] == "restored"
    assert not list(bench.state.glob("*.restoring*"))
    assert twice(bench) == []


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_nothing_that_ran_after_the_backup_runs_again(bench: Bench, end: signal.Signals) -> None:
    program = at_work(bench)
    bench.scheduler().backup(bench.folder / "x.backup")
    eventually("runs after the backup", lambda: len(witnessed(bench)) > 80)
    program.send(end)
    program.ends(None)
    came_to_rest(bench)
    ran = {(task, key) for task, key, _ in witnessed(bench)}
    most = max(run_id for _, _, run_id in witnessed(bench))
    restored(bench, bench.folder / "x.backup")

    second = held_program(bench, "second.py")
    counts = bench.scheduler().release_hold("now")
    eventually("it goes on", lambda: len(witnessed(bench)) > len(ran) + 20)
    ended(second)

    assert counts["skipped"] > 0
    assert twice(bench) == []
    fresh = witnessed(bench)[len(ran) :]
    assert min(run_id for _, _, run_id in fresh) > most, "ids of runs are never used again"
    skips = bench.scheduler().view.skips(limit=1_000)
    assert "restored" in {skip["reason"] for skip in skips}


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_an_older_copy_of_the_database_is_noticed_and_held(
    bench: Bench, end: signal.Signals
) -> None:
    ended(at_work(bench))
    shutil.copy(bench.database, bench.folder / "old.db")
    program = at_work(bench, "again.py")
    program.send(end)
    program.ends(None)
    came_to_rest(bench)
    ran = witnessed(bench)
    put_back(bench, bench.folder / "old.db")

    second = held_program(bench, "second.py")
    hold = bench.scheduler().hold()
    bench.scheduler().release_hold("now")
    eventually("it goes on", lambda: len(witnessed(bench)) > len(ran) + 20)
    ended(second)

    assert hold is not None
    assert hold["reason"] == "rolled_back"
    assert hold["later"], "scripts left their folders"
    assert twice(bench) == []
    assert "older copy of itself" in bench.log()
    with closing(sqlite3.connect(bench.folder / "old.db")) as old:
        known = {run_id for (run_id,) in old.execute("SELECT run_id FROM runs")}
    fresh = {run["run_id"] for run in bench.scheduler().view.runs(limit=10_000)} - known
    assert min(fresh) > max(run_id for *_, run_id in ran)


def test_a_copy_of_which_only_functions_ran_later_is_noticed_by_who_only_writes(
    bench: Bench,
) -> None:
    first = bench.running()
    done = threading.Event()
    first.task("pump", at="2099-01-01T00:00:00+00:00")(done.set)
    first.stop()
    shutil.copy(bench.database, bench.folder / "old.db")
    second = bench.running()
    second.task("pump", at="2099-01-01T00:00:00+00:00")(done.set)
    second.run_task("pump")
    assert done.wait(10)
    second.stop()
    put_back(bench, bench.folder / "old.db")

    writer = bench.scheduler()
    writer.pause_task("pump")

    hold = writer.hold()
    assert hold is not None
    assert hold["reason"] == "rolled_back"


def test_restarts_kills_and_a_ledger_that_is_made_anew_are_no_rollback(bench: Bench) -> None:
    for number in range(4):
        program = at_work(bench, f"{number}.py")
        program.send(signal.SIGKILL if number % 2 else signal.SIGTERM)
        program.ends(None)
        assert bench.scheduler().hold() is None
    came_to_rest(bench)
    before = _attempts(bench)

    for suffix in ("", "-wal", "-shm"):
        Path(f"{bench.database}{suffix}").unlink(missing_ok=True)
    ended(at_work(bench, "anew.py"))

    asker = bench.scheduler()
    assert asker.hold() is None
    states = Counter(run["state"] for run in asker.view.runs(limit=10_000))
    # Attempts of the old ledger are in nobody's way.
    assert set(states) <= {"succeeded", "skipped", "waiting"}
    fresh = _attempts(bench) - before
    assert min(token for _, token in fresh) > max(token for _, token in before)
    # Nor is it one where the marks are gone, or the folders of attempts.
    (bench.state / "scheduler.marks").unlink()
    ended(at_work(bench, "unmarked.py"))
    shutil.rmtree(bench.state / "scheduler.runs")
    ended(at_work(bench, "swept.py"))
    assert bench.scheduler().hold() is None


LONG = """
    from task_scheduler import CommandTask
    scheduler = make()
    script = 'echo start >> long; exec sleep 300'
    task = CommandTask("long", None, ["/bin/sh", "-c", script])
    scheduler.add_task(task, at="2099-01-01T00:00:00Z")
    scheduler.start()
    print("ready", flush=True)
    scheduler.run_forever()
"""


def test_an_attempt_from_after_the_backup_that_lives_is_not_started_beside_itself(
    bench: Bench,
) -> None:
    program = bench.program(LONG)
    program.says("ready")
    asker = bench.scheduler()
    asker.backup(bench.folder / "x.backup")
    asker.run_task("long")
    eventually("it runs", (bench.folder / "long").exists)
    program.send(signal.SIGKILL)
    program.ends(None)
    restored(bench, bench.folder / "x.backup")

    held = bench.program(LONG, name="held.py")
    held.says("ready")
    hold = bench.scheduler().hold()
    assert hold is not None
    ((living,),) = [hold["living"]]
    with pytest.raises(StoreError, match=str(living["pid"])) as refused:
        bench.scheduler().release_hold("now")
    os.kill(living["pid"], signal.SIGTERM)
    eventually("it is gone", lambda: not is_alive(living["pid"]))
    bench.scheduler().release_hold("now")
    ended(held)

    assert refused.value.key == "errors.strays_alive"
    assert (bench.folder / "long").read_text() == "start\n"
    assert living["run_id"] >= 1


def test_an_attempt_that_was_running_and_still_runs_is_watched_to_its_end(bench: Bench) -> None:
    program = bench.program(LONG.replace("exec sleep 300", "while [ ! -e go ]; do sleep 0.1; done"))
    program.says("ready")
    asker = bench.scheduler()
    run_id = asker.run_task("long")
    eventually("it is shown", lambda: asker.view.run(run_id)["state"] == "running")
    asker.backup(bench.folder / "x.backup")
    program.send(signal.SIGKILL)
    program.ends(None)
    restored(bench, bench.folder / "x.backup")

    held = bench.program(LONG, name="held.py")
    held.says("ready")
    hold = bench.scheduler().hold()
    (bench.folder / "go").touch()
    eventually("its end is known", lambda: asker.view.run(run_id)["state"] == "succeeded")
    ended(held)

    assert hold is not None
    assert hold["living"] == [], "the ledger knows it"
    assert (bench.folder / "long").read_text() == "start\n"


@pytest.mark.parametrize("keep_waiting", [False, True])
def test_an_attempt_that_was_running_and_ended_since_is_lost_and_only_tried_again_if_kept(
    bench: Bench, keep_waiting: bool
) -> None:
    work = LONG.replace("exec sleep 300", "[ -e go ] || sleep 1").replace(
        "None, [", "None, command=["
    )
    program = bench.program(work)
    program.says("ready")
    asker = bench.scheduler()
    run_id = asker.run_task("long")
    eventually("it is shown", lambda: asker.view.run(run_id)["state"] == "running")
    asker.backup(bench.folder / "x.backup")
    (bench.folder / "go").touch()
    eventually("it ended", lambda: asker.view.run(run_id)["state"] == "succeeded")
    ended(program)
    restored(bench, bench.folder / "x.backup")

    held = bench.program(work, name="held.py")
    held.says("ready")
    eventually("it is lost", lambda: asker.view.run(run_id)["attempts"])
    assert asker.view.run(run_id)["state"] == "waiting"
    asker.release_hold("now", keep_waiting=keep_waiting)
    state = "succeeded" if keep_waiting else "cancelled"
    eventually("it is decided", lambda: asker.view.run(run_id)["state"] == state)
    ended(held)

    starts = (bench.folder / "long").read_text().count("start")
    assert starts == (2 if keep_waiting else 1)
    run = asker.view.run(run_id)
    assert run["attempts"][0]["outcome"] == "lost"
    assert keep_waiting or run["reason"] == "restored"


def test_a_damaged_ledger_is_moved_aside_and_replaced(bench: Bench) -> None:
    ended(at_work(bench))
    bench.scheduler().backup(bench.folder / "x.backup")
    bench.database.write_bytes(b"not a database any more" * 1_000)

    aside = restored(bench, bench.folder / "x.backup")

    assert aside is not None
    assert aside.read_bytes().startswith(b"not a database")
    second = held_program(bench, "second.py")
    bench.scheduler().release_hold("now")
    ended(second)
    assert twice(bench) == []


def test_a_ledger_is_not_replaced_under_its_scheduler(bench: Bench) -> None:
    program = at_work(bench)
    bench.scheduler().backup(bench.folder / "x.backup")

    with pytest.raises(StoreError) as refused:
        restore_ledger(bench.scheduler().files, bench.folder / "x.backup", now=now())
    ended(program)

    assert refused.value.key == "errors.ledger_in_use"
    assert not list(bench.state.glob("*.aside*"))


def test_a_standby_takes_a_held_ledger_over_and_it_stays_held(bench: Bench) -> None:
    ended(at_work(bench))
    asker = bench.scheduler()
    asker.backup(bench.folder / "x.backup")
    restored(bench, bench.folder / "x.backup")
    first = held_program(bench, "first.py")
    standby = bench.program(WORK, name="standby.py")
    standby.says("ready")
    first.send(signal.SIGKILL)
    first.ends(None)

    with watched(bench):
        eventually("it took over", lambda: (asker.holder() or {}).get("pid") == standby.pid)
        threading.Event().wait(0.5)
    before = len(witnessed(bench))
    asker.release_hold("now")
    eventually("it goes on", lambda: len(witnessed(bench)) > before + 5)
    ended(standby)

    assert twice(bench) == []


def tsk(bench: Bench, *arguments: str, code: int = 0) -> Any:
    """Run a command in a folder with a config, and return its document."""
    config = bench.folder / "scheduler_config.json"
    config.write_text(json.dumps({"storage": {"path": str(bench.database)}}))
    done = subprocess.run(
        [sys.executable, "-m", "task_scheduler", *arguments, "--json", "--no-input"],
        cwd=bench.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "LANG": "en"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_the_commands_back_up_restore_and_let_go_on(bench: Bench) -> None:
    program = at_work(bench)
    made = tsk(bench, "backup", "x.backup")
    assert tsk(bench, "backup", "x.backup", "--check")["ledger_id"] == made["ledger_id"]
    assert made["schema"] == "tsk.backup/1"
    tsk(bench, "backup", "x.backup", code=6)
    (bench.folder / "y.backup").write_text("no ledger at all")
    unsound = tsk(bench, "backup", "y.backup", "--check", code=7)
    assert unsound["error"]["key"] == "errors.backup_damaged"
    refused = tsk(bench, "restore", "x.backup", "--yes", code=6)
    assert str(program.pid) in refused["error"]["message"]
    assert refused["error"]["next"] == "tsk down"
    ended(program)

    unsure = tsk(bench, "restore", "x.backup", code=2)
    done = tsk(bench, "restore", "x.backup", "--yes")
    status = tsk(bench, "status", code=4)
    why = tsk(bench, "why", "script-0", "--at", f"{datetime.now():%H:%M:%S}")
    moment = (datetime.now().astimezone() - timedelta(seconds=1)).isoformat()
    released = tsk(bench, "restore", "--resume-from", moment)

    assert "--yes" in unsure["error"]["next"]
    assert Path(done["aside"]).exists()
    assert done["hold"]["reason"] == "restored"
    assert [problem["kind"] for problem in status["problems"]] == ["ledger_held"]
    assert (why["decided_by"], why["next"]) == ("hold", "tsk restore")
    assert released["hold"] is None
    assert released["released"]["entries"] == 5
    tsk(bench, "restore", "--resume-from", "now", code=7)


def _attempts(bench: Bench) -> set[tuple[int, int]]:
    names = [path.name.split("-") for path in (bench.state / "scheduler.runs").iterdir()]
    return {(int(run_id), int(token)) for run_id, token in names}


def _living_attempts(bench: Bench) -> list[Any]:
    """Return the attempts of which somebody still holds the lock."""
    from task_scheduler.rollback import find_strays

    return find_strays(bench.state / "scheduler.runs", [])
