"""`tsk up` in one process, everything else from others: what a person with two terminals does."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.shell import Shell, until

PYTHON = sys.executable
SLOW = (
    "import time\n"
    "for n in range(4):\n"
    "    print('line', n, time.time(), flush=True)\n"
    "    time.sleep(0.8)\n"
)
ENTRIES = {
    "fine": {"type": "command", "command": [PYTHON, "-c", "print('done')"], "every": "30d"},
    "bad": {
        "type": "command",
        "command": [PYTHON, "-c", "print('going down'); raise SystemExit(3)"],
        "at": "2100-01-01T00:00:00+00:00",
        "max_retries": 0,
    },
    "flaky": {
        "type": "command",
        "command": [PYTHON, "-c", "print('one try'); raise SystemExit(3)"],
        "at": "2100-01-01T00:00:00+00:00",
        "max_retries": 1,
        "retry_delay": 4,
    },
    "slow": {
        "type": "command",
        "command": [PYTHON, "-c", SLOW],
        "at": "2100-01-01T00:00:00+00:00",
    },
    "endless": {
        "type": "command",
        "command": [PYTHON, "-c", "import time; print('on', flush=True); time.sleep(600)"],
        "at": "2100-01-01T00:00:00+00:00",
        "kill_grace_seconds": 1,
    },
}


@pytest.fixture
def terminal(tmp_path: Path) -> Shell:
    return Shell(tmp_path, {"scheduler": {"stop_timeout_seconds": 3}, "entries": ENTRIES})


@pytest.fixture
def up(terminal: Shell) -> Iterator[subprocess.Popen[str]]:
    """A running scheduler."""
    with terminal.scheduler() as process:
        yield process


def test_a_day_with_two_terminals(terminal: Shell, up: subprocess.Popen[str]) -> None:
    until(lambda: terminal.json("runs", "fine")["runs"][:1])
    until(lambda: terminal.json("runs", "fine")["runs"][0]["state"] == "succeeded")
    status = terminal.json("status")
    assert (status["verdict"], status["holder"]["pid"]) == ("fine", up.pid)
    assert status["holder"]["started_at"] is not None
    assert terminal.tsk("status").returncode == 0

    done = terminal.tsk("run", "fine", "--wait")
    assert (done.returncode, done.stdout.strip()) == (0, "2"), done.stderr

    bad = terminal.tsk("run", "bad", "--watch")
    assert bad.returncode == 9, bad.stderr
    assert bad.stdout == "going down\n"
    assert "exit code 3" in bad.stderr
    assert terminal.tsk("status").returncode == 1
    assert "✕  bad" in terminal.tsk("ls").stdout

    first = (terminal.folder / "up.txt").read_text()
    assert str(terminal.folder / ".scheduler" / "scheduler.db") in first
    assert str(terminal.folder / "scheduler_config.json") in first
    assert f"tasks declared: {len(ENTRIES)}" in first

    down = terminal.tsk("down")
    assert down.returncode == 0, down.stderr
    assert up.wait(10) == 0
    assert terminal.tsk("status").returncode == 4
    assert terminal.json("runs", "bad")["runs"][0]["state"] == "failed"


def test_following_shows_each_line_as_it_comes_and_ends_with_the_run(
    terminal: Shell, up: subprocess.Popen[str]
) -> None:
    run_id = terminal.tsk("run", "slow", "-q").stdout.strip()
    process = terminal.start("logs", run_id, "-f")
    assert process.stdout is not None
    lags = [time.time() - float(line.split()[-1]) for line in process.stdout]
    _, err = process.communicate(timeout=10)

    assert len(lags) == 4
    # Before the end of the run, which is most of a second after the last line. The first lines may
    # have been written before we looked.
    assert min(lags) < 0.8
    assert process.returncode == 0
    assert "succeeded" in err
    assert terminal.tsk("logs", "slow", "-n", "1").stdout.startswith("line 3")


def test_waiting_ends_at_its_timeout_and_the_run_goes_on(
    terminal: Shell, up: subprocess.Popen[str]
) -> None:
    waited = terminal.tsk("run", "endless", "--wait", "--timeout", "1s")

    assert waited.returncode == 8, waited.stderr
    run_id = waited.stdout.strip()
    assert terminal.json("show", "endless")["runs"][0]["state"] == "running"

    killed = terminal.tsk("kill", run_id, "--reason", "enough", "--wait", "--json")
    assert killed.returncode == 0, killed.stderr
    assert json.loads(killed.stdout)["run"]["state"] == "cancelled"


def test_ctrl_c_ends_the_following_and_not_the_run(
    terminal: Shell, up: subprocess.Popen[str]
) -> None:
    run_id = terminal.tsk("run", "endless", "-q").stdout.strip()
    process = terminal.start("logs", run_id, "-f")
    assert process.stdout is not None
    assert process.stdout.readline() == "on\n"

    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)

    assert process.returncode == 130
    assert "Traceback" not in err
    assert terminal.json("show", "endless")["runs"][0]["state"] == "running"


def test_ctrl_c_ends_the_waiting_and_not_the_run(
    terminal: Shell, up: subprocess.Popen[str]
) -> None:
    process = terminal.start("run", "endless", "--wait")
    assert process.stdout is not None
    run_id = process.stdout.readline().strip()

    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)

    assert process.returncode == 130
    assert f"tsk kill {run_id}" in err
    assert terminal.json("show", "endless")["runs"][0]["state"] in ("waiting", "running")


def test_a_second_scheduler_stands_by_and_takes_over(
    terminal: Shell, up: subprocess.Popen[str]
) -> None:
    with (terminal.folder / "second.txt").open("w") as log:
        second = terminal.start("up", stdout=log, stderr=log)
    try:
        told = (terminal.folder / "second.txt").read_text
        until(lambda: f"process {up.pid} runs this ledger" in told())

        up.kill()
        up.wait()

        until(lambda: (terminal.json("status")["holder"] or {}).get("pid") == second.pid)
        assert terminal.tsk("run", "fine", "--wait").returncode == 0
    finally:
        second.terminate()
        assert second.wait(30) == 0


def test_a_followed_stream_is_json_a_line(terminal: Shell, up: subprocess.Popen[str]) -> None:
    run_id = terminal.tsk("run", "slow", "-q").stdout.strip()

    lines = terminal.tsk("logs", run_id, "-f", "--jsonl").stdout.splitlines()

    assert [json.loads(line)["line"].split()[1] for line in lines] == ["0", "1", "2", "3"]


def test_pausing_reaches_the_running_scheduler(terminal: Shell, up: subprocess.Popen[str]) -> None:
    assert terminal.tsk("pause", "bad", "--reason", "cleaning").returncode == 0
    assert terminal.json("show", "bad")["task"]["status"] == "paused"
    assert terminal.tsk("resume", "bad").returncode == 0
    assert terminal.json("show", "bad")["task"]["status"] == "idle"


def test_ctrl_c_ends_the_scheduler_in_order(terminal: Shell, up: subprocess.Popen[str]) -> None:
    up.send_signal(signal.SIGINT)

    assert up.wait(30) == 0
    text = (terminal.folder / "up.txt").read_text()
    assert "Traceback" not in text
    assert "SIGINT" in text


def test_a_request_made_while_nobody_runs_is_carried_out_by_the_next_scheduler(
    terminal: Shell, request: pytest.FixtureRequest
) -> None:
    process = terminal.start("up", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: terminal.tsk("status").returncode != 4)
    process.terminate()
    assert process.wait(30) == 0
    run_id = int(terminal.tsk("run", "bad", "-q").stdout)
    assert terminal.json("runs", "bad")["runs"][0]["state"] == "waiting"

    request.getfixturevalue("up")

    until(lambda: terminal.json("runs", "bad")["runs"][0]["state"] == "failed")
    assert terminal.json("runs", "bad")["runs"][0]["run_id"] == run_id


def test_a_reader_that_has_enough_is_no_failure(terminal: Shell) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = terminal.start("help", "exit-codes", stdout=writer)
    os.close(writer)
    _, err = process.communicate(timeout=30)

    assert (process.returncode, err) == (0, "")


def test_without_a_terminal_there_is_no_colour_and_no_wrapping(terminal: Shell) -> None:
    found = terminal.tsk("check")

    assert "\x1b" not in found.stdout
    assert max(len(line) for line in found.stdout.splitlines()) > 40


@pytest.mark.parametrize("colourless", [False, True])
def test_on_a_terminal_colours_show_unless_refused(terminal: Shell, colourless: bool) -> None:
    import pty

    parent, child = pty.openpty()
    terminal.environ |= {"TERM": "xterm"} | ({"NO_COLOR": "1"} if colourless else {})
    process = terminal.start("check", stdout=child)
    os.close(child)
    shown = _read_terminal(parent)
    process.communicate(timeout=30)

    assert "fine" in shown
    assert ("\x1b[1m" in shown) is not colourless


def _read_terminal(descriptor: int) -> str:
    data = b""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while selector.select(30):
            try:
                piece = os.read(descriptor, 65_536)
            except OSError:  # Linux: nobody has the other end any more
                break
            if not piece:
                break
            data += piece
    os.close(descriptor)
    return data.decode()


def test_following_tells_of_a_failed_attempt_and_when_the_next_one_comes(
    terminal: Shell, up: subprocess.Popen[str]
) -> None:
    run_id = terminal.tsk("run", "flaky").stdout.strip()

    followed = terminal.tsk("logs", run_id, "-f")

    told = followed.stderr
    assert followed.stdout.count("one try") == 2
    assert told.index("attempt 1: ") < told.index("attempt 2 comes at ")
    assert told.index("attempt 2 comes at ") < told.index("-- attempt 2 --")


def test_who_changed_something_is_on_record_and_the_record_is_whole(
    terminal: Shell, up: subprocess.Popen[str]
) -> None:
    assert terminal.tsk("pause", "fine").returncode == 0

    changes = terminal.json("audit")["changes"]
    verdict = terminal.json("audit", "verify")

    assert (changes[0]["action"], changes[0]["task_id"]) == ("pause", "fine")
    assert changes[0]["actor"].endswith("tsk pause")
    assert f"pid {up.pid}" in changes[-1]["actor"]
    assert {change["action"] for change in changes[1:]} == {"add"}
    assert (verdict["rows"], verdict["problems"]) == (len(changes), [])
    assert verdict["head"] == changes[0]["hash"]
