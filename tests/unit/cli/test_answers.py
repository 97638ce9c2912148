"""What a person who meets the command line for the first time is answered."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from task_scheduler.cli.exit_codes import ExitCode
from tests.unit.cli.made_ledger import MadeLedger, at


def hinted(text: str) -> list[str]:
    """Return the words of the last hint as a shell would read them."""
    line = [line for line in text.splitlines() if line.startswith("hint: ")][-1]
    return shlex.split(line[line.index("tsk ") if "cd " not in line else line.index("cd ") :])


def test_a_hint_can_be_pasted_whatever_the_folder_is_called(
    empty: MadeLedger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)

    answer = empty.tsk("init", "plain farm")

    assert hinted(answer.err) == ["cd", "plain farm", "&&", "tsk", "up"]
    assert Path("plain farm", "scheduler_config.json").exists()


def test_a_hint_can_be_pasted_whatever_the_task_is_called(empty: MadeLedger) -> None:
    empty.task("it's a pump")

    assert hinted(empty.tsk("show", "it's a pump").err) == ["tsk", "run", "it's a pump"]
    assert hinted(empty.tsk("pause", "it's*").err) == ["tsk", "resume", "it's a pump"]
    assert hinted(empty.tsk("rm", "it's*", "--no-input").err) == ["tsk", "rm", "it's*", "--yes"]


DECLARED = '{"entries": {"hello": {"type": "command", "command": ["true"], "every": "1h"}}}'


@pytest.mark.parametrize("line", ["run hello", "show hello", "logs hello", "pause hello"])
def test_a_task_that_waits_for_a_start_is_not_called_unknown(farm: MadeLedger, line: str) -> None:
    farm.config.write_text(DECLARED)

    answer = farm.tsk(*line.split())

    assert answer.code == ExitCode.NOT_FOUND
    assert f"'hello' is declared in {farm.config}" in answer.err
    assert hinted(answer.err) == ["tsk", "up"]


@pytest.mark.parametrize("line", ["ls", "status"])
def test_tasks_that_wait_for_a_start_are_counted(farm: MadeLedger, line: str) -> None:
    farm.config.write_text(DECLARED)

    assert "the ledger does not have yet: 1" in farm.tsk(line).err


def test_runs_that_wait_for_a_retry_are_counted_and_shown(empty: MadeLedger) -> None:
    empty.task("flaky", {"type": "interval", "seconds": 3600}, last_error="exit code 4")
    empty.run(1, "flaky", "waiting", "05:59:00", due_at=at("06:00:30"), waiting_for="retry")
    empty.run(2, "flaky", "waiting", "06:00:00", waiting_for="overlap")

    assert "1 waiting, 1 retrying" in empty.tsk("status").out
    shown = empty.tsk("show", "flaky").out
    assert "#1 retry: 2026-11-24 06:00:30" in shown
    assert "attempt 1: exit code 4" in shown
    assert "#2 queued behind the run before it" in shown


def test_what_was_asked_for_and_skipped_is_among_the_skips(farm: MadeLedger) -> None:
    farm.run(130, "heartbeat", "skipped", "06:00:00", reason="overlap", origin="manual")

    lines = farm.tsk("runs", "heartbeat", "--skips").out.splitlines()

    assert any("130" in line and "skipped" in line for line in lines)
    assert "the previous run was still running" in lines[-1]


def test_a_config_that_is_not_there_is_not_found(empty: MadeLedger) -> None:
    answer = empty.tsk("-c", "nowhere.json", "ls")

    assert answer.code == ExitCode.NOT_FOUND
    assert "hint" not in answer.err


def test_a_zone_that_is_none_is_a_mistake_of_the_command_line(empty: MadeLedger) -> None:
    for line in ("ls --tz Mars/Base", "--tz Mars/Base explain '@daily'"):
        answer = empty.tsk(*shlex.split(line))
        assert answer.code == ExitCode.USAGE
        assert "--tz: " in answer.err
        assert "tsk check" not in answer.err


def test_what_was_listed_whole_is_not_hinted_at_again(empty: MadeLedger) -> None:
    empty.config.write_text('{"scheduler": {"max_workers": 0, "nonsense": 1}}')

    answer = empty.tsk("up")

    assert answer.code == ExitCode.INVALID
    assert "nonsense" in answer.err
    assert "hint" not in answer.err


def test_output_is_hinted_at_only_where_there_is_some(farm: MadeLedger) -> None:
    assert hinted(farm.tsk("status", "--lang", "en").err)[:2] == ["tsk", "up"]
    farm.execute("UPDATE attempts SET output_path = NULL")

    assert "tsk logs" not in farm.tsk("status").err
    assert "tsk show data_upload" in farm.tsk("status").err
    assert "tsk logs" not in farm.tsk("show", "data_upload").err


@pytest.mark.parametrize(("typed", "name"), [("-n 0", "-n"), ("--last=0", "--last"), ("-n0", "-n")])
def test_an_option_is_named_as_it_was_typed(empty: MadeLedger, typed: str, name: str) -> None:
    assert f"error[E1005]: {name}: " in empty.tsk("runs", *typed.split()).err


def test_resuming_what_is_not_paused_says_so(farm: MadeLedger) -> None:
    answer = farm.tsk("resume", "heartbeat")

    assert answer.code == ExitCode.FINE
    assert answer.err == "heartbeat is not paused\n"
    assert "not paused" not in farm.tsk("resume", "*").err


@pytest.mark.parametrize(
    ("spoken", "short"),
    [
        ("every 5 minutes", "every 5m"),
        ("every minute", "every 1m"),
        ("Every 30 seconds", "every 30s"),
        ("every 2hours", "every 2h"),
        ("every day", "every 1d"),
        ("every 2 weeks", "every 2w"),
        ("every 5 min", "every 5m"),
    ],
)
def test_an_interval_may_be_spoken(empty: MadeLedger, spoken: str, short: str) -> None:
    answer = empty.tsk("explain", spoken)

    assert answer.code == ExitCode.FINE, answer.err
    assert answer.out == empty.tsk("explain", short).out


@pytest.mark.parametrize("word", ["hourly", "daily", "weekly"])
def test_the_words_of_calendars_are_understood(empty: MadeLedger, word: str) -> None:
    assert empty.tsk("explain", word).code == ExitCode.FINE


def test_an_interval_that_is_none_is_answered_in_the_words_of_the_command_line(
    empty: MadeLedger,
) -> None:
    answer = empty.tsk("explain", "every blue")

    assert answer.code == ExitCode.INVALID
    assert "every 5m" in answer.err
    assert "timedelta" not in answer.err


def test_check_warns_of_what_a_start_could_not_write_or_find(empty: MadeLedger) -> None:
    (empty.folder / "file").touch()
    empty.config.write_text(
        '{"storage": {"path": "file/scheduler.db"}, "logging": {"log_dir": "file/logs"},'
        ' "entries": {"up": {"type": "script", "script_path": "gone.py", "every": "1h"}}}'
    )

    answer = empty.tsk("check")

    assert answer.code == ExitCode.FINE
    warnings = [line for line in answer.err.splitlines() if line.startswith("warning: ")]
    assert [word for word in ("gone.py", "storage.path", "log_dir") if word in answer.err] == [
        "gone.py",
        "storage.path",
        "log_dir",
    ]
    assert len(warnings) == 3
