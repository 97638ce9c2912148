"""Handles: who writes where, at which level, and who closes it."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from task_scheduler.observe.logs import LogHandle, open_logs
from task_scheduler.tasks.log_cleanup import LogCleanupTask

Open = Callable[..., LogHandle]
logger = logging.getLogger("TaskScheduler")


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    handles: list[LogHandle] = []

    def open_one(**options: object) -> LogHandle:
        given = {"folder": tmp_path, "file_name": "s.log", "level": "INFO", "console": False}
        handles.append(open_logs(**{**given, **options}))
        return handles[-1]

    yield open_one
    for handle in handles:
        handle.close()


def lines(path: Path) -> list[str]:
    """Return the messages in a log."""
    return [line.split(" - ", 4)[-1] for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_logger_and_its_children_write_into_the_file(opened: Open, tmp_path: Path) -> None:
    opened(folder=tmp_path / "new" / "logs")

    logger.info("one")
    logging.getLogger("TaskScheduler.task").warning("二")
    logging.getLogger("other").warning("not ours")

    assert lines(tmp_path / "new/logs/s.log") == ["one", "二"]


def test_records_go_on_to_the_handlers_of_the_program(
    opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    opened()

    logger.info("one")

    assert caplog.messages == ["one"]


def test_a_level_takes_effect_at_once(opened: Open) -> None:
    handle = opened(level="warning")
    logger.info("too quiet")

    handle.set_level("debug")
    logger.debug("heard")
    handle.set_level("ERROR")
    logger.warning("too quiet again")

    assert lines(handle.path) == ["heard"]
    assert not logger.isEnabledFor(logging.WARNING)


def test_two_handles_on_one_file_share_it_until_the_last_is_closed(opened: Open) -> None:
    first, second = opened(), opened(level="ERROR")

    logger.info("once")
    first.close()
    first.close()
    logger.info("too quiet now")
    logger.error("still written")
    second.close()
    logger.error("nobody listens")

    assert lines(second.path) == ["once", "still written"]
    # The command line puts one there that does nothing, for the rest of its process.
    assert [each for each in logger.handlers if type(each) is not logging.NullHandler] == []
    assert logger.level == logging.NOTSET


def test_two_files_each_keep_their_level(opened: Open) -> None:
    quiet, talkative = opened(level="ERROR"), opened(file_name="t.log", level="DEBUG")

    logger.debug("detail")
    logger.error("trouble")

    assert lines(quiet.path) == ["trouble"]
    assert lines(talkative.path) == ["detail", "trouble"]


def test_json_lines_are_an_option(opened: Open) -> None:
    handle = opened(format="json")

    logger.info("one", extra={"task_id": "upload", "action": "AttemptStarted"})

    (line,) = handle.path.read_text(encoding="utf-8").splitlines()
    event = json.loads(line)
    assert (event["message"], event["task_id"], event["level"]) == ("one", "upload", "INFO")


def test_the_console_speaks_only_where_the_program_has_no_handlers(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(console=True)
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)

    logger.info("the program shows it")
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    logger.info("we show it")

    assert [line.split(" - ")[-1] for line in stderr.getvalue().splitlines()] == ["we show it"]


@pytest.mark.parametrize("broken", [None, "closed"])
def test_a_console_that_is_gone_disturbs_nothing(
    broken: str | None, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = opened(console=True)
    stream = io.StringIO() if broken else None
    if stream is not None:
        stream.close()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])

    logger.info("one")

    assert lines(handle.path) == ["one"]


def test_the_console_speaks_the_format_of_the_file(
    opened: Open, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened(console=True, format="json")
    monkeypatch.setattr(logging.getLogger(), "handlers", [])

    logger.info("one")

    assert json.loads(capsys.readouterr().err)["message"] == "one"


def test_the_last_handle_gives_the_program_its_own_level_back(
    opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "TaskScheduler")

    first, second = opened(level="DEBUG"), opened(level="INFO")
    first.close()
    during = logger.level
    second.close()

    assert (during, logger.level) == (logging.INFO, logging.ERROR)


def test_the_log_in_use_survives_a_cleanup(opened: Open, tmp_path: Path) -> None:
    handle = opened()
    logger.info("one")
    (tmp_path / "old.log").write_text("")
    for found in tmp_path.iterdir():
        os.utime(found, (0, 0))

    assert LogCleanupTask("cleanup", "cleanup", log_dir=str(tmp_path), days=1).execute()

    assert [found.name for found in tmp_path.iterdir()] == [handle.path.name]


def test_without_console_nothing_is_said_on_stderr(
    opened: Open, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened(console=False)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])

    logger.error("one")

    assert capsys.readouterr().err == ""


def test_a_wrong_word_is_named(opened: Open) -> None:
    with pytest.raises(ValueError, match="format is 'xml'"):
        opened(format="xml")
    with pytest.raises(ValueError, match="level is 'LOUD'"):
        opened(level="LOUD")
    with pytest.raises(ValueError, match="level is 'LOUD'"):
        opened().set_level("LOUD")


def test_two_names_of_one_file_are_one_file(opened: Open, tmp_path: Path) -> None:
    (tmp_path / "link.log").symlink_to("s.log")

    one, other = opened(), opened(file_name="link.log")
    logger.info("once")

    assert one.path == other.path
    assert lines(one.path) == ["once"]


def test_links_in_a_ring_raise_nothing(
    opened: Open, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "s.log").symlink_to("s.log")

    opened()
    logger.info("lost")

    assert "s.log cannot be written" in capsys.readouterr().err
