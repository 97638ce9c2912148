"""`--tag` and `tag:NAME`: tasks that are found together."""

from __future__ import annotations

import json

import pytest

from task_scheduler.cli.exit_codes import ExitCode
from tests.unit.cli.made_ledger import MadeLedger

CONFIG = {
    "logging": {"console": False},
    "entries": {
        "feeder": {"type": "command", "command": ["true"], "every": "1h", "tags": ["pond"]},
        "pump": {
            "type": "command",
            "command": ["true"],
            "every": "1h",
            "tags": ["pond", "night"],
        },
        "upload": {"type": "command", "command": ["true"], "every": "1h"},
    },
}


@pytest.fixture
def pond(empty: MadeLedger) -> MadeLedger:
    """Three tasks, two of them of the pond, one of those of the night too."""
    empty.config.write_text(json.dumps(CONFIG))
    from task_scheduler import TaskScheduler

    scheduler = TaskScheduler(str(empty.config))
    scheduler.apply_declared()
    scheduler.stop()
    return empty


def ids(ledger: MadeLedger, *words: str) -> list[str]:
    return [task["task_id"] for task in ledger.tsk("ls", *words, "--json").document["tasks"]]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--tag", "pond"], ["feeder", "pump"]),
        (["--tag", "pond", "--tag", "night"], ["pump"]),
        (["tag:pond"], ["feeder", "pump"]),
        (["tag:night", "upload"], ["pump", "upload"]),
        (["tag:night", "up*"], ["pump", "upload"]),
        (["p*", "--tag", "pond"], ["pump"]),
        (["--tag", "pond", "--search", "feed"], ["feeder"]),
        (["--tag", "pond", "--after", "feeder"], ["pump"]),
    ],
)
def test_tasks_are_listed_by_their_tags(
    pond: MadeLedger, words: list[str], found: list[str]
) -> None:
    assert ids(pond, *words) == found


def test_an_unknown_tag_is_told_with_the_one_that_was_meant(pond: MadeLedger) -> None:
    for words in (["ls", "--tag", "pnod"], ["pause", "tag:pnod"], ["runs", "--tag", "pnod"]):
        answer = pond.tsk(*words)

        assert answer.code == ExitCode.NOT_FOUND
        assert "no task has the tag 'pnod'" in answer.err
        assert "'pond'" in answer.err


def test_a_task_shows_its_tags(pond: MadeLedger) -> None:
    assert "night, pond" in pond.tsk("show", "pump").out
    assert pond.tsk("show", "pump", "--json").document["task"]["tags"] == ["night", "pond"]
    assert pond.tsk("show", "upload", "--json").document["task"]["tags"] == []


def test_tasks_are_paused_and_resumed_by_a_tag(pond: MadeLedger) -> None:
    paused = pond.tsk("pause", "tag:pond", "--json").document["task_ids"]
    assert paused == ["feeder", "pump"]
    assert ids(pond, "--status", "paused") == ["feeder", "pump"]

    pond.tsk("resume", "tag:night")

    assert ids(pond, "--status", "paused") == ["feeder"]


def test_a_tag_is_run_and_its_runs_are_listed(pond: MadeLedger) -> None:
    answer = pond.tsk("run", "tag:pond", "--json")
    assert answer.code == ExitCode.FINE
    asked = {run["task_id"]: run["run_id"] for run in answer.document["runs"]}
    assert sorted(asked) == ["feeder", "pump"]
    pond.tsk("run", "upload")

    runs = pond.tsk("runs", "--tag", "pond", "--json").document["runs"]

    assert {run["task_id"]: run["run_id"] for run in runs} == asked
    night = pond.tsk("runs", "--tag", "night", "--state", "waiting", "--json").document["runs"]
    assert [run["task_id"] for run in night] == ["pump"]
    assert pond.tsk("runs", "--tag", "pond", "--state", "failed", "--json").document["runs"] == []


def test_a_run_of_a_tag_is_not_waited_for(pond: MadeLedger) -> None:
    answer = pond.tsk("run", "tag:pond", "--wait")

    assert answer.code == ExitCode.USAGE
    assert "tsk runs --tag" in answer.err


def test_a_task_and_a_tag_are_one_too_many(pond: MadeLedger) -> None:
    assert pond.tsk("runs", "pump", "--tag", "pond").code == ExitCode.USAGE


def test_tags_go_out_and_come_back(pond: MadeLedger) -> None:
    exported = pond.tsk("export").out
    entries = json.loads(exported)["entries"]

    assert entries["pump"]["tags"] == ["night", "pond"]
    assert "tags" not in entries["upload"]
    pond.config.write_text(exported)
    assert pond.tsk("check").code == ExitCode.FINE


@pytest.mark.parametrize("tags", ['"pond"', '["a b"]', "[1]", '{"a": 1}'])
def test_a_wrong_tag_in_the_configuration_is_named(empty: MadeLedger, tags: str) -> None:
    empty.config.write_text(
        f'{{"entries": {{"pump": {{"type": "command", "command": ["true"], "tags": {tags}}}}}}}'
    )

    answer = empty.tsk("check")

    assert answer.code == ExitCode.INVALID
    assert "entries.pump.tags" in answer.err + answer.out
