"""Reception: what workers tell of claims, recorded.

Responsible for: starts, ends, claims that come back unstarted, threads that end late, and letting
the next run of a queue come. All inside the engine's transaction; what is remembered of claims
changes only after the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from task_scheduler.core.control import Control
from task_scheduler.core.events import AttemptStarted
from task_scheduler.core.flights import Flight, Flights, Work
from task_scheduler.core.inbox import Fact, Returned, Started, ThreadEnded
from task_scheduler.core.model import (
    SECOND,
    Completion,
    Microseconds,
    Outcome,
    RunState,
    SkipReason,
)
from task_scheduler.core.moments import Moments
from task_scheduler.core.ports import Store
from task_scheduler.core.rates import RateDesk
from task_scheduler.core.settlement import (
    NoteEnds,
    Settlement,
    settle,
    success_rows,
    success_tally,
    tally,
)
from task_scheduler.core.skips import GivenUp, give_up

__all__ = ["Reception", "always_heard"]


def always_heard() -> bool:
    """Whether somebody listens to what happens all the time: yes, for all that is known.

    That is a success, and the beginning of an attempt that was over before anybody looked.
    """
    return True


def _beginning(flight: Flight, at: Microseconds) -> AttemptStarted:
    claim = flight.claim
    return AttemptStarted(claim.task_id, flight.name, claim.run_id, claim.attempt, at)


_SHORTEST = 12.0
"""What any attempt costs, in microseconds, whatever its function does."""
_LONG: Microseconds = SECOND // 10
_OUTLIER = 16
"""How many times the usual duration an attempt may count that is not long."""


class Reception:
    """Record what became of claims."""

    def __init__(
        self,
        store: Store,
        flights: Flights,
        control: Control,
        *,
        moments: Moments,
        note_ends: NoteEnds | None = None,
        is_routine_heard: Callable[[], bool] = always_heard,
    ) -> None:
        self.fenced_count = 0
        """Completions that came with a token which owns nothing any more."""
        self.usual_duration = _SHORTEST
        """Of recent attempts, in microseconds: it bounds how far ahead claims are taken. Until
        the first ends it is the shortest: a thousand that are due at once are all at hand then."""
        self._store = store
        self._flights = flights
        self._control = control
        self._moments = moments
        self._note_ends = note_ends
        self.is_routine_heard = is_routine_heard
        self._rates = RateDesk(store)

    def receive(self, facts: Sequence[Fact], work: Work) -> None:
        """Record what started, ended and came back."""
        self._rates.correct(self._flights, facts)
        completions = [fact for fact in facts if type(fact) is Completion]
        started: list[Started] = []
        returned: list[Returned] = []
        threads: list[ThreadEnded] = []
        for fact in facts if len(completions) < len(facts) else ():
            match fact:
                case Started():
                    started.append(fact)
                case Returned():
                    returned.append(fact)
                case ThreadEnded():
                    threads.append(fact)
        running = self._begin(started, work)
        settlements = self._settlements_of(completions, work) if completions else []
        if settlements:
            self._settle(settlements, {t.run_id for t in threads}, work)
        if threads:
            self._end_threads(threads, work)
        self._mark_running(running, work)
        self._take_back(returned, work)
        self._control.chains.follow(work)
        if self._moments.has_queue or work.has_unclaimed:
            self.release(work)
        else:
            work.rested |= work.vacated
            work.vacated.clear()

    def release(self, work: Work) -> None:
        """Let the next run of a queue come where the last living one is gone."""
        if not work.vacated:
            return
        kept = self._flights.seats_kept
        tasks = [[task_id, kept(task_id)] for task_id in sorted(work.vacated)]
        work.rested |= work.vacated
        work.vacated.clear()
        if self._store.execute("release_queued", tasks=tasks):
            work.has_unclaimed = True

    def _settlements_of(self, completions: Sequence[Completion], work: Work) -> list[Settlement]:
        """Decide what becomes of the runs whose attempts have ended, each once."""
        holder_of, is_heard, now = self._flights.holder_of, self.is_routine_heard(), work.now
        found: dict[int, Settlement] = {}
        for done in completions:
            run_id = done.run_id
            flight = holder_of(run_id, done.token)
            if flight is None or run_id in found:
                self.fenced_count += 1
                continue
            if not flight.is_started and (is_heard or done.outcome is not Outcome.SUCCEEDED):
                # It was over before anybody looked.
                work.events.append(_beginning(flight, done.started_at))
            found[run_id] = settle(flight, done, now, is_routine_heard=is_heard)
        return list(found.values())

    def _settle(self, settlements: list[Settlement], ended_threads: set[int], work: Work) -> None:
        run = self._store.execute
        fresh = settlements
        # Of functions that succeeded, as nearly all do, there is less to record.
        rows = success_rows(settlements)
        if rows is not None:
            count = run("succeed_attempts", rows=rows)
        else:
            count = run("settle_attempts", rows=[s.attempt_row() for s in settlements])
        if count != len(settlements):
            # A tick that seemed to fail had recorded some of them: each is counted once.
            held = [[s.completion.run_id, s.completion.token] for s in settlements]
            known = set(self._store.fetch("held_runs", rows=held))
            fresh = [s for s in settlements if s.completion.run_id in known]
        if rows is not None:
            run("succeed_runs", rows=rows)
            run("succeed_progress", rows=success_tally(fresh))
        else:
            run("settle_runs", rows=[s.run_row() for s in fresh])
            run("settle_progress", rows=tally(fresh))
        for item in fresh:
            if item.state is not RunState.WAITING:
                work.run_ends.append((item.completion.task_id, item.completion.run_id, item.state))
        if self._note_ends is not None:
            work.after.append(partial(self._note_ends, fresh))
        durations = []
        for item in settlements:
            done = item.completion
            work.ended.append(done.run_id)
            work.vacated.add(done.task_id)
            if item.events:
                work.events.extend(item.events)
            if not done.is_still_running:
                durations.append(done.ended_at - done.started_at)
            elif done.run_id not in ended_threads:
                # Remembered also should the tick fail: the thread is there in any case.
                self._flights.keep_seat(item.flight)
        self._learn(durations)

    def _learn(self, durations: Sequence[Microseconds]) -> None:
        """Take more durations into the usual one."""
        usual = self.usual_duration
        for duration in durations:
            # Beside a function that computes all the time a few of the shortest are kept from the
            # interpreter for a while: they count for little. What is long counts whole, or a run
            # of low priority that stands in memory would soon hold a seat for as long.
            longest = _OUTLIER * usual if duration < _LONG else 10 * SECOND
            if duration > longest:
                usual += 0.05 * (longest - usual)
            elif duration > _SHORTEST:
                usual += 0.05 * (duration - usual)
            else:
                usual += 0.05 * (_SHORTEST - usual)
        self.usual_duration = usual

    def _end_threads(self, threads: Sequence[ThreadEnded], work: Work) -> None:
        self._store.execute("end_of_thread", rows=[thread.run_id for thread in threads])
        work.has_unclaimed = True
        for thread in threads:
            self._flights.overrun.pop(thread.run_id, None)
            work.vacated.add(thread.task_id)

    def _begin(self, started: Sequence[Started], work: Work) -> list[Started]:
        """Tell of beginnings; return those of claims that are in hand."""
        if not started:
            return []
        found = []
        for fact in started:
            flight = self._flights.holder_of(fact.run_id, fact.token)
            if flight is None:
                continue
            flight.is_started = True
            found.append(fact)
            work.events.append(_beginning(flight, fact.at))
        return found

    def _mark_running(self, started: Sequence[Started], work: Work) -> None:
        """Show as running what is still going after the tick in which it began."""
        ended = set(work.ended)
        rows = [fact for fact in started if fact.run_id not in ended]
        if rows:
            self._store.execute("mark_running", rows=rows)

    def _take_back(self, returned: Sequence[Returned], work: Work) -> None:
        """Decide anew about claims that never started: too late, a clock step, a failed tick."""
        rows, given_up, cancelled = [], [], []
        ended = set(work.ended)
        for fact in returned:
            claim = fact.claim
            flight = self._flights.holder_of(claim.run_id, claim.token)
            if flight is None or claim.run_id in ended:
                continue
            ended.add(claim.run_id)
            rows.append([claim.run_id, claim.token])
            reason = flight.skip_reason
            if flight.entry is None:
                reason = SkipReason.REMOVED
            if reason is None and flight.cancel_reason is not None:
                cancelled.append(flight)
            elif reason is None and claim.start_by is not None and work.now > claim.start_by:
                reason = SkipReason.EXPIRED
            if reason is not None:
                given_up.append(GivenUp.of_flight(flight, reason))
        if not rows:
            return
        work.ended += [run_id for run_id, _ in rows]
        work.has_unclaimed = True
        self._store.execute("hand_back", rows=rows)
        give_up(self._store, given_up, work)
        for flight in cancelled:
            self._control.runs.cancel_waiting(
                flight.claim.run_id, flight.claim.task_id, flight.cancel_reason, work=work
            )
