"""Real files: they rotate, are shared by processes, and may fail without harm."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from task_scheduler.observe.log_file import LogFile

LINE = "0123456789" * 2  # 21 bytes with its end


def log_file(path: Path, *, max_bytes: int = 0, backup_count: int = 3) -> LogFile:
    file = LogFile(path, max_bytes=max_bytes, backup_count=backup_count)
    file.setFormatter(logging.Formatter("%(message)s"))
    return file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s.log"


@pytest.fixture
def file(path: Path) -> Iterator[LogFile]:
    file = log_file(path)
    yield file
    file.close()


def tell(file: LogFile, *messages: str) -> None:
    for message in messages:
        file.handle(logging.makeLogRecord({"msg": message}))


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def names(path: Path) -> list[str]:
    return sorted(found.name for found in path.parent.iterdir())


class Disk:
    """A disk that can be full: it takes `room` bytes of the next write, then nothing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room: int | None = None
        self._write = os.write
        monkeypatch.setattr("task_scheduler.observe.log_file.os.write", self.write)

    def write(self, descriptor: int, data: bytes) -> int:
        if self.room is None:
            return self._write(descriptor, data)
        if self.room == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken, self.room = data[: self.room], 0
        return self._write(descriptor, taken)


# -- rotation -----------------------------------------------------------------------------------


def test_a_file_moves_on_before_it_grows_too_long(file: LogFile, path: Path) -> None:
    file.max_bytes = 50

    tell(file, *(f"{LINE[:-1]}{number}" for number in range(5)))

    assert [line[-1] for line in lines(path)] == ["4"]
    assert [line[-1] for line in lines(path.with_name("s.log.1"))] == ["2", "3"]
    assert [line[-1] for line in lines(path.with_name("s.log.2"))] == ["0", "1"]


def test_only_so_many_old_files_are_kept(file: LogFile, path: Path) -> None:
    file.max_bytes, file.backup_count = 30, 2

    tell(file, *map(str, range(100_000_000_000_000_000_000, 100_000_000_000_000_000_006)))

    assert names(path) == ["s.log", "s.log.1", "s.log.2"]
    assert [lines(path.with_name(name))[0][-1] for name in names(path)] == ["5", "4", "3"]


def test_a_gap_among_the_old_files_is_filled_first(file: LogFile, path: Path) -> None:
    file.max_bytes = 30
    path.with_name("s.log.1").write_text("first")
    path.with_name("s.log.3").write_text("third")

    tell(file, LINE, "new and long enough")

    assert names(path) == ["s.log", "s.log.1", "s.log.2", "s.log.3"]
    assert lines(path.with_name("s.log.2")) == ["first"]
    assert lines(path.with_name("s.log.3")) == ["third"]


def test_without_backups_the_full_file_is_begun_anew(file: LogFile, path: Path) -> None:
    file.max_bytes, file.backup_count = 30, 0

    tell(file, LINE, "last")
    tell(file, LINE)

    assert names(path) == ["s.log"]
    assert lines(path) == [LINE]


def test_a_line_longer_than_the_limit_stands_whole_in_a_file_of_its_own(
    file: LogFile, path: Path
) -> None:
    file.max_bytes = 30

    tell(file, "a", "x" * 100, "b")

    assert lines(path) == ["b"]
    assert lines(path.with_name("s.log.1")) == ["x" * 100]


def test_a_file_without_limit_never_rotates(file: LogFile, path: Path) -> None:
    tell(file, *[LINE] * 50)

    assert names(path) == ["s.log"]


