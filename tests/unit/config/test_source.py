"""Finding and reading the file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from task_scheduler.config import Config
from task_scheduler.errors import ConfigError


def test_without_a_file_everything_is_the_default(tmp_path: Path) -> None:
    config = Config.load(environ={})

    assert (config.path, config.folder) == (None, tmp_path)
    assert config.settings.scheduler.max_workers == 10


def test_the_file_of_the_current_folder_is_read(tmp_path: Path) -> None:
    path = tmp_path / "scheduler_config.json"
    path.write_text('{"scheduler": {"max_workers": 3}}', encoding="utf-8")

    config = Config.load(environ={})

    assert (config.path, config.settings.scheduler.max_workers) == (path, 3)


def test_paths_in_a_named_file_start_at_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "farm"
    folder.mkdir()
    (folder / "my.json").write_text('{"logging": {"log_dir": "out/../log"}}', encoding="utf-8")

    config = Config.load("farm/my.json", environ={})

    assert config.folder == folder
    assert config.settings.logging.path == folder / "log" / "scheduler.log"
    assert config.settings.storage.path == str(folder / ".scheduler" / "scheduler.db")


def test_a_named_file_that_is_missing_is_told() -> None:
    with pytest.raises(ConfigError, match=r"no configuration file .*missing\.json"):
        Config.load("missing.json", environ={})


def test_a_dangling_link_is_told_and_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "scheduler_config.json").symlink_to(tmp_path / "gone")

    with pytest.raises(ConfigError, match="no configuration file"):
        Config.load(environ={})


@pytest.mark.parametrize(
    ("name", "data", "what"),
    [
        ("c.ini", b"a: 1", ".ini files are not read"),
        ("c.json", b"\xef\xbb\xbf{}", "byte order mark"),
        ("c.json", b"\xff\xfe{\x00}\x00", "UTF-16"),
        ("c.json", '{\n"温":"'.encode() + b"\xff", "c.json:2:6: the byte 0xff"),
    ],
)
def test_a_file_that_is_no_text_of_ours_is_told_with_the_remedy(
    name: str, data: bytes, what: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(data)

    with pytest.raises(ConfigError, match=re.escape(what)):
        Config.load(name, environ={})


def test_a_folder_is_told_with_the_file_in_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is a folder.*scheduler_config\.json"):
        Config.load(tmp_path, environ={})


@pytest.mark.parametrize("source", [5, "", b"c.json", ["c.json"]])
def test_what_is_no_source_is_told(source: object) -> None:
    with pytest.raises(ConfigError, match="path of a file or a dict"):
        Config.load(source, environ={})  # type: ignore[arg-type]
