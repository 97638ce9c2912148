"""The checker finds what is wrong: every kind of damage to a sound history is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.integration.crash.checker import History, violations
from tests.integration.crash.ledger import Attempt, Ledger, Run, Skip
from tests.integration.crash.witness import Line
from tests.integration.crash.workload import Planned

PERIOD = 1_000_000
START = 100 * PERIOD
TASKS = (
    Planned("function", "function", 1.0),
    Planned("once", "function", 1.0, 0.0, {"on_lost": "at_most_once"}),
    Planned("script", "script", 1.0),
)


def sound() -> History:
    """Return a history in which nothing is wrong: each task ran, lost, skipped two, and ran."""
    runs, attempts, skips, lines = [], [], [], []
    token = 0

    def attempt(run: Run, number: int, outcome: str) -> None:
        nonlocal token
        token += 1
        at = run.scheduled_at + 1_000 * number
        attempts.append(Attempt(run.run_id, number, token, outcome))
        lines.append(Line("begin", run.task_id, run.key, number, token, 1, at))
        if outcome == "succeeded":
            lines.append(Line("end", run.task_id, run.key, number, token, 1, at + 10))

    for planned in TASKS:
        for number in (0, 1, 4):
            at = START + number * PERIOD
            run = Run(len(runs) + 1, planned.task_id, str(at), "succeeded", at, None, None)
            if planned.task_id == "once" and number == 1:
                run = replace(run, state="lost")
                attempt(run, 1, "lost")
            else:
                if planned.task_id == "function" and number == 1:
                    attempt(run, 1, "lost")
                attempt(
                    run,
                    2 if attempts[-1:] and attempts[-1].run_id == run.run_id else 1,
                    "succeeded",
                )
            runs.append(run)
        first, last = START + 2 * PERIOD, START + 3 * PERIOD
        skips.append(Skip(planned.task_id, "coalesced", first, last, 2))
    ledger = Ledger(runs, attempts, skips)
    return History(TASKS, lines, ledger, START, START + 5 * PERIOD)


def of(history: History, **changes: object) -> History:
    """Return the history with another ledger."""
    return replace(history, ledger=replace(history.ledger, **changes))


def changed(rows: list, index: int, **changes: object) -> list:
    """Return the rows with one of them changed."""
    return [*rows[:index], replace(rows[index], **changes), *rows[index + 1 :]]


DAMAGES: dict[str, tuple[Callable[[History], History], str]] = {
    "a run is missing": (
        lambda h: replace(of(h, runs=h.ledger.runs[1:]), lines=h.lines[2:]),
        "nothing tells of instant 0",
    ),
    "a witnessed run is missing": (lambda h: of(h, runs=h.ledger.runs[1:]), "is no run"),
    "a skip is missing": (lambda h: of(h, skips=h.ledger.skips[1:]), "nothing tells of instant 2"),
    "two skips overlap": (
        lambda h: of(h, skips=[*h.ledger.skips, h.ledger.skips[0]]),
        "instant 2 is both",
    ),
    "a skip covers a run": (
        lambda h: of(h, skips=changed(h.ledger.skips, 0, last_at=START + 4 * PERIOD, count=3)),
        "instant 4 is both",
    ),
    "a skip counts wrong": (
        lambda h: of(h, skips=changed(h.ledger.skips, 0, count=3)),
        "of 3 is at no instant",
    ),
    "a skip has another policy's reason": (
        lambda h: of(h, skips=changed(h.ledger.skips, 0, reason="misfire")),
        "does not know",
    ),
    "a run is beside its instants": (
        lambda h: of(h, runs=changed(h.ledger.runs, 0, key=str(START + 1), scheduled_at=START + 1)),
        "is at no instant",
    ),
    "a run is of the future": (
        lambda h: replace(h, stopped_at=START + 3 * PERIOD),
        "had not come when everything stopped",
    ),
    "a claim began twice": (
        lambda h: replace(h, lines=[*h.lines, h.lines[0]]),
        "one claim began twice",
    ),
    "an attempt began twice under two claims": (
        lambda h: replace(h, lines=[*h.lines, replace(h.lines[0], token=99)]),
        "one attempt began twice",
    ),
    "it began after its success": (
        lambda h: replace(h, lines=[*h.lines, replace(h.lines[0], token=99, attempt=2)]),
        "began again after an attempt that is 'succeeded'",
    ),
    "at_most_once began twice": (
        lambda h: replace(
            h,
            lines=[
                *h.lines,
                *(replace(x, token=99, attempt=2) for x in h.lines if x.task_id == "once"),
            ],
        ),
        "in spite of at_most_once",
    ),
    "it began too early": (
        lambda h: replace(h, lines=[replace(h.lines[0], at=START - 1), *h.lines[1:]]),
        "before its instant",
    ),
    "a start is not in the ledger": (
        lambda h: of(h, attempts=h.ledger.attempts[1:]),
        "is not in the ledger",
    ),
    "a success never ended": (lambda h: replace(h, lines=h.lines[:1] + h.lines[2:]), "never ended"),
    "a script is lost although its supervisor lived": (
        lambda h: of(h, attempts=changed(h.ledger.attempts, -2, outcome="lost")),
        "its supervisor lived",
    ),
    "attempts are numbered wrong": (
        lambda h: of(h, attempts=changed(h.ledger.attempts, 0, attempt=2)),
        "not numbered from 1",
    ),
    "a run is still running": (
        lambda h: of(h, runs=changed(h.ledger.runs, 0, state="running", token=1)),
        "in somebody's hands",
    ),
    "a run waits for ever": (
        lambda h: of(h, runs=changed(h.ledger.runs, 0, state="waiting")),
        "still waits",
    ),
    "two attempts overlap": (
        lambda h: replace(h, lines=changed(list(h.lines), 1, at=START + 2 * PERIOD)),
        "had not ended when",
    ),
}


def test_a_sound_history_passes() -> None:
    assert violations(sound()) == []


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_named(damage: str) -> None:
    spoil, sentence = DAMAGES[damage]

    found = violations(spoil(sound()))

    assert any(sentence in problem for problem in found), found
