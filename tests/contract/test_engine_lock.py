"""The lock that makes one process the holder: within a process, between processes, after a fork."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from task_scheduler.stores.engine_lock import EngineLock
from tests.contract.ledgers import child

HOLDER = """
    import sys
    from pathlib import Path
    from task_scheduler.stores.engine_lock import EngineLock
    print(EngineLock(Path(sys.argv[1])).acquire(), flush=True)
    sys.stdin.read()
"""

FORKED = """
    import os, sys
    from pathlib import Path
    from task_scheduler.stores.engine_lock import EngineLock
    lock = EngineLock(Path(sys.argv[1]))
    assert lock.acquire()
    pid = os.fork()
    if pid == 0:
        # Neither asking, nor trying, nor letting go in the child harms the parent's lock.
        answers = (lock.is_held, EngineLock(Path(sys.argv[1])).acquire(), lock.acquire())
        lock.release()
        os._exit(0 if answers == (False, False, False) else 1)
    _, status = os.waitpid(pid, 0)
    print(os.waitstatus_to_exitcode(status), lock.is_held, flush=True)
    sys.stdin.read()
"""


def says(program: subprocess.Popen[str]) -> str:
    assert program.stdout is not None
    return program.stdout.readline().strip()


def test_a_second_holder_in_the_same_process_is_told(tmp_path: Path) -> None:
    first, second = EngineLock(tmp_path / "lock"), EngineLock(tmp_path / "lock")

    assert first.acquire()
    assert first.acquire(), "the holder may ask again"
    assert not second.acquire()
    assert (first.is_held, second.is_held) == (True, False)

    first.release()
    assert second.acquire()
    second.release()


def test_another_name_of_the_same_file_is_the_same_lock(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    first, second = EngineLock(tmp_path / "real" / "lock"), EngineLock(tmp_path / "link" / "lock")

    assert first.acquire()
    assert not second.acquire()

    first.release()


def test_letting_go_of_what_is_not_held_changes_nothing(tmp_path: Path) -> None:
    first, second = EngineLock(tmp_path / "lock"), EngineLock(tmp_path / "lock")
    first.acquire()

    second.release()

    assert first.is_held
    assert not second.acquire()
    first.release()


def test_a_holder_in_another_process_is_seen_until_its_very_end(tmp_path: Path) -> None:
    holder = child(HOLDER, tmp_path / "lock")
    assert says(holder) == "True"
    lock = EngineLock(tmp_path / "lock")
    assert not lock.acquire()

    holder.send_signal(signal.SIGKILL)
    holder.communicate()

    assert lock.acquire()
    lock.release()


def test_trying_in_vain_does_not_free_the_lock_of_another_process(tmp_path: Path) -> None:
    holder = child(HOLDER, tmp_path / "lock")
    assert says(holder) == "True"

    answers = [EngineLock(tmp_path / "lock").acquire() for _ in range(3)]

    assert answers == [False, False, False]
    holder.communicate()


def test_a_forked_child_holds_nothing_and_frees_nothing(tmp_path: Path) -> None:
    parent = child(FORKED, tmp_path / "lock")

    assert says(parent) == "0 True"
    assert not EngineLock(tmp_path / "lock").acquire()

    parent.communicate()


def test_the_file_of_the_lock_is_private(tmp_path: Path) -> None:
    lock = EngineLock(tmp_path / "lock")
    lock.acquire()

    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600

    lock.release()


def test_a_lock_in_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        EngineLock(tmp_path / "nowhere" / "lock").acquire()
