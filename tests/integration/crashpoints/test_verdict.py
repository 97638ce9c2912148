"""The checker finds what is wrong: every kind of damage to a sound trial is named."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.crashpoints.scenarios import MIGRATE, Expected, Fact, Scenario
from tests.integration.crashpoints.verdict import (
    Attempt,
    Evidence,
    Line,
    Run,
    broken_promises,
    violations,
)

SCENARIO = Scenario(
    name="life",
    tell=lambda program: None,
    expected=(
        Expected("tick", None, in_thread=True),
        Expected("script", "manual:r1", output="said\n"),
        Expected("flaky", "manual:r2", ("failed", "succeeded")),
    ),
    facts=(Fact("add", "SELECT count(*) FROM entries"), Fact("pause", "SELECT 1 = 0", "resume")),
    is_traced=lambda actor: True,
)


@pytest.fixture
def sound(tmp_path: Path) -> Evidence:
    output = tmp_path / "output"
    output.write_text("said\n")
    runs = [
        Run(1, "tick", "500", "succeeded", None, 500),
        Run(2, "script", "manual:r1", "succeeded", None, 600),
        Run(3, "flaky", "manual:r2", "succeeded", None, 700),
    ]
    attempts = [
        Attempt(1, 1, 11, "succeeded", None),
        Attempt(2, 1, 12, "succeeded", str(output)),
        Attempt(3, 1, 13, "failed", str(output)),
        Attempt(3, 2, 14, "succeeded", str(output)),
    ]
    task_of = {run.run_id: run for run in runs}
    lines = [
        Line(event, task_of[a.run_id].task_id, task_of[a.run_id].key, str(a.number), str(a.token))
        for a in attempts
        for event in ("begin", "end")
    ]
    return Evidence(
        runs=runs,
        attempts=attempts,
        skips=0,
        lines=lines,
        instants={"tick": [500]},
        counts={"tick": (1, 1), "script": (1, 1), "flaky": (1, 1)},
        damage="ok",
    )


def lose(evidence: Evidence, run_id: int) -> Evidence:
    """Put a lost attempt before the first one of a run."""
    attempts = [
        a._replace(number=a.number + 1) if a.run_id == run_id else a for a in evidence.attempts
    ]
    lines = [
        line._replace(attempt=str(int(line.attempt) + 1))
        if line.task_id == evidence.runs[run_id - 1].task_id
        else line
        for line in evidence.lines
    ]
    lost = Attempt(run_id, 1, 1, "lost", None)
    return replace(evidence, attempts=[*attempts, lost], lines=lines)


DAMAGES: dict[str, tuple[Callable[[Evidence], Evidence], str]] = {
    "the database": (lambda e: replace(e, damage="page 3 is no page"), "page 3 is no page"),
    "a skip": (lambda e: replace(e, skips=1), "were skipped"),
    "a run is missing": (lambda e: replace(e, runs=e.runs[1:]), "there is no run 500"),
    "a run at no instant": (
        lambda e: replace(e, runs=[e.runs[0]._replace(key="501"), *e.runs[1:]]),
        "nobody planned the run 501",
    ),
    "a run twice": (lambda e: replace(e, runs=[*e.runs, e.runs[0]]), "is there twice"),
    "a run is open": (
        lambda e: replace(e, runs=[e.runs[0]._replace(state="running", token=5), *e.runs[1:]]),
        "is still running",
    ),
    "an attempt too many": (
        lambda e: replace(e, attempts=[*e.attempts, Attempt(2, 2, 19, "succeeded", None)]),
        "has the attempts ['succeeded', 'succeeded']",
    ),
    "a state that is not the last attempt's": (
        lambda e: replace(e, runs=[e.runs[0]._replace(state="failed"), *e.runs[1:]]),
        "is failed after an attempt that is succeeded",
    ),
    "attempts numbered wrong": (
        lambda e: replace(e, attempts=[e.attempts[0]._replace(number=2), *e.attempts[1:]]),
        "not numbered from 1",
    ),
    "another output": (
        lambda e: replace(
            e, attempts=[a._replace(output_path=None) if a.run_id == 2 else a for a in e.attempts]
        ),
        "its output is None",
    ),
    "it began twice": (lambda e: replace(e, lines=[*e.lines, e.lines[0]]), "began 2 times"),
    "it began unknown to the ledger": (
        lambda e: replace(e, lines=[*e.lines, e.lines[0]._replace(token="99")]),
        "is no attempt of the ledger",
    ),
    "a success that never ended": (
        lambda e: replace(e, lines=[line for line in e.lines if line[:2] != ("end", "script")]),
        "never said that it ended",
    ),
    "a loss that nothing explains": (lambda e: lose(e, 2), "script: 1 attempts are lost"),
    "two losses in the process": (
        lambda e: lose(lose(e, 1), 1),
        "tick: 2 attempts are lost",
    ),
    "a count too high": (
        lambda e: replace(e, counts={**e.counts, "tick": (2, 2)}),
        "tick counts 2 runs",
    ),
}


def test_a_sound_trial_has_no_violations(sound: Evidence) -> None:
    assert violations(SCENARIO, sound, lost={}) == []


def test_a_loss_that_a_death_explains_is_none(sound: Evidence) -> None:
    assert violations(SCENARIO, lose(sound, 1), lost={"*": 1}) == []
    assert violations(SCENARIO, lose(sound, 2), lost={"script": 1}) == []


def test_a_cancelled_run_whose_attempt_was_lost_is_not_started_again(sound: Evidence) -> None:
    scenario = replace(SCENARIO, expected=(Expected("long", "manual:r3", ("cancelled",)),))
    run, lost = Run(1, "long", "manual:r3", "cancelled", None, 1), Attempt(1, 1, 1, "lost", None)
    evidence = replace(sound, runs=[run], attempts=[lost], lines=[], counts={})

    assert violations(scenario, evidence, lost={"long": 1}) == []
    assert violations(scenario, replace(evidence, runs=[run._replace(state="lost")]), lost={})


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_named(sound: Evidence, name: str) -> None:
    damage, words = DAMAGES[name]

    found = violations(SCENARIO, damage(sound), lost={"*": 1})

    assert any(words in violation for violation in found), found


def test_what_was_acknowledged_must_be_in_the_ledger(tmp_path: Path) -> None:
    (tmp_path / "acks").write_text("add\n")
    assert broken_promises(SCENARIO, tmp_path) == [
        "['add'] were acknowledged, and there is no ledger"
    ]

    with closing(sqlite3.connect(tmp_path / "scheduler.db")) as connection:
        connection.execute("CREATE TABLE entries (task_id)")
    found = broken_promises(SCENARIO, tmp_path)

    assert found == ["'add' was acknowledged and is not in the ledger"]


def test_what_the_next_step_may_undo_counts_only_until_then(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "scheduler.db")) as connection:
        connection.execute("CREATE TABLE entries (task_id)")
        connection.execute("INSERT INTO entries VALUES ('tick')")
        connection.commit()
    (tmp_path / "acks").write_text("add\npause\n")
    assert broken_promises(SCENARIO, tmp_path) == [
        "'pause' was acknowledged and is not in the ledger"
    ]

    (tmp_path / "acks").write_text("add\npause\nresume\n")

    assert broken_promises(SCENARIO, tmp_path) == []


@pytest.mark.parametrize(
    ("version", "tables"), [(1, ["runs", "clock"]), (4, ["runs"]), (0, ["runs"]), (0, [])]
)
def test_half_a_migration_is_named(tmp_path: Path, version: int, tables: list[str]) -> None:
    with closing(sqlite3.connect(tmp_path / "scheduler.db")) as connection:
        connection.execute(f"PRAGMA user_version={version}")
        for table in tables:
            connection.execute(f"CREATE TABLE {table} (one)")

    assert broken_promises(MIGRATE, tmp_path)
