"""Section E of the list: process trees, output, shutdown, and what grows without an end."""

from __future__ import annotations

import logging
import math
import os
import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from task_scheduler import FunctionTask, TaskSchedulerError
from task_scheduler.core.model import Claim, Outcome
from task_scheduler.core.recovery import Verdict
from task_scheduler.core.settlement import Settlement
from task_scheduler.stores import sqlite
from task_scheduler.stores.sqlite import SqliteReader, SqliteStore
from task_scheduler.supervision.process_tree import descendants, read_stat
from task_scheduler.tasks.attempt import perform
from task_scheduler.tasks.context import RunContext
from task_scheduler.testing import VirtualScheduler
from tests.contract.ledgers import put
from tests.integration.facade.bench import Bench as Facade
from tests.integration.facade.bench import ran
from tests.integration.supervision.bench import Bench, claim_of, eventually, is_alive
from tests.integration.supervision.test_survival import start_and_kill_a_scheduler
from tests.regressions.worlds import function, only, states

START = "2026-06-01T00:00:00+00:00"
NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


@pytest.fixture
def facade(tmp_path: Path) -> Iterator[Facade]:
    made = Facade(tmp_path)
    yield made
    made.close()


def test_cpython_76116_a_grandchild_that_holds_the_pipe_holds_up_no_timeout(bench: Bench) -> None:
    # It does not heed the signal that its parent ends by.
    argv = ["sh", "-c", "(trap '' TERM; exec sleep 100) & echo $! > pids; wait"]
    claim = bench.launch(argv, timeout_seconds=1.5, kill_grace_seconds=0.2)
    (grandchild,) = bench.pids_in(bench.folder / "pids", 1)

    end = bench.end_of(claim)

    assert end.outcome is Outcome.TIMED_OUT
    assert end.ended_at - end.started_at < 20_000_000, "and not when the grandchild ends"
    assert not is_alive(grandchild)


def test_dagster_6435_more_output_than_a_pipe_holds_blocks_nobody(bench: Bench) -> None:
    flood = "head -c 300000 /dev/zero >&2; head -c 300000 /dev/zero; echo done"
    claim = bench.launch(["sh", "-c", flood])

    end = bench.end_of(claim)

    assert end.outcome is Outcome.SUCCEEDED
    assert bench.output_of(claim) == b"\0" * 600_000 + b"done\n"


def test_apscheduler_17_a_job_that_hangs_has_a_timeout_and_blocks_no_other() -> None:
    world = VirtualScheduler({"scheduler": {"max_workers": 2}}, start=START)
    world.add_task(function("hangs", timeout=60, max_retries=0), at="2026-06-01T00:05:00Z")
    world.add_task(function("other", misfire="run_all"), every="2m")
    again = function("again", timeout=60, retry_delay=5, overlap="allow")
    world.add_task(again, at="2026-06-01T00:05:00Z")
    world.script("hangs", duration=math.inf)
    world.script("again", duration=["10m", "1s"])

    world.run_for(minutes=20, seconds=30)

    assert states(world, "hangs") == ["timed_out"]
    assert states(world, "other") == ["succeeded"] * 11
    run = only(world.runs("again"))
    assert [a["outcome"] for a in world.ledger.run(run["run_id"])["attempts"]] == [
        "timed_out",
        "succeeded",
    ]
    # Not beside the thread that nobody can stop: it ends ten minutes after its start.
    assert run["started_at"] >= "2026-06-01T00:15"


def test_supercronic_88_orphans_that_end_leave_no_zombies_behind(bench: Bench) -> None:
    argv = bench.program(
        """
        import os, time
        for _ in range(20):
            pid = os.fork()
            if pid == 0:
                if os.fork() == 0: os._exit(0)      # an orphan that ends at once
                os._exit(0)
            os.waitpid(pid, 0)
        print("ready", flush=True)
        while not os.path.exists("go"): time.sleep(0.01)
        """
    )
    claim = bench.launch(argv)
    eventually("it is ready", lambda: bench.output_of(claim) == b"ready\n")
    supervisor = bench.supervisor_of(claim)

    def zombies() -> int:
        stats = [read_stat(pid) for pid in descendants(supervisor)]
        return sum(stat is not None and not stat.is_living for stat in stats)

    eventually("every orphan is reaped while the task runs", lambda: zombies() == 0)
    (bench.folder / "go").touch()
    assert bench.end_of(claim).outcome is Outcome.SUCCEEDED


