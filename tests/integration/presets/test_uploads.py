"""The upload script against a real collector: everything exactly once, whatever happens between."""

from __future__ import annotations

import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from tests.integration.presets.conftest import wait_for

SCRIPT = "client/updata.py"

# Answers each kind of batch as told: status codes for the first POSTs, after or instead of storing.
UNRELIABLE = """
import sys, time
from http import HTTPStatus
from task_scheduler.presets.farm import collector
answers = [int(code) for code in sys.argv[1].split(",") if code]
is_stored = sys.argv[2] == "stored"
store = collector.Handler._store
def unreliable(handler):
    if not answers:
        return store(handler)
    status = HTTPStatus(answers.pop(0))
    if is_stored:
        store(handler)
    raise collector._RefusedError(status, "as the test wants it")
collector.Handler._store = unreliable
sys.exit(collector.main(sys.argv[3:]))
"""


@pytest.fixture
def start_unreliable(start, tmp_path):
    """Start a collector that answers the first POSTs with these codes."""

    def start_one(answers: str, is_stored: str = "dropped"):
        options = ("--port", "0", "--database", str(tmp_path / "collector.db"))
        return start("-c", UNRELIABLE, answers, is_stored, *options)

    return start_one


def received(tmp_path, statement: str) -> list[tuple]:
    with closing(sqlite3.connect(tmp_path / "collector.db")) as db:
        return db.execute(statement).fetchall()


def write_log(farm, *lines: str) -> None:
    path = farm.folder / "logs" / "scheduler.log"
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as file:
        file.writelines(f"{line}\n" for line in lines)


def test_readings_and_log_arrive_once(farm, start_collector) -> None:
    collector = start_collector()
    farm.set_up(url=collector.url)
    farm.add_readings(1200)
    write_log(farm, *(f"line {number}" for number in range(50)))
    total = farm.query("SELECT count(*) FROM readings")[0][0]

    first = farm.run(SCRIPT, "--mode", "auto")
    again = farm.run(SCRIPT, "--mode", "auto")

    assert (first.returncode, again.returncode) == (0, 0), first.stderr + again.stderr
    assert collector.get()["readings"] == total
    assert collector.get()["logs"] == 50
    assert collector.get()["batches"] == 4
    assert farm.query("SELECT count(*) FROM readings WHERE sent_at IS NULL") == [(0,)]
    assert farm.query("SELECT count(*) FROM outbox") == [(0,)]


def test_before_the_first_readings_there_is_nothing_to_do(farm, start_collector) -> None:
    farm.set_up(url=start_collector().url)

    done = farm.run(SCRIPT, "--mode", "auto")

    assert (done.returncode, done.stderr) == (0, "")


def test_the_first_upload_waits_for_the_first_readings(farm, start_collector, start_device) -> None:
    collector = start_collector()
    farm.set_up(url=collector.url, device=start_device().address)
    command = [sys.executable, str(farm.folder / SCRIPT), "--wait", "30"]
    uploading = subprocess.Popen(command, env=farm.environ, stdout=subprocess.DEVNULL)

    farm.run("sensor_data_collection.py")

    assert uploading.wait(30) == 0
    assert collector.get()["readings"] == 8


def test_an_unreachable_server_costs_nothing_but_time(farm, start_collector, free_port) -> None:
    farm.set_up(url=f"http://127.0.0.1:{free_port}")
    farm.add_readings(700)
    write_log(farm, "a", "b")

    down = [farm.run(SCRIPT) for _ in range(3)]
    collector = start_collector(free_port)
    write_log(farm, "c")
    up = farm.run(SCRIPT)

    assert [done.returncode for done in down] == [1, 1, 1]
    assert len(down[0].stderr.splitlines()) == 1
    assert f"http://127.0.0.1:{free_port}" in down[0].stderr
    assert "708 readings are kept" in down[0].stderr
    assert up.returncode == 0
    assert collector.get()["readings"] == 708
    assert collector.get()["logs"] == 3


def test_a_server_that_dies_after_receiving_counts_nothing_twice(farm, start_unreliable) -> None:
    collector = start_unreliable("500,502", "stored")
    farm.set_up(url=collector.url)
    farm.add_readings(30)
    write_log(farm, "a", "b")

    codes = [farm.run(SCRIPT).returncode for _ in range(3)]

    assert codes == [1, 1, 0]
    assert collector.get()["readings"] == 38
    assert collector.get()["logs"] == 2
    assert collector.get()["batches"] == 2


