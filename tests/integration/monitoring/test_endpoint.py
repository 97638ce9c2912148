"""The metrics over HTTP, in a file and on the command line, of a real scheduler."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from task_scheduler import FunctionTask
from task_scheduler.observe.metrics_server import SEATS
from tests.integration.facade.bench import eventually, settled
from tests.integration.monitoring.conftest import Make, Watched, made, scraped, troubles
from tests.integration.monitoring.receivers import ask
from tests.integration.monitoring.scrape import Scrape

LOOPBACK = {"metrics": {"listen": "127.0.0.1:0"}}


def test_a_scrape_tells_what_ran_and_how(watched: Watched) -> None:
    scrape = watched.scrape

    assert scrape.value("runs_total", task="fine", outcome="succeeded") == 1
    assert scrape.value("runs_total", task="bad", outcome="failed") == 1
    assert scrape.value("attempts_total", task="again", outcome="failed") == 1
    assert scrape.value("retries_total", task="again", outcome="failed") == 1
    assert scrape.value("run_duration_seconds_count", task="again", outcome="succeeded") == 1
    assert scrape.value("schedule_lag_seconds_count", task="again") == 2
    assert scrape.value("run_cpu_seconds_total", task="count") >= 0.05
    assert scrape.value("run_peak_memory_bytes", task="count") >= 24_000_000
    assert scrape.value("last_success_timestamp_seconds", task="fine") <= time.time()
    assert scrape.value("last_success_timestamp_seconds", task="bad") is None
    assert scrape.value("next_run_timestamp_seconds", task="fine") > time.time()
    assert scrape.value("task_paused", task="paused") == 1
    assert scrape.value("entries") == 5
    assert scrape.value("active") == 1
    assert scrape.value("launcher_up") == 1
    assert scrape.value("launcher_resident_memory_bytes") > 1_000_000
    assert scrape.value("start_lateness_seconds_count") >= 4
    assert scrape.value("queue_wait_seconds_count") is not None
    assert scrape.samples["process_resident_memory_bytes"][0][1] > 1_000_000


def test_nothing_is_called_as_prometheus_calls_its_own(watched: Watched) -> None:
    labels = {
        label for samples in watched.scrape.samples.values() for of, _ in samples for label in of
    }

    assert labels & {"job", "instance", "run_id"} == set()


def test_without_being_asked_for_nothing_listens(make: Make) -> None:
    scheduler = make()
    settled_run = scheduler.metrics()

    assert b"task_scheduler_build_info" in settled_run
    assert scheduler.metrics_address is None


def test_a_secret_in_the_name_of_a_task_is_in_no_scrape(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POND_KEY", "c4n4ry-9f8e")
    monitoring = {"metrics": {"listen": "127.0.0.1:0", "token": "${secret:KEY}"}}
    security = {"secrets": {"KEY": {"env": "POND_KEY"}}}
    scheduler = make(monitoring=monitoring, security=security)
    scheduler.add_task(FunctionTask("feed-c4n4ry-9f8e", None, lambda: True))
    scheduler.add_task(FunctionTask("feed", None, lambda: True))
    for task_id in ("feed-c4n4ry-9f8e", "feed"):
        settled(scheduler, scheduler.run_task(task_id))

    address = eventually("it listens", lambda: scheduler.metrics_address)
    refused = [ask(address), ask(address, Authorization="Bearer other")]
    scrape = scraped(scheduler, Authorization="Bearer c4n4ry-9f8e")

    assert [reply.status for reply in refused] == [401, 401]
    assert scrape.value("runs_total", task="feed", outcome="succeeded") == 1
    assert "c4n4ry" not in scrape.text
    assert "c4n4ry" not in repr(refused)


def test_a_page_that_calls_this_machine_by_its_own_name_reads_nothing(make: Make) -> None:
    scheduler = make(monitoring=LOOPBACK)
    address = eventually("it listens", lambda: scheduler.metrics_address)

    foreign = ask(address, Host="evil.example:9464")
    known = [ask(address, Host=host).status for host in ("localhost:1", "127.0.0.1", "[::1]:9464")]

    assert (foreign.status, "task_scheduler" in foreign.text) == (403, False)
    assert known == [200, 200, 200]


def test_silent_and_slow_clients_keep_nobody_out(make: Make) -> None:
    """More of them than there are seats: each keeps one until somebody wants it."""
    scheduler = make(monitoring=LOOPBACK)
    address = eventually("it listens", lambda: scheduler.metrics_address)
    hostile = [socket.create_connection(address) for _ in range(2 * SEATS)]
    try:
        for number, connection in enumerate(hostile):
            # Some say nothing, some begin and never come to the end.
            connection.sendall(b"GET /metrics HTTP/1.1\r\nX: " * (number % 2))
        replies = [ask(address).status for _ in range(3)]
        cut = eventually(
            "some were cut off", lambda: scraped(scheduler).value("scrapes_total", result="cut")
        )
    finally:
        for connection in hostile:
            connection.close()

    assert replies == [200, 200, 200]
    assert cut >= SEATS


def test_who_does_not_read_the_answer_is_left_behind(make: Make) -> None:
    scheduler = make(monitoring=LOOPBACK)
    for number in range(300):
        scheduler.add_task(FunctionTask(f"t{number:03}", None, lambda: True))
    address = eventually("it listens", lambda: scheduler.metrics_address)
    deaf = []
    for _ in range(SEATS // 2):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
        connection.connect(address)
        connection.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        deaf.append(connection)
    try:
        reply = ask(address)
        run = settled(scheduler, scheduler.run_task("t000"))
    finally:
        for connection in deaf:
            connection.close()

    assert (reply.status, run["state"]) == (200, "succeeded")
    assert len(reply.text) > 300_000, "longer than what the system takes for who does not read"


def test_an_address_that_is_taken_is_told_and_taken_as_soon_as_it_is_free(make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        host, port = taken.getsockname()
        scheduler = make(monitoring={"metrics": {"listen": f"{host}:{port}"}})
        scheduler.add_task(FunctionTask("goes_on", None, lambda: True))
        problem = eventually("the problem is shown", lambda: troubles(scheduler))[0]
        run = settled(scheduler, scheduler.run_task("goes_on"))

    assert (problem["where"], run["state"]) == (f"{host}:{port}", "succeeded")
    assert eventually("it listens", lambda: scheduler.metrics_address) == (host, port)
    eventually("the problem is over", lambda: not troubles(scheduler))


def test_a_name_that_nobody_knows_is_told_and_stops_nothing(make: Make) -> None:
    scheduler = make(monitoring={"metrics": {"listen": "nowhere.invalid:9464"}})
    scheduler.add_task(FunctionTask("goes_on", None, lambda: True))

    problem = eventually("the problem is shown", lambda: troubles(scheduler))[0]

    assert problem["where"] == "nowhere.invalid:9464"
    assert settled(scheduler, scheduler.run_task("goes_on"))["state"] == "succeeded"


def test_a_server_that_fails_is_replaced(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody in this process closed descriptors that were not his."""
    scheduler = make(monitoring=LOOPBACK)
    address = eventually("it listens", lambda: scheduler.metrics_address)
    assert scheduler._monitoring is not None
    assert scheduler._monitoring.exporter is not None
    server = scheduler._monitoring.exporter._server

    def fail(limit: int) -> None:
        raise ValueError("closed")

    monkeypatch.setattr(server, "serve", fail)
    server.stir()

    again = eventually(
        "another one listens",
        lambda: (found := scheduler.metrics_address) and found != address and found,
    )
    assert ask(again).status == 200


