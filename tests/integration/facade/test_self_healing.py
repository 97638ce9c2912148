"""A ledger that cannot be used for a while: seen, told once, recovered from, nothing lost."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from task_scheduler import CommandTask, FunctionTask, StoreError, current_run
from task_scheduler.errors import (
    NetworkFileSystemError,
    SchemaTooNewError,
    StoreDamagedError,
    StoreUnavailableError,
)
from tests.integration.facade.bench import Bench, eventually, ran, settled, take_away


def nothing() -> None:
    """Succeed."""


def store_error(scheduler) -> str | None:
    return scheduler.get_task_status()["scheduler"]["store_error"]


def said(bench: Bench, sentence: str) -> int:
    return len(re.findall(re.escape(sentence), bench.log()))


def test_a_ledger_locked_by_a_foreign_program_is_waited_for(bench: Bench, monkeypatch) -> None:
    scheduler = bench.running()
    scheduler.add_task(FunctionTask("t", func=nothing, misfire="run_all"), every=0.2)
    scheduler.add_task(FunctionTask("asked", func=nothing))
    ran(scheduler, "t")
    monkeypatch.setattr("task_scheduler.stores.sqlite._BUSY_SECONDS", 0.3)
    scheduler.stop()
    scheduler.start()
    release = bench.folder / "release"
    program = bench.program(
        f"""
        import sqlite3
        foreign = sqlite3.connect({str(bench.database)!r}, isolation_level=None)
        foreign.execute("BEGIN EXCLUSIVE")
        print("LOCKED", flush=True)
        until(Path({str(release)!r}).exists)
        foreign.execute("COMMIT")
        print("FREE", flush=True)
        """
    )
    program.says("LOCKED")

    error = eventually("the status shows it", lambda: store_error(scheduler))
    assert "locked by another program" in error
    with pytest.raises(StoreUnavailableError, match="locked"):
        scheduler.run_task("asked")
    release.touch()
    program.ends(0)

    eventually("it recovers", lambda: store_error(scheduler) is None)
    count = scheduler.get_task_status("t")["run_count"]
    ran(scheduler, "t", count + 3)
    assert settled(scheduler, scheduler.run_task("asked"))["state"] == "succeeded"
    assert said(bench, "The ledger cannot be written") == 1
    eventually(
        "its end is told",
        lambda: said(bench, "The ledger can be written again; nothing was lost") == 1,
    )


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of one megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1500k,mode=0700", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.may_skip(reason="only root may mount a small disk")
def test_a_full_disk_is_told_and_once_there_is_room_nothing_was_lost(
    bench: Bench, small_disk: Path
) -> None:
    scheduler = bench.running(storage=str(small_disk / "scheduler.db"))
    scheduler.add_task(FunctionTask("t", func=nothing), every=0.2)
    scheduler.add_task(FunctionTask("asked", func=nothing))
    ran(scheduler, "t")
    acknowledged: list[int] = []
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)

    def ask() -> bool:
        try:
            acknowledged.append(scheduler.run_task("asked"))
        except StoreUnavailableError as error:
            return "full" in str(error)
        return False

    eventually("a change is refused", ask)
    assert "full" in eventually("the status shows it", lambda: store_error(scheduler))
    filler.unlink()

    eventually("it recovers", lambda: store_error(scheduler) is None)
    acknowledged.append(scheduler.run_task("asked"))
    for run_id in acknowledged:
        assert settled(scheduler, run_id)["state"] == "succeeded"
    count = scheduler.get_task_status("t")["run_count"]
    ran(scheduler, "t", count + 2)
    assert said(bench, "The ledger cannot be written") == 1


def test_a_ledger_that_turns_read_only_is_told_and_recovered_from(bench: Bench) -> None:
    scheduler = bench.running()
    scheduler.add_task(FunctionTask("t", func=nothing), every=0.2)
    ran(scheduler, "t")
    connection = scheduler._runtime.holding.store._connection

    connection.execute("PRAGMA query_only=1")

    error = eventually("the status shows it", lambda: store_error(scheduler))
    assert "cannot be written" in error
    with pytest.raises(StoreUnavailableError, match="ls -ld"):
        scheduler.pause_task("t")
    connection.execute("PRAGMA query_only=0")
    eventually("it recovers", lambda: store_error(scheduler) is None)
    ran(scheduler, "t", scheduler.get_task_status("t")["run_count"] + 2)


@pytest.mark.may_skip(reason="only root may mount a disk")
def test_a_read_only_disk_is_refused_at_the_start_and_used_once_it_is_not(
    bench: Bench, small_disk: Path
) -> None:
    def remount(mode: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{mode}", str(small_disk)], check=True)

    storage = str(small_disk / "scheduler.db")
    bench.program(
        f"""
        with make(storage={storage!r}) as scheduler:
            scheduler.add_task(CommandTask("c", command=["true"]))
        """
    ).ends(0)
    remount("ro")
    scheduler = bench.scheduler(storage=storage)

    with pytest.raises(StoreError, match="Read-only file system"):
        scheduler.start()

    remount("rw")
    scheduler.start()
    assert settled(scheduler, scheduler.run_task("c"))["state"] == "succeeded"


def test_a_state_folder_of_another_user_is_refused_with_the_remedy(bench: Bench) -> None:
    program = bench.program(
        """
        make(storage=":memory:").start()  # imports all there is to import, as root
        folder = Path(sys.argv[0]).parent
        scheduler = make(storage=str(folder / "closed" / "state" / "scheduler.db"))
        (folder / "closed").mkdir()
        (folder / "closed").chmod(0o500)
        if os.geteuid() == 0:
            os.chown(folder / "closed", 65534, 65534)
            os.setegid(65534)
            os.seteuid(65534)
        try:
            scheduler.start()
        except StoreError as error:
            print("REFUSED", error, flush=True)
        if os.getuid() == 0:
            os.seteuid(0)
        (folder / "closed").chmod(0o700)
        """
    )

    output = program.ends(0)

    assert "REFUSED" in output
    assert "Permission denied" in output
    assert "ls -ld" in output


def test_a_ledger_whose_files_were_moved_is_told_and_goes_on_once_they_are_back(
    bench: Bench, monkeypatch
) -> None:
    monkeypatch.setattr("task_scheduler.holding._MOVING", 60_000_000)
    scheduler = bench.running()
    scheduler.add_task(CommandTask("c", command=["true"]), every=0.2)
    ran(scheduler, "c", 2)
    aside = bench.folder / "aside"
    aside.mkdir()

    for path in bench.state.glob("scheduler.db*"):
        path.rename(aside / path.name)

    assert "scheduler.db" in eventually("the status shows it", lambda: store_error(scheduler))
    with pytest.raises(StoreError):
        scheduler.add_task(CommandTask("new", command=["true"]))
    for path in aside.iterdir():
        path.rename(bench.state / path.name)
    eventually("it recovers", lambda: store_error(scheduler) is None)
    count = scheduler.get_task_status("c")["run_count"]
    assert count >= 2
    ran(scheduler, "c", count + 2)


def test_a_damaged_ledger_is_refused_and_left_as_it_is(bench: Bench) -> None:
    first = bench.running()
    first.add_task(CommandTask("c", command=["true"]), every=3600)
    ran(first, "c")
    first.stop()
    content = bytearray(bench.database.read_bytes())
    content[4096 : 4096 * 6] = os.urandom(4096 * 5)
    bench.database.write_bytes(content)

    with pytest.raises(StoreDamagedError, match=r"nothing was deleted.*mkdir"):
        bench.scheduler().start()

    assert bench.database.read_bytes() == bytes(content)


@pytest.mark.parametrize("content", [b"this is a text\n" * 500, b"\0" * 9000], ids=["text", "nul"])
def test_what_is_no_ledger_is_refused_and_left_as_it_is(bench: Bench, content: bytes) -> None:
    bench.state.mkdir(mode=0o700)
    bench.database.write_bytes(content)

    with pytest.raises(StoreError):
        bench.scheduler().start()

    assert bench.database.read_bytes() == content


def test_the_database_of_another_program_is_refused_and_left_as_it_is(bench: Bench) -> None:
    bench.state.mkdir(mode=0o700)
    with contextlib.closing(sqlite3.connect(bench.database)) as other:
        other.execute("CREATE TABLE ponds (name)")
        other.commit()
    before = bench.database.read_bytes()

    with pytest.raises(StoreDamagedError, match="another program"):
        bench.scheduler().start()

    assert bench.database.read_bytes() == before


def test_a_ledger_of_a_newer_release_is_refused_with_the_remedy(bench: Bench) -> None:
    first = bench.running()
    first.stop()
    with contextlib.closing(sqlite3.connect(bench.database)) as newer:
        newer.execute("PRAGMA user_version = 99")

    with pytest.raises(SchemaTooNewError, match=r"99.*pip install --upgrade"):
        bench.scheduler().start()


def test_a_ledger_on_a_network_file_system_is_refused_with_the_remedy(
    bench: Bench, monkeypatch
) -> None:
    monkeypatch.setattr("task_scheduler.stores.sqlite.network_file_system_of", lambda path: "nfs4")

    with pytest.raises(NetworkFileSystemError, match=r"nfs4.*storage\.path"):
        bench.scheduler().start()


def test_a_refused_start_may_be_made_again_once_the_cause_is_gone(bench: Bench) -> None:
    bench.state.mkdir(mode=0o700)
    bench.database.write_bytes(b"no ledger " * 1000)
    scheduler = bench.scheduler()
    scheduler_error = None
    try:
        scheduler.start()
    except StoreError as error:
        scheduler_error = error
    assert scheduler_error is not None

    bench.database.unlink()

    scheduler.start()
    scheduler.add_task(FunctionTask("t", func=nothing), every=0.1)
    ran(scheduler, "t", 2)


def test_an_exception_in_a_tick_is_told_once_and_the_loop_goes_on(
    bench: Bench, monkeypatch
) -> None:
    scheduler = bench.running()
    scheduler.add_task(FunctionTask("t", func=nothing), every=0.1)
    ran(scheduler, "t")
    planning = scheduler._runtime.holding.engine._planning
    whole = planning.plan
    is_broken = True

    def broken(work):
        if is_broken:
            raise ZeroDivisionError("a bug of ours")
        return whole(work)

    monkeypatch.setattr(planning, "plan", broken)
    error = eventually("the status shows it", lambda: store_error(scheduler))
    assert "ZeroDivisionError: a bug of ours" in error
    time.sleep(1)
    is_broken = False

    eventually("it recovers", lambda: store_error(scheduler) is None)
    count = scheduler.get_task_status("t")["run_count"]
    ran(scheduler, "t", count + 3)
    assert said(bench, "a bug of ours") == 1


def test_a_commit_that_fails_after_runs_were_taken_starts_none_of_them_twice(
    bench: Bench, monkeypatch
) -> None:
    scheduler = bench.running()
    started: list[int] = []
    task = FunctionTask("t", func=lambda: started.append(current_run().run_id))
    scheduler.add_task(task, every=0.1)
    ran(scheduler, "t")
    store = scheduler._runtime.holding.store
    whole = store.transaction
    failures = [True, False, True, True, False]

    @contextlib.contextmanager
    def failing():
        fails = failures.pop(0) if failures else False
        with whole():
            yield
            if fails:
                raise StoreUnavailableError("errors.store_full", path="somewhere")

    monkeypatch.setattr(store, "transaction", failing)
    count = scheduler.get_task_status("t")["run_count"]
    ran(scheduler, "t", count + 5)

    keys = [run["key"] for run in scheduler.view.runs("t")]
    assert len(keys) == len(set(keys))
    assert len(started) == len(set(started))


def test_the_log_folder_may_vanish_and_tasks_go_on(bench: Bench) -> None:
    scheduler = bench.running()
    scheduler.add_task(FunctionTask("t", func=nothing), every=0.1)
    ran(scheduler, "t")

    take_away(bench.folder / "logs")

    count = scheduler.get_task_status("t")["run_count"]
    ran(scheduler, "t", count + 3)


def test_the_runs_folder_may_vanish_and_the_next_script_runs(bench: Bench) -> None:
    scheduler = bench.running()
    scheduler.add_task(CommandTask("c", command=["echo", "hello"]))
    settled(scheduler, scheduler.run_task("c"))

    take_away(bench.state / "scheduler.runs")

    run = settled(scheduler, scheduler.run_task("c"))
    assert run["state"] == "succeeded", run


def test_a_scheduler_whose_ledger_is_gone_for_good_still_stops(bench: Bench) -> None:
    scheduler = bench.running()
    scheduler.add_task(FunctionTask("t", func=nothing), every=0.1)
    scheduler.add_task(CommandTask("c", command=["sleep", "1"]))
    ran(scheduler, "t")
    scheduler.run_task("c")

    take_away(bench.state)

    eventually("the status shows it", lambda: store_error(scheduler))
    begun = time.monotonic()
    scheduler.stop(0.5)
    assert time.monotonic() - begun < 8
    assert scheduler.get_task_status()["scheduler"]["state"] == "stopped"


def test_a_replaced_ledger_is_not_written_into(bench: Bench) -> None:
    scheduler = bench.running()
    scheduler.add_task(FunctionTask("t", func=nothing), every=0.1)
    ran(scheduler, "t")
    for path in bench.state.glob("scheduler.db*"):
        path.rename(path.with_name("old-" + path.name))
    bench.database.write_bytes(b"somebody's backup")

    error = eventually("the status of the store says so", lambda: scheduler._runtime.store_error)

    assert "replaced" in error
    assert bench.database.read_bytes() == b"somebody's backup"
