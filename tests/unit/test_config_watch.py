"""What counts as a change of files that are watched."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from task_scheduler.config_watch import Watched, _folders, _signature


def rewrite(folder: Path) -> None:
    (folder / "c.toml").write_text("longer than before")


def replace(folder: Path) -> None:
    (folder / "new").write_text("one")
    (folder / "new").replace(folder / "c.toml")


def vanish(folder: Path) -> None:
    (folder / "c.toml").unlink()


def come(folder: Path) -> None:
    (folder / "tasks.d" / "b.toml").write_text("")


def touch(folder: Path) -> None:
    os.utime(folder / "c.toml", ns=(1, 1))


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    (tmp_path / "tasks.d").mkdir()
    (tmp_path / "c.toml").write_text("one")
    return Watched([tmp_path / "c.toml"], [tmp_path / "tasks.d" / "*.toml"])


@pytest.mark.parametrize("change", [rewrite, replace, vanish, come, touch])
def test_every_change_shows(
    watched: Watched, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    before = _signature(watched)
    assert _signature(watched) == before

    change(tmp_path)

    assert _signature(watched) != before


def test_what_lies_beside_does_not(watched: Watched, tmp_path: Path) -> None:
    before = _signature(watched)

    (tmp_path / "log").write_text("x")
    (tmp_path / "tasks.d" / "b.txt").write_text("x")

    assert _signature(watched) == before


def test_folders_are_watched_where_links_stand_and_where_they_lead(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "c.toml").write_text("")
    (tmp_path / "c.toml").symlink_to(Path("real", "c.toml"))

    folders = _folders(Watched([tmp_path / "c.toml"], [tmp_path / "gone" / "*.toml"]))

    assert folders == [tmp_path, tmp_path / "real"]