def test_a_changed_configuration_is_taken_up_while_it_runs(make: Make) -> None:
    scheduler = make()
    assert scheduler.metrics_address is None

    scheduler.config.config["monitoring"]["metrics"] = {"listen": "127.0.0.1:0"}
    first = eventually("it listens", lambda: scheduler.metrics_address)
    assert ask(first).status == 200

    scheduler.config.config["monitoring"]["metrics"] = None
    eventually("it listens no more", lambda: scheduler.metrics_address is None)
    with pytest.raises(ConnectionRefusedError):
        ask(first)


def test_who_stands_by_leaves_the_address_to_who_runs(make: Make, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = probe.getsockname()
    monitoring = {"metrics": {"listen": "{}:{}".format(*address)}}
    first = make(monitoring=monitoring)
    eventually("it listens", lambda: first.metrics_address)
    code = (
        "import sys, time; from pathlib import Path; from task_scheduler import TaskScheduler\n"
        f"s = TaskScheduler({{}}, storage={str(tmp_path / 'state' / 'scheduler.db')!r},"
        f" monitoring={monitoring!r}, logging={{'log_dir': {str(tmp_path)!r}, 'console': False}})\n"
        "s.start(); print('started', flush=True)\n"
        "sys.stdin.readline(); kinds = {p['kind'] for p in s.problems()}\n"
        "print('monitoring_failed' in kinds, s.metrics_address, flush=True)\n"
        "sys.stdin.readline(); s.stop(5)\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "started\n"
        other.stdin.write("\n")
        other.stdin.flush()
        assert other.stdout.readline() == "False None\n"
        first.stop(10)
        # The heir has it.
        reply = eventually("the heir answers", lambda: _status_or_none(address) == 200)
    finally:
        other.communicate("\n", timeout=60)
    assert reply


def _status_or_none(address: tuple[str, int]) -> int | None:
    try:
        return ask(address).status
    except OSError:
        return None


def test_a_child_that_lives_on_does_not_keep_the_address(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = probe.getsockname()
    monitoring = {"metrics": {"listen": "{}:{}".format(*address)}}
    code = (
        "import os, time, warnings; from task_scheduler import TaskScheduler\n"
        "warnings.simplefilter('ignore')\n"
        f"s = TaskScheduler({{}}, storage={str(tmp_path / 'scheduler.db')!r},"
        f" monitoring={monitoring!r}, logging={{'log_dir': {str(tmp_path)!r}, 'console': False}})\n"
        "s.start()\n"
        "while s.metrics_address is None: time.sleep(0.01)\n"
        "pid = os.fork()\n"
        "if pid == 0: os.close(1); time.sleep(600)\n"
        "s.stop(5); print(pid, flush=True); os._exit(0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True, timeout=60
    )
    child = int(done.stdout)
    try:
        os.kill(child, 0)
        with socket.create_server(address) as free:
            assert free.getsockname() == address
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_file_for_the_text_file_collector_is_whole_and_goes_with_the_scheduler(
    make: Make, tmp_path: Path
) -> None:
    path = tmp_path / "task_scheduler.prom"
    metrics = {"listen": None, "file": str(path), "file_interval_seconds": 1}
    scheduler = make(monitoring={"metrics": metrics})
    scheduler.add_task(FunctionTask("fine", None, lambda: True))
    eventually("the file is there", path.exists)
    settled(scheduler, scheduler.run_task("fine"))

    eventually(
        "the file tells of the run",
        lambda: Scrape(path.read_text()).value("runs_total", task="fine", outcome="succeeded"),
    )

    assert path.stat().st_mode & 0o777 == 0o644
    assert [other.name for other in tmp_path.glob(".*.prom*")] == []
    scheduler.stop(10)
    assert not path.exists()


def test_a_file_that_cannot_be_written_is_told(make: Make, tmp_path: Path) -> None:
    metrics = {"listen": None, "file": str(tmp_path / "not" / "there.prom")}
    scheduler = make(monitoring={"metrics": metrics})

    problem = eventually("the problem is shown", lambda: troubles(scheduler))[0]

    assert problem["where"].endswith("there.prom")


def tsk(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Call the command line in a process of its own."""
    config = folder / "scheduler_config.json"
    settings = {
        "storage": {"path": str(folder / "state" / "scheduler.db")},
        "logging": {"log_dir": str(folder / "logs"), "console": False},
    }
    config.write_text(json.dumps(settings), encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "task_scheduler", "-c", str(config), *arguments, "--lang", "en"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "NO_COLOR": "1"},
    )


def test_the_command_prints_what_the_running_scheduler_counts(make: Make, tmp_path: Path) -> None:
    scheduler = make()
    scheduler.add_task(FunctionTask("fine", None, lambda: True))
    settled(scheduler, scheduler.run_task("fine"))

    text, document = tsk(tmp_path, "metrics"), tsk(tmp_path, "metrics", "--json")

    assert text.returncode == 0, text.stderr
    assert Scrape(text.stdout).value("runs_total", task="fine", outcome="succeeded") == 1
    samples = json.loads(document.stdout)["samples"]
    assert {
        "name": "task_scheduler_runs_total",
        "labels": {"task": "fine", "outcome": "succeeded"},
        "value": 1.0,
    } in samples


def test_without_a_scheduler_the_command_says_so_and_what_to_type(tmp_path: Path) -> None:
    made(tmp_path).add_task(FunctionTask("fine", None, lambda: True))

    done = tsk(tmp_path, "metrics")

    assert (done.returncode, done.stdout) == (4, "")
    assert "no scheduler runs on" in done.stderr
    assert "tsk up" in done.stderr


def test_where_nothing_is_counted_the_command_says_how_to_change_that(
    make: Make, tmp_path: Path
) -> None:
    make(enable_monitoring=False)

    done = tsk(tmp_path, "metrics")

    assert (done.returncode, done.stdout) == (1, "")
    assert "enable_monitoring" in done.stderr


def test_a_task_that_never_succeeded_here_has_the_success_of_the_process_before(
    make: Make,
) -> None:
    first = make()
    first.add_task(FunctionTask("fine", None, lambda: True))
    settled(first, first.run_task("fine"))
    first.stop(10)
    second = make(monitoring=LOOPBACK)

    scrape = scraped(second)

    assert scrape.value("last_success_timestamp_seconds", task="fine") <= time.time()
    assert scrape.value("runs_total", task="fine", outcome="succeeded") == 0
