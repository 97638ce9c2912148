"""`tsk up` under a service manager: what that hears from the start to the end, and when not."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.service.manager import PATIENCE_SECONDS, Manager

UP = ("-m", "task_scheduler", "up")
SHOW = "import os; print([n for n in ('NOTIFY_SOCKET', 'WATCHDOG_USEC') if n in os.environ])"

HUNG = """
import json, pathlib, sys, threading, time
from task_scheduler import CommandTask, TaskScheduler, vigil
from task_scheduler.service.manager import ServiceManager

vigil._STANDSTILL = 1_000_000
beats, hangs, armed = [], [], threading.Event()
alive = ServiceManager.alive
ServiceManager.alive = lambda manager: (beats.append(time.monotonic()), alive(manager))
scheduler = TaskScheduler(stall_exit_seconds=0, logging={"console": False})
scheduler.add_task(CommandTask("t", command=["true"]), every=0.2)

def hang(_event):
    if armed.is_set() and not hangs:
        hangs.append(time.monotonic())
        time.sleep(6)
        hangs.append(time.monotonic())

scheduler.add_listener(hang)
threading.Timer(1.5, armed.set).start()
code = scheduler.run_forever()
# Three seconds for a step of the main thread that the machine had no time for.
silent = [at for at in beats if hangs[0] + 3 < at < hangs[1]]
before, after = beats[0] < hangs[0], beats[-1] > hangs[1]
pathlib.Path("beats.json").write_text(json.dumps([before, len(silent), after]))
sys.exit(code)
"""


@pytest.fixture(params=[False, True], ids=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path, is_abstract=request.param)
    yield made
    made.close()


def configure(folder: Path, **sections: Any) -> None:
    path = folder / "scheduler_config.json"
    path.write_text(json.dumps({"logging": {"console": False}, **sections}), encoding="utf-8")


def test_it_says_that_it_is_ready_how_it_stands_and_that_it_ends(manager: Manager) -> None:
    configure(
        manager.folder, entries={"hello": {"type": "command", "command": ["true"], "every": "1h"}}
    )
    manager.start(*UP)

    ready = manager.until(lambda said: "READY" in said, "READY")
    manager.process.send_signal(signal.SIGHUP)
    reloading = manager.until(lambda said: "RELOADING" in said, "RELOADING")
    again = manager.until(lambda said: "READY" in said, "READY after the reload")
    code, text = manager.end()
    stopping = manager.until(lambda said: "STOPPING" in said, "STOPPING")

    assert ready["STATUS"] == "All is well (tasks: 1, failing: 0)."
    assert "EXTEND_TIMEOUT_USEC" in manager.heard[0]
    assert int(reloading["MONOTONIC_USEC"]) > 0
    assert again["STATUS"].startswith("configuration read again")
    assert "SIGTERM" in stopping["STATUS"]
    assert (code, "Traceback" in text) == (0, False)


def test_a_configuration_that_is_wrong_is_told_and_the_old_one_goes_on(manager: Manager) -> None:
    configure(manager.folder)
    manager.start(*UP)
    manager.until(lambda said: "READY" in said, "READY")

    configure(manager.folder, scheduler={"max_workers": "many"})
    manager.process.send_signal(signal.SIGHUP)
    manager.until(lambda said: "RELOADING" in said, "RELOADING")

    again = manager.until(lambda said: "READY" in said, "READY after the reload")
    assert "was not taken" in again["STATUS"]
    assert manager.end()[0] == 0


def test_a_watchdog_is_fed_until_the_end(manager: Manager) -> None:
    configure(manager.folder)
    manager.start(*UP, watchdog_seconds=0.9)

    manager.until(lambda said: "READY" in said, "READY")
    for number in range(3):
        manager.until(lambda said: "WATCHDOG" in said, f"beat {number + 1}")

    assert manager.end()[0] == 0


def test_an_engine_that_hangs_starves_the_watchdog_until_it_goes_on(tmp_path: Path) -> None:
    manager = Manager(tmp_path)
    (tmp_path / "program.py").write_text(HUNG, encoding="utf-8")
    try:
        manager.start("program.py", watchdog_seconds=0.6)
        manager.until(lambda said: "WATCHDOG" in said, "a beat")
        while manager.next(3) is not None:
            assert len(manager.heard) < 1_000, "it never hung"
        manager.until(lambda said: "WATCHDOG" in said, "a beat of the engine that goes on")

        code, text = manager.end()

        beaten_before, beats_while_it_hung, beaten_after = json.loads(
            (tmp_path / "beats.json").read_text(encoding="utf-8")
        )
        assert code == 0, text
        assert (beaten_before, beats_while_it_hung, beaten_after) == (True, 0, True)
    finally:
        manager.close()


def test_tasks_cannot_speak_for_the_scheduler(manager: Manager) -> None:
    configure(
        manager.folder,
        entries={"show": {"type": "command", "command": ["python3", "-c", SHOW], "every": "1h"}},
    )
    manager.start(*UP, watchdog_seconds=30.0)
    manager.until(lambda said: "READY" in said, "READY")

    def output() -> str:
        outputs = (manager.folder / ".scheduler" / "scheduler.runs").glob("*/output")
        return "".join(path.read_text(encoding="utf-8") for path in outputs)

    until_true(lambda: "]\n" in output())
    assert output() == "[]\n"
    assert manager.end()[0] == 0


def test_a_standby_is_ready_too_and_says_what_it_waits_for(tmp_path: Path) -> None:
    configure(tmp_path)
    holder, standby = Manager(tmp_path), Manager(tmp_path, is_abstract=True)
    try:
        holder.start(*UP)
        holder.until(lambda said: "READY" in said, "READY")
        standby.start(*UP, watchdog_seconds=0.9)

        ready = standby.until(lambda said: "READY" in said, "READY of the standby")
        standby.until(lambda said: "WATCHDOG" in said, "a beat of the standby")

        assert ready["STATUS"].startswith("Stands by")
        assert standby.end()[0] == 0
        assert holder.end()[0] == 0
    finally:
        standby.close()
        holder.close()


def until_true(is_so: Any) -> None:
    """Poll."""
    import time

    until = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.02)
