"""From the end of an attempt to the next state of its run.

Responsible for: deciding retry or end, and the rows that record it. Pure: the engine writes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias

from task_scheduler.core.events import Event, RetryScheduled, RunSettled, ThreadAbandoned
from task_scheduler.core.flights import Flight
from task_scheduler.core.lifecycle import Fact, advance, fact_of
from task_scheduler.core.model import Completion, Microseconds, Outcome, RunState, WaitingFor
from task_scheduler.core.retry import decide_retry

__all__ = ["NoteEnds", "Settlement", "settle", "success_rows", "success_tally", "tally"]


class Settlement(NamedTuple):
    """What one completion means for its run."""

    flight: Flight
    completion: Completion
    state: RunState
    waiting_for: WaitingFor | None
    due_at: Microseconds | None
    recoveries: int
    events: tuple[Event, ...]

    def attempt_row(self) -> tuple[Any, ...]:
        """Return the parameters of `settle_attempts`."""
        run_id, _, attempt, token, outcome, started_at, ended_at, error, *rest = self.completion
        exit_code, _, output_path, *usage = rest
        return (
            run_id,
            token,
            attempt,
            _SUCCEEDED if outcome is Outcome.SUCCEEDED else outcome.value,
            started_at,
            ended_at,
            error,
            exit_code,
            output_path,
            *usage,
        )

    def run_row(self) -> tuple[Any, ...]:
        """Return the parameters of `settle_runs`."""
        _, done, state, waiting_for, due_at, recoveries, _ = self
        return (
            done.run_id,
            done.token,
            _SUCCEEDED if state is RunState.SUCCEEDED else state.value,
            done.attempt,
            None if waiting_for is None else waiting_for.value,
            due_at,
            done.started_at,
            None if state is RunState.WAITING else done.ended_at,
            done.error,
            recoveries,
        )


_BARE = Completion(0, "", 0, 0, Outcome.SUCCEEDED, 0, 0)[7:]
_row_of = itemgetter(0, 3, 2, 5, 6)
_SUCCEEDED = Outcome.SUCCEEDED.value
"""What nearly all of them are; a member of an enumeration takes longer to bind and to look up."""


NoteEnds: TypeAlias = Callable[[Sequence[Settlement]], None]
"""Told of the ends of a tick once they are durable: whoever measures."""


def settle(
    flight: Flight, done: Completion, now: Microseconds, *, is_routine_heard: bool = True
) -> Settlement:
    """Decide whether the run is over or tried again, and when.

    Of a success there is an event only where somebody listens to what happens all the time.
    """
    is_success = done.outcome is Outcome.SUCCEEDED and not done.is_still_running
    if is_success and not is_routine_heard:
        return Settlement(flight, done, RunState.SUCCEEDED, None, None, flight.recoveries, ())
    claim, entry = flight.claim, flight.entry
    name = entry.name if entry is not None else claim.task_id
    duration = max(0, done.ended_at - done.started_at)
    running = RunState.RUNNING
    recoveries = flight.recoveries
    waiting_for: WaitingFor | None = None
    due_at: Microseconds | None = None
    events: list[Event] = []
    decision = None
    if entry is not None and not is_success:
        decision = decide_retry(
            entry.policies,
            # A lost attempt has a budget of its own and never eats into that of the failures.
            attempt=done.attempt - recoveries,
            outcome=done.outcome,
            identity=f"{claim.task_id}/{claim.key}/{done.attempt}",
            recoveries=recoveries,
        )
    is_cancelled = flight.cancel_reason is not None and done.outcome is not Outcome.SUCCEEDED
    if decision is not None and decision.is_retried and not is_cancelled:
        state = advance(running, Fact.RETRIED)
        waiting_for = WaitingFor.THREAD if done.is_still_running else WaitingFor.RETRY
        due_at = now + decision.delay
        recoveries += done.outcome is Outcome.LOST
        events.append(
            RetryScheduled(
                claim.task_id,
                name,
                claim.run_id,
                done.attempt,
                done.outcome,
                done.error,
                decision.delay,
                now,
            )
        )
    else:
        # The attempt may have failed by itself before the cancel reached it: the run was cancelled.
        outcome = Outcome.CANCELLED if is_cancelled else done.outcome
        state = advance(running, fact_of(outcome))
        events.append(
            RunSettled(
                claim.task_id,
                name,
                claim.run_id,
                done.attempt,
                outcome,
                done.error,
                duration,
                done.ended_at,
            )
        )
    if done.is_still_running:
        events.append(ThreadAbandoned(claim.task_id, name, claim.run_id, 1))
    return Settlement(flight, done, state, waiting_for, due_at, recoveries, tuple(events))


def success_rows(settlements: Iterable[Settlement]) -> list[tuple[Any, ...]] | None:
    """Return the parameters of `succeed_attempts` and `succeed_runs`: of functions that succeeded.

    None where one of them failed, or has more to record than its moments.
    """
    ends = [item.completion for item in settlements]
    if any(done.outcome is not Outcome.SUCCEEDED or done[7:] != _BARE for done in ends):
        return None
    return list(map(_row_of, ends))


def success_tally(settlements: Iterable[Settlement]) -> list[tuple[Any, ...]]:
    """Return the parameters of `succeed_progress`: one row a task, as of `tally`."""
    rows: dict[str, tuple[Any, ...]] = {}
    for item in settlements:
        done = item.completion
        task_id, started_at = done.task_id, done.started_at
        duration = max(0, done.ended_at - started_at)
        row = rows.get(task_id)
        if row is None:
            rows[task_id] = (task_id, 1, duration, duration, duration, started_at)
        else:
            _, count, total, longest, _, begun = row
            rows[task_id] = (
                task_id,
                count + 1,
                total + duration,
                max(longest, duration),
                duration,
                max(begun, started_at),
            )
    return list(rows.values())


def tally(settlements: Iterable[Settlement]) -> list[list[Any]]:
    """Return the parameters of `settle_progress`: one row a task, summed over the batch."""
    rows: dict[str, list[Any]] = {}
    for item in settlements:
        done = item.completion
        row = rows.get(done.task_id)
        if row is None:
            if item.state is RunState.SUCCEEDED and done.error is None:
                duration = max(0, done.ended_at - done.started_at)
                lengths = [duration, duration, duration]
                rows[done.task_id] = [done.task_id, 1, 1, 0, *lengths, done.started_at, None, None]
                continue
            row = rows[done.task_id] = [done.task_id, 0, 0, 0, 0, 0, None, None, None, None]
        row[7] = max(row[7] or 0, done.started_at)
        if done.error is not None:
            row[8] = done.error
        if item.state is RunState.WAITING:
            continue
        duration = max(0, done.ended_at - done.started_at)
        is_success = item.state is RunState.SUCCEEDED
        is_failure = not is_success and item.state is not RunState.CANCELLED
        row[1] += 1
        row[2] += is_success
        row[3] += is_failure
        row[4] += duration
        row[5] = max(row[5], duration)
        row[6] = duration
        if is_failure:
            row[9] = done.run_id
    return list(rows.values())
