"""I1, I2, I3: occurrences lost, doubled, or of nobody."""

from __future__ import annotations

from dataclasses import replace

from tests.checker.corruptions.table import breaks
from tests.checker.history import SECOND
from tests.checker.spoiling import Spoiler, count_of, is_range

# -- I1 ----------------------------------------------------------------------------------------


@breaks("I1", "a run is lost without a trace")
def _(s: Spoiler) -> None:
    s.forget(s.run())


@breaks("I1", "a run of a program is lost without a trace")
def _(s: Spoiler) -> None:
    s.forget(s.run(runs_in="process"))


@breaks("I1", "the first run is missing")
def _(s: Spoiler) -> None:
    s.forget(s.evidence.runs_of[s.run().task_id][0])


@breaks("I1", "all runs of a task are missing")
def _(s: Spoiler) -> None:
    for run in s.evidence.runs_of[s.run().task_id]:
        s.forget(run)


@breaks("I1", "a coalesced range is missing")
def _(s: Spoiler) -> None:
    s.drop(s.skip("coalesced"))


@breaks("I1", "an overlap was skipped silently")
def _(s: Spoiler) -> None:
    s.drop(s.skip("overlap"))


@breaks("I1", "a pause was skipped silently")
def _(s: Spoiler) -> None:
    s.drop(s.skip("paused"))


@breaks("I1", "a range counts one too many")
def _(s: Spoiler) -> None:
    skip = s.skip("coalesced")
    s.change(skip, count=count_of(skip) + 1)


@breaks("I1", "a range counts one too few")
def _(s: Spoiler) -> None:
    skip = s.skip("coalesced", is_range)
    s.change(skip, count=count_of(skip) - 1)


@breaks("I1", "a range begins at the run before it")
def _(s: Spoiler) -> None:
    skip = s.skip("coalesced")
    before = skip.first_at - s.period(skip.task_id)
    s.change(skip, first_at=before, count=count_of(skip) + 1)


@breaks("I1", "a range ends at the run after it")
def _(s: Spoiler) -> None:
    skip = s.skip("coalesced")
    after = skip.last_at + s.period(skip.task_id)
    s.change(skip, last_at=after, count=count_of(skip) + 1)


@breaks("I1", "a range begins beside the instants")
def _(s: Spoiler) -> None:
    skip = s.skip("coalesced")
    s.change(skip, first_at=skip.first_at - 1)


@breaks("I1", "a range ends beside the instants")
def _(s: Spoiler) -> None:
    skip = s.skip("coalesced")
    s.change(skip, last_at=skip.last_at + 1)


@breaks("I1", "a range is turned round")
def _(s: Spoiler) -> None:
    skip = s.skip("coalesced", is_range)
    s.change(skip, first_at=skip.last_at, last_at=skip.first_at)


@breaks("I1", "a range is recorded twice")
def _(s: Spoiler) -> None:
    skip = s.skip("coalesced")
    s.add(replace(skip, skip_id=10**6))


@breaks("I1", "two ranges overlap by one")
def _(s: Spoiler) -> None:
    skip = s.skip("coalesced", is_range)
    s.add(replace(skip, skip_id=10**6, first_at=skip.last_at, count=1))


@breaks("I1", "a range is short by its last")
def _(s: Spoiler) -> None:
    skip = s.skip("coalesced", is_range)
    s.change(skip, last_at=skip.last_at - s.period(skip.task_id), count=count_of(skip) - 1)


@breaks("I1", "a run is skipped for no reason")
def _(s: Spoiler) -> None:
    run = s.run()
    s.drop(*s.attempts(run), *s.lines(run))
    s.change(run, state="skipped", attempt=0)


@breaks("I1", "a key is not its instant")
def _(s: Spoiler) -> None:
    run = s.run()
    s.change(run, key=run.key + "0")


@breaks("I1", "a success never ended")
def _(s: Spoiler) -> None:
    s.drop(s.end(s.run()))