def test_a_file_that_cannot_be_moved_grows_on_and_says_so_once(
    file: LogFile, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.max_bytes, file.backup_count = 30, 1
    path.with_name("s.log.1").mkdir()

    tell(file, LINE, LINE, LINE)

    assert lines(path) == [LINE] * 3
    assert capsys.readouterr().err.count("cannot be rotated") == 1

    path.with_name("s.log.1").rmdir()
    tell(file, "b")
    assert lines(path) == ["b"]


# -- several writers ----------------------------------------------------------------------------


def test_a_second_writer_follows_when_the_first_rotates(file: LogFile, path: Path) -> None:
    standby = log_file(path)
    tell(standby, LINE)
    file.max_bytes = 30

    tell(file, LINE)
    tell(standby, "followed")

    assert lines(path) == [LINE, "followed"]
    standby.close()


def test_nobody_moves_a_file_that_another_is_moving(file: LogFile, path: Path) -> None:
    import fcntl

    tell(file, LINE)
    file.max_bytes = 30
    with path.open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        tell(file, LINE)
        during = names(path)
    tell(file, "after")

    assert during == ["s.log"]
    assert lines(path) == ["after"]
    assert lines(path.with_name("s.log.1")) == [LINE, LINE]


WRITER = """
import logging, sys
from pathlib import Path
from task_scheduler.observe.log_file import LogFile

file = LogFile(Path(sys.argv[1]), max_bytes=4_000, backup_count=1_000)
file.setFormatter(logging.Formatter("%(message)s"))
for number in range(500):
    file.handle(logging.makeLogRecord({"msg": f"{sys.argv[2]} {number:04} " + "x" * 40}))
"""


def test_processes_share_a_file_and_no_line_is_lost_or_torn(path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), name], stderr=subprocess.PIPE)
        for name in "abc"
    ]
    complaints = [writer.communicate(timeout=60)[1] for writer in writers]

    found = [line for name in names(path) for line in lines(path.with_name(name))]
    expected = [f"{name} {number:04} " + "x" * 40 for name in "abc" for number in range(500)]
    assert complaints == [b""] * 3
    assert sorted(found) == expected
    assert len(names(path)) > 5


def test_a_forked_child_opens_the_file_for_itself(file: LogFile, path: Path) -> None:
    tell(file, "parent")
    parent = file._descriptor
    file._pid = -1  # as a child finds it

    tell(file, "child")

    assert lines(path) == ["parent", "child"]
    assert file._pid == os.getpid()
    assert parent is not None


# -- moved, removed, replaced -------------------------------------------------------------------


def test_a_file_that_was_moved_or_removed_is_made_anew(file: LogFile, path: Path) -> None:
    tell(file, "one")
    path.rename(path.with_name("moved.log"))
    tell(file, "two")
    path.unlink()
    tell(file, "three")

    assert lines(path.with_name("moved.log")) == ["one"]
    assert lines(path) == ["three"]


def test_a_folder_that_was_removed_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "s.log"
    file = log_file(path)
    tell(file, "one")
    path.unlink()
    path.parent.rmdir()

    tell(file, "two")
    file.close()

    assert lines(path) == ["two"]


def test_reopen_lets_go_of_the_file(file: LogFile, path: Path) -> None:
    tell(file, "one")

    file.reopen()
    tell(file, "two")

    assert lines(path) == ["one", "two"]


def test_a_closed_file_takes_nothing_more(file: LogFile, path: Path) -> None:
    tell(file, "one")

    file.close()
    tell(file, "two")

    assert lines(path) == ["one"]


def test_nobody_else_can_read_the_log(file: LogFile, path: Path) -> None:
    tell(file, "one")

    assert path.stat().st_mode & 0o027 == 0


# -- a file that cannot be written --------------------------------------------------------------


def test_a_full_disk_is_told_once_and_the_gap_is_shown(
    file: LogFile, path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    disk = Disk(monkeypatch)
    tell(file, "before")
    disk.room = 0

    tell(file, "lost", "lost too")
    disk.room = None
    tell(file, "after", "and on")

    complaint = capsys.readouterr().err
    assert complaint.count("\n") == 1
    assert f"{path} cannot be written: No space left on device" in complaint
    gap = "2 lines are missing here: the log could not be written"
    assert lines(path) == ["before", gap, "after", "and on"]


def test_half_a_line_never_joins_the_next(
    file: LogFile, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    disk.room = 4

    tell(file, "0123456789", "lost")
    disk.room = None
    tell(file, "after")

    gap = "2 lines are missing here: the log could not be written"
    assert lines(path) == ["0123", gap, "after"]


def test_trouble_that_comes_back_is_told_again(
    file: LogFile, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    disk = Disk(monkeypatch)
    for _ in range(2):
        disk.room = 0
        tell(file, "lost")
        disk.room = None
        tell(file, "written")

    assert capsys.readouterr().err.count("cannot be written") == 2


def test_a_place_where_no_file_can_be_raises_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()

    for path in (tmp_path / "file" / "s.log", tmp_path / "folder"):
        file = log_file(path)
        tell(file, "lost", "lost")
        file.close()

    assert capsys.readouterr().err.count("cannot be written") == 2


def test_a_pipe_that_nobody_reads_holds_nobody_up(
    path: Path, file: LogFile, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(path)

    tell(file, "lost")

    assert "cannot be written" in capsys.readouterr().err


def test_a_device_is_never_rotated(capsys: pytest.CaptureFixture[str]) -> None:
    file = log_file(Path(os.devnull), max_bytes=1)

    tell(file, LINE, LINE)
    file.close()

    assert capsys.readouterr().err == ""
