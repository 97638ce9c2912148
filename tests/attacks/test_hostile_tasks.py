"""Tasks that fight their scheduler, as its own user: they harm themselves alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from task_scheduler import CommandTask, TaskScheduler
from task_scheduler.supervision.orders import FOLDER_VARIABLE
from tests.integration.facade.bench import settled

HEAD = f"""\
import json, os, signal, sys, time
folder = os.environ.get({FOLDER_VARIABLE!r}, "")
def parent(pid):
    return int(open(f"/proc/{{pid}}/stat").read().rpartition(")")[2].split()[1])
good = dict(format=1, outcome="succeeded", started_at=5, ended_at=6)
good |= dict(exit_code=0, signal=None, error=None)
"""

FIGHTS: dict[str, tuple[str, set[str]]] = {
    "kills-its-supervisor": ("os.kill(os.getppid(), 9); time.sleep(30)", {"lost"}),
    "kills-the-launcher": ("os.kill(parent(os.getppid()), 9)", {"succeeded", "lost"}),
    "kills-both": (
        "a = os.getppid(); b = parent(a); os.kill(b, 9); os.kill(a, 9); time.sleep(30)",
        {"lost"},
    ),
    "stops-its-supervisor": ("os.kill(os.getppid(), 19); sys.exit(3)", {"failed", "timed_out"}),
    "stops-itself": ("os.kill(os.getpid(), 19)", {"timed_out"}),
    "is-deaf": ("signal.signal(15, signal.SIG_IGN); time.sleep(30)", {"timed_out"}),
    "leaves-a-daemon": (
        "\nif os.fork() == 0:\n os.setsid()\n if os.fork() == 0: time.sleep(60)\n os._exit(0)\n",
        {"succeeded", "failed"},
    ),
    "commands-by-output": (
        (
            'print(json.dumps({"update_event": {"task_id": "good", "command": ["false"]}}));'
            ' print("::set-env name=PATH::/evil");'
            ' print(json.dumps({"op": "remove", "task_ids": ["good"]}))'
        ),
        {"succeeded"},
    ),
    "forges-numbers": (
        'json.dump({**good, "started_at": 10**30}, open(folder + "/exit.json", "w")); sys.exit(4)',
        {"failed", "lost"},
    ),
    "forges-half-letters": (
        (
            'open(folder + "/exit.json", "w").write(json.dumps({**good, "error": "\\ud800"}));'
            " sys.exit(4)"
        ),
        {"failed", "succeeded", "lost"},
    ),
    "pipes-everywhere": (
        '[os.mkfifo(os.path.join(folder, n)) for n in ("cancel", "exit.json")]; sys.exit(5)',
        {"failed", "lost", "cancelled"},
    ),
    "deletes-its-folder": (
        "import shutil; shutil.rmtree(folder, ignore_errors=True); sys.exit(6)",
        {"failed", "lost"},
    ),
    "closes-its-output": ("os.close(1); os.close(2); sys.exit(7)", {"failed"}),
    "one-long-line": ('sys.stdout.write("x" * 20_000_000); sys.exit(8)', {"failed"}),
    "controls-the-terminal": ('print("\\x1b]0;owned\\x07\\x9b2J"); sys.exit(9)', {"failed"}),
}


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TaskScheduler]:
    folder = tmp_path_factory.mktemp("hostile")
    with TaskScheduler(
        {},
        storage=str(folder / "state" / "scheduler.db"),
        language="en",
        logging={"log_dir": str(folder / "logs"), "console": False},
        tasks={"max_retries": 0},
    ) as made:
        made.add_task(CommandTask("good", None, ["true"]))
        yield made


@pytest.mark.parametrize("name", FIGHTS)
def test_a_task_that_fights_harms_itself_alone(name: str, scheduler: TaskScheduler) -> None:
    code, ends = FIGHTS[name]
    task: Any = CommandTask(
        name,
        None,
        [sys.executable, "-c", HEAD + code],
        timeout=3,
        kill_grace_seconds=0.2,
        on_lost="at_most_once",
    )
    scheduler.add_task(task)
    before = scheduler.view.task("good")["definition"]

    run = settled(scheduler, scheduler.run_task(name))

    assert run["state"] in ends, run
    assert settled(scheduler, scheduler.run_task("good"))["state"] == "succeeded"
    assert scheduler.view.task("good")["definition"] == before
    assert "\x1b" not in str(run["error"])
