"""Releases beside each other: what one has started or written, another one ends and reads.

The samples are frozen: they stand for what is running, or lies on a disk, while a newer or an older
release is installed. They are never brought up to date; a new format gets samples of its own.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from task_scheduler.core.events import SupervisionFaltered
from task_scheduler.core.model import Outcome
from task_scheduler.core.recovery import Verdict
from task_scheduler.supervision import attempt_folder, launcher_client, outgoing_order
from tests.integration.supervision.bench import Bench, claim_of, eventually

ROOT = Path(__file__).parents[3]

RECORD_1 = (
    '{"format": 1, "outcome": "failed", "exit_code": 3, "signal": null,'
    ' "started_at": 1764031000000000, "ended_at": 1764031001000000,'
    ' "error": "exit code 3: the pump is dry", "output_bytes": 16, "is_truncated": false,'
    ' "output_error": null, "leftover_count": 0, "cpu_seconds": 0.001, "max_rss_bytes": 1900544,'
    ' "supervision": "subreaper"}'
)
ORDER_1 = """
{"folder": "FOLDER", "argv": ["sh", "-c", "echo $OLD; kill -9 $$"], "working_dir": "/",
"env": [["OLD", "an old order"], ["PATH", "/usr/bin:/bin"]], "timeout_seconds": 60,
"kill_grace_seconds": 1, "output_limit_bytes": 1000, "bell": "FOLDER/bell", "texts":
{"cancelled": "cancelled", "timed_out": "timed out", "exit_code": "exit code {code}",
"killed_by": "killed by {signal}", "no_folder": "", "no_program": "", "no_interpreter": "",
"not_allowed": "", "no_format": "", "too_long": "", "not_started": "{reason}",
"truncated": "[cut]", "internal": "{reason}"}}
"""
SUPERVISOR_1 = """
import fcntl, os, signal, socket, sys, time
folder, bell = sys.argv[1:]
lock = os.open(folder + "/lock", os.O_RDWR | os.O_CREAT, 0o600)
fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
os.close(os.open(folder + "/permit", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
def started(pid): return int(open(f"/proc/{{pid}}/stat").read().rpartition(")")[2].split()[19])
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
os.pwrite(lock, f"1 {{os.getpid()}} {{started(os.getpid())}} 0 0\\n".encode(), 0)
while not asked: time.sleep(0.01)
with open(folder + "/exit.tmp", "w") as file: file.write('''{record}''')
os.rename(folder + "/exit.tmp", folder + "/exit.json")
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(os.path.basename(folder).encode(), bell)
"""


def alarms_of(bench: Bench) -> list[str]:
    return [event.error for event in bench.events if isinstance(event, SupervisionFaltered)]


def folder_of(bench: Bench) -> Path:
    folder = bench.runs / "1-7"
    folder.mkdir(parents=True)
    return folder


def test_a_supervisor_of_the_first_release_is_adopted_cancelled_and_believed(bench: Bench) -> None:
    folder = folder_of(bench)
    bench.executor.start()
    source = SUPERVISOR_1.format(record=RECORD_1)
    command = [sys.executable, "-c", source, str(folder), str(bench.folder / "scheduler.bell")]
    with subprocess.Popen(command):
        lock = folder / "lock"
        eventually("the old supervisor holds", lambda: lock.exists() and lock.read_text())
        verdict, _ = bench.executor.inspect(claim_of(1), is_same_boot=True)
        bench.executor.adopt(claim_of(1))

        assert bench.executor.cancel(claim_of(1), "an upgrade")
        end = bench.end_of(claim_of(1))

    assert verdict == Verdict.ALIVE
    assert (end.outcome, end.exit_code) == (Outcome.FAILED, 3)
    assert end.error == "exit code 3: the pump is dry"
    assert alarms_of(bench) == []


def test_a_record_of_the_first_release_is_read(bench: Bench) -> None:
    (folder_of(bench) / "exit.json").write_text(RECORD_1)

    verdict, end = bench.executor.inspect(claim_of(1), is_same_boot=True)

    assert verdict == Verdict.ENDED
    assert end is not None
    assert (end.outcome, end.exit_code) == (Outcome.FAILED, 3)


def test_an_order_of_the_first_release_is_carried_out(bench: Bench) -> None:
    folder = folder_of(bench)
    content = ORDER_1.replace("FOLDER", str(folder)).encode()
    ours, theirs = socket.socketpair()
    program = str(launcher_client.program.__file__)  # type: ignore[attr-defined]
    command = [sys.executable, "-I", "-S", program, str(theirs.fileno()), str(bench.runs)]
    with ours, subprocess.Popen(command, pass_fds=[theirs.fileno()]):
        theirs.close()
        ours.sendall(struct.pack(">I", len(content)) + content)
        eventually("the record", (folder / "exit.json").exists)
        ours.close()

    record = attempt_folder.read_exit_record(os.fsencode(folder))
    assert record is not None
    assert (record["outcome"], record["signal"]) == ("failed", signal.SIGKILL)
    assert record["error"] == "killed by SIGKILL: an old order"
    assert (folder / "output").read_text() == "an old order\n"


def test_an_order_of_a_newer_release_is_refused_with_the_remedy(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing_order, "_FORMAT_WITHOUT_GROUP", 99)

    end = bench.run(["true"])

    assert end.outcome is Outcome.FAILED
    assert end.error is not None
    assert "another release" in end.error
    assert "restart" in end.error


def test_a_record_of_a_newer_release_is_believed_in_what_every_format_promises(
    bench: Bench,
) -> None:
    newer = RECORD_1.replace('"format": 1', '"format": 9, "mood": "fine"')
    (folder_of(bench) / "exit.json").write_text(newer)

    verdict, end = bench.executor.inspect(claim_of(1), is_same_boot=True)

    assert verdict == Verdict.ENDED
    assert end is not None
    assert end.exit_code == 3
    assert [text for text in alarms_of(bench) if "format 9" in text] != []


def test_a_record_of_a_newer_release_without_the_promise_is_lost_and_says_why(
    bench: Bench,
) -> None:
    folder = folder_of(bench)
    (folder / "permit").touch()
    (folder / "exit.json").write_text('{"format": 9, "end": {"code": 0}}')

    verdict, end = bench.executor.inspect(claim_of(1), is_same_boot=True)

    assert verdict == Verdict.LOST
    assert end is not None
    assert end.error is not None
    assert "format 9" in end.error
    assert str(folder / "exit.json") in end.error


def test_launchers_and_supervisors_need_their_files_no_more_once_they_run(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # An upgrade puts other files in their place, or none for a moment.
    installed = tmp_path / "installed"
    shutil.copytree(
        ROOT / "task_scheduler",
        installed / "task_scheduler",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    program = installed / "task_scheduler/supervision/__main__.py"
    monkeypatch.setattr(launcher_client.program, "__file__", str(program))  # type: ignore[attr-defined]
    running = bench.launch(["sh", "-c", "while [ ! -e go ]; do sleep 0.02; done; echo on; exit 4"])
    bench.supervisor_of(running)

    shutil.rmtree(installed)
    later = bench.launch(["sleep", "60"], kill_grace_seconds=0.1)
    bench.supervisor_of(later)
    bench.executor.cancel(later, "enough")
    (bench.folder / "go").touch()

    assert bench.end_of(later).outcome is Outcome.CANCELLED
    assert bench.end_of(running).error == "exit code 4: on"


def test_output_flows_on_while_the_scheduler_is_replaced(
    new_bench: Callable[..., Bench], tmp_path: Path
) -> None:
    first = new_bench(tmp_path)
    script = "while [ ! -e go ]; do echo tick; sleep 0.02; done; exit 5"
    claim = first.launch(["sh", "-c", script])
    eventually("the first line", lambda: first.output_of(claim))
    first.executor.close()

    before = len(first.output_of(claim))
    eventually("lines that nobody listens to", lambda: len(first.output_of(claim)) > before)
    second = new_bench(tmp_path)
    second.executor.adopt(claim)
    before = len(second.output_of(claim))
    eventually("lines after the adoption", lambda: len(second.output_of(claim)) > before)
    (tmp_path / "go").touch()

    assert second.end_of(claim).exit_code == 5
    # It was not theirs to end any more.
    first.executor._flights.clear()
