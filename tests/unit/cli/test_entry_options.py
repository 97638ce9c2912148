"""What a command line says of an entry, and what that changes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from task_scheduler.cli.entry_options import changed, entry_options, given


def said(*arguments: str) -> Any:
    """Return what options and words say."""
    found: list[Any] = []

    @click.command()
    @click.argument("words", nargs=-1)
    @entry_options
    @click.option("--unset", multiple=True)
    def command(words: tuple[str, ...], unset: tuple[str, ...], **options: Any) -> None:
        found.append(given(words, options, unset=unset))

    command.main(list(arguments), standalone_mode=False)
    return found[0]


def test_options_become_keys_of_the_entry() -> None:
    entry = changed(
        {"type": "command"},
        said("--every", "10s", "--retries", "0", "--timeout", "1m", "--env", "A=b=c", "echo", "hi"),
    )

    assert entry == {
        "type": "command",
        "every": "10s",
        "max_retries": 0,
        "timeout": 60.0,
        "env": {"A": "b=c"},
        "command": ["echo", "hi"],
    }


def test_what_stands_after_a_script_are_its_arguments() -> None:
    entry = changed({}, said("--script", "a.py", "--", "--flag", "3"))

    assert entry == {
        "type": "script",
        "script_path": str(Path.cwd() / "a.py"),
        "args": ["--flag", "3"],
    }


def test_the_arguments_of_a_function_are_json_where_they_can_be() -> None:
    entry = changed({}, said("--function", "farm:feed", "--", "3", "pond", '{"a": 1}'))

    assert entry["args"] == [3, "pond", {"a": 1}]


def test_a_new_time_takes_the_place_of_the_old_ones() -> None:
    before = {"type": "command", "schedule": [{"type": "interval", "seconds": 60}]}

    assert changed(before, said("--daily", "08:00", "--timezone", "Asia/Tokyo")) == {
        "type": "command",
        "daily": "08:00",
        "timezone": "Asia/Tokyo",
    }


def test_a_zone_alone_holds_for_the_times_that_are_there() -> None:
    before = {"schedule": [{"type": "daily", "daily": "08:00"}]}

    after = changed(before, said("--timezone", "Asia/Tokyo"))

    assert after == {"schedule": [{"type": "daily", "daily": "08:00", "timezone": "Asia/Tokyo"}]}
    assert before == {"schedule": [{"type": "daily", "daily": "08:00"}]}


def test_any_other_key_is_set_and_taken_away_also_within_another() -> None:
    before = {"env": {"A": "1", "B": "2"}, "pool": "net"}

    after = changed(before, said("--set", "env.A=x", "--set", "max_retries=5", "--unset", "pool"))
    assert after == {"env": {"A": "x", "B": "2"}, "max_retries": 5}
    assert changed(after, said("--unset", "env.B")) == {"env": {"A": "x"}, "max_retries": 5}
    assert before == {"env": {"A": "1", "B": "2"}, "pool": "net"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--script", "a", "--url", "b"],
        ["--url", "http://x", "--", "word"],
        ["--env", "novalue"],
        ["--set", "=3"],
        ["--set", "enabled=false"],
        ["--unset", "ping_url"],
    ],
)
def test_a_riddle_is_refused(arguments: list[str]) -> None:
    with pytest.raises(click.UsageError):
        said(*arguments)


def test_what_was_not_set_cannot_be_taken_away() -> None:
    with pytest.raises(click.UsageError, match=r"env\.C"):
        changed({"env": {}}, said("--unset", "env.C"))
