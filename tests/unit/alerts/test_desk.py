"""The listener in the engine's thread: it puts down what may matter, and asks for no more."""

from __future__ import annotations

from typing import Any, cast

import pytest

from task_scheduler.alerts.desk import AlertDesk
from task_scheduler.alerts.judge import Judge
from task_scheduler.alerts.rules import AlertKind
from task_scheduler.core import events
from task_scheduler.core.faults import FaultKind, Trouble
from task_scheduler.core.model import Outcome, SkipReason
from tests.unit.alerts.tables import failed as failed_sign
from tests.unit.alerts.tables import fine, with_rule


class Clock:
    def now(self) -> int:
        return 0

    def boottime(self) -> int:
        return 0


@pytest.fixture
def desk() -> AlertDesk:
    """A desk whose thread was not started: what it put down stays."""
    nothing = cast("Any", None)
    made = AlertDesk(
        clock=Clock(),
        reader=nothing,
        write=nothing,
        composer=nothing,
        courier=nothing,
        keep_days=1,
    )
    made.plan = with_rule(kinds=frozenset({AlertKind.FAILED}))
    made._judge = Judge(made.plan)
    return made


def settled(task_id: str, outcome: Outcome) -> events.RunSettled:
    return events.RunSettled(task_id, task_id, 1, 1, outcome, None, 1, 1)


def test_successes_are_not_asked_for_until_something_fails(desk: AlertDesk) -> None:
    assert not desk.hears_routine
    desk(settled("works", Outcome.SUCCEEDED))
    assert list(desk._events) == []

    desk(settled("fails", Outcome.FAILED))

    assert desk.hears_routine


def test_the_success_right_behind_a_failure_is_not_missed(desk: AlertDesk) -> None:
    # The judge knows of neither yet.
    desk(settled("fails", Outcome.FAILED))
    desk(settled("fails", Outcome.SUCCEEDED))
    desk(settled("fails", Outcome.SUCCEEDED))

    outcomes = [event.outcome for event in desk._events if isinstance(event, events.RunSettled)]
    assert outcomes == [Outcome.FAILED, Outcome.SUCCEEDED]


def test_successes_are_asked_for_while_an_alert_is_open_and_no_longer(desk: AlertDesk) -> None:
    assert desk._judge is not None
    desk._judge.take(failed_sign())
    assert desk.hears_routine

    desk._judge.take(fine())

    assert not desk.hears_routine


def test_without_rules_nothing_is_put_down(desk: AlertDesk) -> None:
    desk.plan = type(desk.plan)()

    desk(settled("fails", Outcome.FAILED))

    assert (list(desk._events), desk.hears_routine) == ([], False)


@pytest.mark.parametrize(
    ("event", "is_kept"),
    [
        (settled("a", Outcome.TIMED_OUT), True),
        (settled("a", Outcome.LOST), True),
        (settled("a", Outcome.CANCELLED), False),
        (events.RunSkipped("a", "a", SkipReason.MISFIRE, 0, 0, 1, 0), True),
        (events.RunSkipped("a", "a", SkipReason.OVERLAP, 0, 0, 1, 0), False),
        (events.AttemptStarted("a", "a", 1, 1, 0), False),
        (events.EntryRemoved("a", "a"), True),
        (events.FaultBegan(Trouble(FaultKind.STORE_FULL, "", ""), 0), True),
        (events.SilencesChanged("a", None), True),
        (events.ClockStepped(1), False),
    ],
)
def test_only_what_may_matter_is_put_down(
    desk: AlertDesk, event: events.Event, is_kept: bool
) -> None:
    desk(event)

    assert list(desk._events) == ([event] if is_kept else [])