def test_supercronic_171_reaping_orphans_takes_no_exit_code_from_the_task(bench: Bench) -> None:
    argv = bench.program(
        """
        import os
        for code in range(30):
            if os.fork() == 0:
                if os.fork() == 0: os._exit(code)
                os._exit(99)
        os._exit(7)
        """
    )

    ends = [bench.end_of(claim) for claim in [bench.launch(argv) for _ in range(5)]]

    assert [(end.outcome, end.exit_code) for end in ends] == [(Outcome.FAILED, 7)] * 5


_DAEMON = """
    import os, time
    if os.fork() == 0:
        os.setsid()
        if os.fork(): os._exit(0)
    open("pids", "a").write(f"{os.getpid()}\\n")
    time.sleep(100)
    """


def test_sandlock_238_what_outlives_its_supervisor_is_found_without_a_death_signal(
    bench: Bench,
) -> None:
    claim = bench.launch(bench.program(_DAEMON))
    pids = bench.pids_in(bench.folder / "pids", 2)

    os.kill(bench.supervisor_of(claim), signal.SIGKILL)
    end = bench.end_of(claim)

    assert end.outcome is Outcome.LOST
    assert [pid for pid in pids if is_alive(pid)] == []


def test_sandlock_238_it_is_found_where_scheduler_and_launcher_are_gone_too(
    bench: Bench, tmp_path: Path
) -> None:
    start_and_kill_a_scheduler(tmp_path, 1, bench.program(_DAEMON))
    pids = bench.pids_in(tmp_path / "pids", 2)
    supervisor = bench.supervisor_of(claim_of(1))
    stat = read_stat(supervisor)
    assert stat is not None
    # The launcher; were it gone already, another process would stand there.
    command = Path(f"/proc/{stat.parent}/cmdline").read_bytes()
    victims = [stat.parent] if b"supervision" in command else []
    for pid in [*victims, supervisor]:
        os.kill(pid, signal.SIGKILL)
    eventually("the supervisor is dead", lambda: not is_alive(supervisor))

    verdict, completion = bench.executor.inspect(claim_of(1), is_same_boot=True)

    assert verdict == Verdict.LOST
    assert completion is not None
    assert completion.outcome is Outcome.LOST
    assert [pid for pid in pids if is_alive(pid)] == []


def has_said(bench: Bench, claim: Claim, output: bytes) -> bool:
    """Whether an attempt wrote this, and no more."""
    return bench.output_of(claim) == output


def test_ofelia_226_at_a_stop_a_program_has_its_grace_and_none_goes_on(bench: Bench) -> None:
    tidy = bench.launch(["sh", "-c", "trap 'echo tidied; exit 0' TERM; echo r; sleep 60 & wait"])
    deaf = bench.launch(["sh", "-c", "trap '' TERM; echo r; sleep 60"], kill_grace_seconds=0.2)
    for claim in (tidy, deaf):
        eventually("it is ready", partial(has_said, bench, claim, b"r\n"))
    trees = descendants(bench.supervisor_of(tidy)) + descendants(bench.supervisor_of(deaf))
    assert len(trees) >= 3

    bench.executor.cancel_all("the scheduler stopped")
    ends = [bench.end_of(claim) for claim in (tidy, deaf)]

    assert {(end.outcome, end.error) for end in ends} == {
        (Outcome.CANCELLED, "the scheduler stopped")
    }
    assert bench.output_of(tidy) == b"r\ntidied\n"
    assert [pid for pid in trees if is_alive(pid)] == []


def test_apscheduler_250_a_stop_in_the_rush_neither_hangs_nor_complains(
    facade: Facade, caplog: pytest.LogCaptureFixture
) -> None:
    scheduler = facade.running(storage=":memory:")
    stoppers: list[threading.Thread] = []

    def stop() -> None:
        # A task that ends its own scheduler, from another thread as one has to.
        if not stoppers:
            stoppers.append(threading.Thread(target=scheduler.stop, args=(2,)))
            stoppers[0].start()

    for number in range(20):
        scheduler.add_task(FunctionTask(f"t{number}", func=time.time), every=0.01)
    ran(scheduler, "t0", 2)
    with caplog.at_level(logging.WARNING):
        scheduler.add_task(FunctionTask("stops", func=stop), every=0.01)
        for _ in range(50):
            try:
                scheduler.run_task("t1")
            except TaskSchedulerError:
                break
    begun = time.monotonic()
    while not stoppers and time.monotonic() - begun < 10:
        threading.Event().wait(0.01)
    stoppers[0].join(10)

    assert not stoppers[0].is_alive()
    # A request that came after the end is written down, and nobody runs it.
    assert scheduler.get_task_status()["scheduler"]["state"] in ("stopped", "passive")
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == []


