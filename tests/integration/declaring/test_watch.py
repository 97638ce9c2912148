"""Files that are watched: a change is told once it has come to rest, with inotify and without."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from task_scheduler import config_watch
from task_scheduler.config_watch import ConfigWatch, Watched
from task_scheduler.folder_bell import FolderBell
from tests.integration.crash import census

PATIENCE_SECONDS = 30.0


class Watch:
    """A watch of a file and of a folder beside it, and how often it told of something."""

    def __init__(self, folder: Path) -> None:
        self.file, self.more = folder / "c.toml", folder / "tasks.d"
        self.file.write_text("0")
        self.told = 0
        self.fails = False
        watched = Watched([self.file], [self.more / "*.toml"])
        self.watch = ConfigWatch(lambda: watched, self._note)

    def _note(self) -> None:
        self.told += 1
        if self.fails:
            raise RuntimeError("it could not be taken up")

    def tells(self, change: Callable[[], object]) -> None:
        before = self.told
        change()
        assert census.wait_for(lambda: self.told > before, PATIENCE_SECONDS)


@pytest.fixture(params=["inotify", "by looking"])
def watch(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Watch]:
    if request.param == "by looking":

        def none_left(_: object) -> FolderBell:
            raise OSError("no watch is left")

        monkeypatch.setattr(config_watch, "FolderBell", none_left)
        monkeypatch.setattr(config_watch, "_POLL_SECONDS", 0.05)
    made = Watch(tmp_path)
    yield made
    made.watch.close()
    assert "task-scheduler-config" not in {thread.name for thread in threading.enumerate()}


def test_a_failure_of_who_is_told_does_not_end_the_watch(watch: Watch) -> None:
    watch.fails = True
    watch.tells(lambda: watch.file.write_text("it fails"))
    watch.fails = False
    watch.tells(lambda: watch.file.write_text("it is told again"))


def test_a_file_that_is_written_or_replaced_is_told(watch: Watch, tmp_path: Path) -> None:
    watch.tells(lambda: watch.file.write_text("written"))
    (tmp_path / "new").write_text("put in its place")
    watch.tells(lambda: (tmp_path / "new").replace(watch.file))
    watch.tells(watch.file.unlink)
    watch.tells(lambda: watch.file.write_text("back"))


def test_a_file_that_comes_to_match_a_pattern_is_told(watch: Watch) -> None:
    watch.more.mkdir()
    watch.tells(lambda: (watch.more / "a.toml").write_text("1"))
    watch.tells(lambda: (watch.more / "b.toml").write_text("1"))


def test_what_is_written_piece_by_piece_is_told_when_it_is_whole(watch: Watch) -> None:
    def write() -> None:
        for number in range(5):
            watch.file.write_text("x" * number)

    watch.tells(write)

    assert watch.file.read_text() == "xxxx"


def test_a_watch_leaves_no_descriptors(tmp_path: Path) -> None:
    def count() -> int:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  of the process itself

    before = count()
    for _ in range(10):
        watch = Watch(tmp_path)
        watch.tells(lambda watch=watch: watch.file.write_text(f"{watch.file.read_text()}1"))  # type: ignore[misc]
        watch.watch.close()

    assert count() < before + 5