def test_rows_that_come_while_an_answer_was_lost_arrive_too(farm, start_unreliable) -> None:
    collector = start_unreliable("500", "stored")
    farm.set_up(url=collector.url)
    farm.add_readings(30)
    farm.run(SCRIPT)
    with closing(sqlite3.connect(farm.database)) as db, db:
        db.execute(
            "INSERT INTO readings (scheduled_at, measured_at, pond, sensor, value, unit, quality)"
            " VALUES ('2027', '2027', 'pond-9', 'ph', 8.0, 'pH', 'ok')"
        )

    farm.run(SCRIPT)

    assert collector.get()["readings"] == 39


@pytest.mark.parametrize("status", [401, 404, 429, 503])
def test_a_server_that_is_busy_or_set_up_wrongly_gets_it_later(
    farm, start_unreliable, status
) -> None:
    collector = start_unreliable(str(status))
    farm.set_up(url=collector.url)
    farm.add_readings(5)

    first, second = farm.run(SCRIPT), farm.run(SCRIPT)

    assert (first.returncode, second.returncode) == (1, 0)
    assert str(status) in first.stderr
    assert collector.get()["readings"] == 13


def test_a_batch_that_is_refused_for_ever_stops_no_other_and_is_kept(
    farm, start_unreliable
) -> None:
    collector = start_unreliable("422")
    farm.set_up(url=collector.url)
    farm.add_readings(5)
    write_log(farm, "a")

    first = farm.run(SCRIPT)
    second = farm.run(SCRIPT)
    again = farm.run(SCRIPT, "--again")

    assert (first.returncode, second.returncode, again.returncode) == (1, 1, 0)
    assert "refused 1 batches" in second.stderr
    assert collector.get()["logs"] == 1
    assert collector.get()["readings"] == 13


def test_an_uploader_killed_at_any_moment_loses_and_doubles_nothing(
    farm, start_collector, tmp_path
) -> None:
    collector = start_collector()
    farm.set_up(url=collector.url)
    farm.add_readings(3000)
    write_log(farm, *(f"line {number}" for number in range(3000)))
    total = farm.query("SELECT count(*) FROM readings")[0][0]
    command = [sys.executable, str(farm.folder / SCRIPT)]

    for _ in range(12):
        before = collector.get()["batches"]
        process = subprocess.Popen(
            command, env=farm.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        # As soon as the server has one more, which the uploader may or may not have written down.
        wait_for(lambda: collector.get()["batches"] > before or process.poll() is not None)  # noqa: B023
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = farm.run(SCRIPT)

    assert done.returncode == 0
    assert collector.get()["readings"] == total
    lines = [line for (line,) in received(tmp_path, "SELECT line FROM logs ORDER BY id")]
    assert lines == [f"line {number}" for number in range(3000)]


def test_a_server_that_never_answers_is_given_up(farm, free_port) -> None:
    farm.add_readings(5)
    with socket.create_server(("127.0.0.1", free_port)):
        farm.set_up(url=f"http://127.0.0.1:{free_port}")

        done = farm.run(SCRIPT)

    assert done.returncode == 1
    assert "13 readings are kept" in done.stderr


def test_two_uploaders_at_once_count_nothing_twice(farm, start_collector) -> None:
    collector = start_collector()
    farm.set_up(url=collector.url)
    farm.add_readings(2000)
    command = [sys.executable, str(farm.folder / SCRIPT)]

    both = [subprocess.Popen(command, env=farm.environ) for _ in range(2)]

    assert [process.wait(60) for process in both] == [0, 0]
    assert collector.get()["readings"] == 2008
    assert farm.query("SELECT count(*) FROM readings WHERE sent_at IS NULL") == [(0,)]


def test_without_an_address_it_says_where_to_write_it(farm) -> None:
    done = farm.run(SCRIPT, LC_ALL="zh_CN.UTF-8")

    assert done.returncode == 1
    assert done.stderr == f"没有配置服务器地址：请在 {farm.folder}/farm.toml 中填写 url\n"