def test_apscheduler_843_readers_and_the_writer_never_lock_each_other_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_BUSY_SECONDS", 0.05)
    path = tmp_path / "scheduler.db"
    store, is_over = SqliteStore(path), threading.Event()
    failures: list[BaseException] = []
    counts: list[int] = []

    def read() -> None:
        reader = SqliteReader(path)
        try:
            while not is_over.is_set():
                counts.append(len(reader.fetch("all_task_ids", limit=999)))
        except BaseException as error:
            failures.append(error)
        finally:
            reader.close()

    readers = [threading.Thread(target=read) for _ in range(3)]
    for thread in readers:
        thread.start()
    for number in range(150):
        with store.transaction():
            put(store, f"task-{number:03}")
        if number % 40 == 0:
            store._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    is_over.set()
    for thread in readers:
        thread.join(20)

    assert failures == []
    assert len(store.fetch("all_task_ids", limit=999)) == 150
    assert max(counts) > 0
    long_reader = sqlite.read_only(str(path))
    cursor = long_reader.execute("SELECT task_id FROM entries")
    assert cursor.fetchone()
    with store.transaction():
        put(store, "beside one that reads on")
    cursor.close()
    long_reader.close()
    store.close()


def test_dkron_1566_the_ledger_holds_no_output_however_much_there_is(bench: Bench) -> None:
    claim = bench.launch(["sh", "-c", "head -c 5000000 /dev/zero | tr '\\0' x; exit 1"])

    end = bench.end_of(claim)

    flight = None
    row = Settlement(flight, end, "failed", None, None, 0, ()).attempt_row()  # type: ignore[arg-type]
    assert sum(len(str(value)) for value in row) < 2_000
    assert 1_000_000 <= len(bench.output_of(claim)) < 1_000_200
    assert end.output_path == str(bench.executor.output_path(claim))


def test_dkron_1009_two_dozen_runs_leave_no_descriptor_no_thread_and_no_file(bench: Bench) -> None:
    bench.run(["true"])
    before = open_things()

    claims = [bench.launch(["true"]) for _ in range(24)]
    for claim in claims:
        bench.end_of(claim)
    bench.executor.forget(claims)
    for number in range(24):
        verdict, _ = bench.executor.inspect(claim_of(1_000 + number), is_same_boot=True)
        assert verdict == Verdict.NOT_STARTED

    eventually("all is given back", lambda: open_things() == before)
    assert bench.executor.running_count() == 0
    assert {
        path.name for c in claims for path in bench.executor.output_path(c).parent.iterdir()
    } <= {"output"}


def open_things() -> tuple[int, int]:
    """Return how many descriptors and threads this process has."""
    return len(os.listdir("/proc/self/fd")), threading.active_count()  # noqa: PTH208


def test_xxl_job_msg_length_an_error_of_ten_megabytes_is_cut_and_still_says_what_it_was() -> None:
    def fails() -> None:
        raise RuntimeError("no water " + "x\0\ud800" * 5_000_000)

    context = RunContext(run_id=1, task_id="t", attempt=1, token=1, key="k", scheduled_at=NOW)
    is_fine, error = perform(FunctionTask("t", func=fails), context)
    assert not is_fine
    assert error is not None
    assert len(error) <= 4_000
    assert error.startswith("RuntimeError: no water")

    world = VirtualScheduler(start=START, execute=True)
    task = FunctionTask("job", func=fails, max_retries=0)
    world.add_task(task, at="2026-06-01T00:01:00Z")
    world.run_for(minutes=2)
    assert only(world.runs("job"))["error"] == error


def test_celery_9997_a_password_in_the_environment_of_a_task_is_in_no_file(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "canary-8f2c1e"
    with caplog.at_level(logging.DEBUG):
        claim = bench.launch(["sh", "-c", "echo begun; sleep 60"], env={"BROKER_PASSWORD": secret})
        eventually("it runs", lambda: bench.output_of(claim) == b"begun\n")
        files = [path for path in bench.folder.rglob("*") if path.is_file()]
        assert [path for path in files if secret.encode() in path.read_bytes()] == []
        bench.executor.cancel(claim, "enough")
        bench.end_of(claim)
        bad = bench.run(["/nonexistent/program"], env={"BROKER_PASSWORD": secret})

    files = [path for path in bench.folder.rglob("*") if path.is_file()]
    assert [path for path in files if secret.encode() in path.read_bytes()] == []
    assert secret not in f"{bad.error}{caplog.text}"