@breaks("I1", "a success never began")
def _(s: Spoiler) -> None:
    s.drop(*s.lines(s.run()))


@breaks("I1", "a loss is given up in spite of at_least_once")
def _(s: Spoiler) -> None:
    run = s.run(("lost", "succeeded"), on_lost="at_least_once")
    first, second = s.attempts(run)
    s.drop(second, *(line for line in s.lines(run) if line.token == second.token))
    s.change(run, state="lost", attempt=1, ended_at=first.ended_at)


@breaks("I1", "skipped as removed, and nobody removed it")
def _(s: Spoiler) -> None:
    s.change(s.skip("coalesced"), reason="removed")


@breaks("I1", "skipped as restored, and nothing was restored")
def _(s: Spoiler) -> None:
    s.change(s.skip("coalesced"), reason="restored")


@breaks("I1", "skipped as superseded, and nothing was edited")
def _(s: Spoiler) -> None:
    s.change(
        s.skip("coalesced", lambda x: len(s.task(x.task_id).revisions) == 1), reason="superseded"
    )


# -- I2 ----------------------------------------------------------------------------------------


@breaks("I2", "a begin is of no run")
def _(s: Spoiler) -> None:
    run = s.run()
    s.drop(run, *s.attempts(run))


@breaks("I2", "a begin names another task")
def _(s: Spoiler) -> None:
    run = s.run()
    other = s.run(where=lambda x: x.task_id != run.task_id)
    s.change(s.begin(run), task_id=other.task_id, key="1")


@breaks("I2", "a run is of a task that nobody added")
def _(s: Spoiler) -> None:
    run = s.run()
    s.add(replace(run, run_id=10**6, task_id="stranger"))


@breaks("I2", "a range is of a task that nobody added")
def _(s: Spoiler) -> None:
    skip = s.skip("coalesced")
    s.add(replace(skip, skip_id=10**6, task_id="stranger"))


@breaks("I2", "a run was requested by nobody")
def _(s: Spoiler) -> None:
    run = s.run()
    s.add(replace(run, run_id=10**6, key="request:nobody", origin="manual"))


@breaks("I2", "a run is of the future")
def _(s: Spoiler) -> None:
    task_id = s.run().task_id
    period = s.period(task_id)
    anchor = s.evidence.runs_of[task_id][0].scheduled_at
    steps = (s.history.ended_at + SECOND - anchor) // period + 1
    s.run_at(task_id, anchor + steps * period)


@breaks("I2", "a cron run is between its seconds")
def _(s: Spoiler) -> None:
    at = s.run(task_id="seconds").scheduled_at + 7 * SECOND
    s.run_at("seconds", at)


@breaks("I2", "a cron run is an hour off, as in another zone")
def _(s: Spoiler) -> None:
    run = s.run(task_id="minutes")
    s.run_at("minutes", run.scheduled_at + 61 * SECOND)


@breaks("I2", "an end has no begin")
def _(s: Spoiler) -> None:
    s.drop(s.begin(s.run()))


@breaks("I2", "an attempt is of no run")
def _(s: Spoiler) -> None:
    attempt = s.attempts(s.run())[0]
    s.add(replace(attempt, run_id=10**6, token=attempt.token + (1 << 20)))


# -- I3 ----------------------------------------------------------------------------------------


@breaks("I3", "a key has two runs")
def _(s: Spoiler) -> None:
    run = s.run()
    s.add(replace(run, run_id=10**6))


@breaks("I3", "an instant has two runs under two keys")
def _(s: Spoiler) -> None:
    run = s.run()
    s.add(replace(run, run_id=10**6, key=f"{run.scheduled_at}.1"))


@breaks("I3", "a second, whole run of an instant")
def _(s: Spoiler) -> None:
    run = s.run()
    s.run_at(run.task_id, run.scheduled_at, s.attempts(run)[-1].ended_at + 1_000)
