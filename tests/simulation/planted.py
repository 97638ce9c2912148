"""Bugs planted into the product, to see that the simulation catches them.

Responsible for: the list. Each is a mistake that schedulers were shipped with, made by replacing
a statement's text or a function while a test runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from task_scheduler.core import claim_desk, planner, recovery, settlement
from task_scheduler.core.chains import Chains
from task_scheduler.core.clock_steps import ClockSteps
from task_scheduler.core.engine import Engine
from task_scheduler.core.flights import Flights
from task_scheduler.core.identities import Identities
from task_scheduler.core.model import OnLost, Outcome
from task_scheduler.core.planner import Admission
from task_scheduler.core.pools import Places
from task_scheduler.core.rates import Rates
from task_scheduler.core.recovery import Mark, Verdict
from task_scheduler.core.run_commands import RunCommands
from task_scheduler.stores import sqlite, sqlite_connection, statements

__all__ = ["BUGS"]

Plant = Callable[[pytest.MonkeyPatch], None]
Function = Callable[..., Any]


def _in_sql(name: str, old: str, new: str) -> Plant:
    """Return the planting of another text into a statement."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        read: Function = vars(sqlite)["statement"]
        text = read(name)
        assert old in text, f"{name} does not say {old!r} any more"
        for module in (sqlite, sqlite_connection, statements):
            patch.setattr(
                module, "statement", lambda n: text.replace(old, new) if n == name else read(n)
            )
        # Without its memory: it may know the right text already, and must not keep the wrong one.
        patch.setattr(sqlite, "widened", vars(statements.widened)["__wrapped__"])

    return plant


def _all(*plants: Plant) -> Plant:
    def plant(patch: pytest.MonkeyPatch) -> None:
        for each in plants:
            each(patch)

    return plant


def _in_place_of(owner: object, name: str, make: Callable[[Function], Function]) -> Plant:
    """Return the planting of another function, made of the right one."""
    return lambda patch: patch.setattr(owner, name, make(getattr(owner, name)))


def _nothing(_: Function) -> Function:
    return lambda *_, **__: None


def _always(answer: object) -> Callable[[Function], Function]:
    return lambda _: lambda *_, **__: answer


def _off_by_one(plan: Function) -> Function:
    def wrong(*arguments: Any, **options: Any) -> Any:
        found = plan(*arguments, **options)
        skips = [replace(skip, count=(skip.count or 0) + 1) for skip in found.skips]
        return found._replace(skips=tuple(skips))

    return wrong


def _silent(plan: Function) -> Function:
    return lambda *arguments, **options: plan(*arguments, **options)._replace(skips=())


def _trusting(recover: Function) -> Function:
    """Trust a mark whatever boot it is of."""

    def wrong(flights: Any, *, boots: Any, boot_id: str, **options: Any) -> None:
        recover(flights, boots=dict.fromkeys(boots, boot_id), boot_id=boot_id, **options)

    return wrong


def _reading(**values: int) -> Callable[[Function], Function]:
    """Read one mark as another."""
    known = {getattr(Mark, name): value for name, value in values.items()}

    def make(recover: Function) -> Function:
        def wrong(flights: Any, *, mark_of: Any, **options: Any) -> None:
            recover(
                flights, mark_of=lambda slot: known.get(mark_of(slot), mark_of(slot)), **options
            )

        return wrong

    return make


def _forgetful(add: Function) -> Function:
    """Forget what is still alive."""

    def wrong(self: Any, flight: Any, verdict: str, *rest: Any) -> None:
        if verdict != Verdict.ALIVE:
            add(self, flight, verdict, *rest)

    return wrong


def _stubborn(decide: Function) -> Function:
    """Begin again whatever the policy says of a loss."""

    def wrong(policies: Any, **options: Any) -> Any:
        return decide(replace(policies, on_lost=OnLost.AT_LEAST_ONCE), **options)

    return wrong


def _tireless(decide: Function) -> Function:
    """Try again for ever."""

    def wrong(policies: Any, *, outcome: Outcome, **options: Any) -> Any:
        is_loss = outcome is Outcome.LOST
        more = policies if is_loss else replace(policies, max_retries=policies.max_retries + 1)
        return decide(more, outcome=outcome, **options)

    return wrong


def _early(claim_of: Function) -> Function:
    def wrong(*arguments: Any, due_at: int, **options: Any) -> Any:
        return claim_of(*arguments, due_at=due_at - 50_000, **options)

    return wrong


def _unfenced(_: Function) -> Function:
    return lambda self, run_id, token: self.in_hand.get(run_id)


BUGS: dict[str, Plant] = {
    "the cursor is not advanced": _in_sql(
        "move_cursors", "next_due_at = j.next_due_at", "next_due_at = progress.next_due_at"
    ),
    "the cursor moves without the skip": _in_place_of(planner, "plan", _silent),
    "a skip counts one too many": _in_place_of(planner, "plan", _off_by_one),
    "a late completion is not fenced": _in_place_of(Flights, "holder_of", _unfenced),
    "a late completion is settled": _all(
        _in_place_of(Flights, "holder_of", _unfenced),
        _in_sql("settle_runs", "AND runs.token = j.token", ""),
        _in_sql("settle_attempts", "AND runs.token = j.token", ""),
    ),
    "an end is counted twice": _in_sql(
        "settle_progress", "success_count + j.successes", "success_count + 2 * j.successes"
    ),
    "a mark that says running is read as clear": _in_place_of(
        recovery, "recover_functions", _reading(RUNNING=Mark.CLEAR)
    ),
    "a mark that says succeeded is ignored": _in_place_of(
        recovery, "recover_functions", _reading(SUCCEEDED=Mark.RUNNING)
    ),
    "a mark of another boot is trusted": _in_place_of(recovery, "recover_functions", _trusting),
    "a program that lives is not adopted": _in_place_of(recovery.Recovered, "add", _forgetful),
    "a loss is tried again under at_most_once": _in_place_of(settlement, "decide_retry", _stubborn),
    "one retry too many": _in_place_of(settlement, "decide_retry", _tireless),
    "a claim is due too early": _in_place_of(claim_desk, "claim_of", _early),
    "runs of a task overlap": _in_place_of(planner, "admit", _always(Admission.RUN)),
    "a pause holds nothing back": _in_sql("pause_entry", "plan_at = NULL", "plan_at = plan_at"),
    "a promised cancel dies with its process": _in_sql(
        "promise_cancel", "cancel_reason = j.value ->> 1", "cancel_reason = NULL"
    ),
    "a clock that was set back is not followed": _in_place_of(ClockSteps, "_go_back", _nothing),
    "a pool has room for all": _in_place_of(Places, "admits", _always(True)),
    "a rate limit limits nothing": _in_place_of(Rates, "admits", _always(True)),
    "nobody looks after a failed tick": _in_place_of(Engine, "_reconcile", _nothing),
    "a chained task does not come": _in_place_of(Chains, "follow", _nothing),
    "an old epoch's token is given out": _in_place_of(
        Identities, "next_token", lambda right: lambda self: right(self) - (1 << 32)
    ),
    "a claim is taken that another has": _all(
        _in_sql("claimable_runs", "r.token IS NULL", "true"),
        _in_sql("claim_runs", "runs.state = 'waiting' AND runs.token IS NULL", "true"),
    ),
    "a request that was acknowledged is not there": _in_place_of(
        RunCommands, "request", _always(1)
    ),
}
