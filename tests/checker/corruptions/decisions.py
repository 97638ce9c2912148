"""I8, I9: misfires and overlaps decided otherwise than the policies say."""

from __future__ import annotations

from tests.checker.corruptions.table import breaks
from tests.checker.history import SECOND, Run, Skip
from tests.checker.spoiling import Spoiler, count_of, is_range

# -- I8 ----------------------------------------------------------------------------------------


@breaks("I8", "run_once gives the reason of skip")
def _(s: Spoiler) -> None:
    s.change(s.skip("coalesced"), reason="misfire")


@breaks("I8", "run_once gives the reason of run_all")
def _(s: Spoiler) -> None:
    s.change(s.skip("coalesced"), reason="catch_up_limit")


@breaks("I8", "run_all coalesced")
def _(s: Spoiler) -> None:
    s.change(s.skip("catch_up_limit"), reason="coalesced")


@breaks("I8", "skip coalesced")
def _(s: Spoiler) -> None:
    s.change(s.skip("misfire"), reason="coalesced")


@breaks("I8", "a reason that does not exist")
def _(s: Spoiler) -> None:
    s.change(s.skip("coalesced"), reason="busy")


@breaks("I8", "the latest missed one was coalesced, too")
def _(s: Spoiler) -> None:
    skip = s.skip("coalesced")
    at = skip.last_at + s.period(skip.task_id)
    s.forget(s.one(Run, task_id=skip.task_id, scheduled_at=at))
    s.change(skip, last_at=at, count=count_of(skip) + 1)


@breaks("I8", "two were made up for under run_once")
def _(s: Spoiler) -> None:
    skip = s.skip("coalesced", is_range)
    s.run_at(skip.task_id, skip.last_at, skip.at + 100)
    s.change(skip, last_at=skip.last_at - s.period(skip.task_id), count=count_of(skip) - 1)


@breaks("I8", "all were made up for under run_once")
def _(s: Spoiler) -> None:
    skip = s.skip("coalesced", lambda x: count_of(x) > 2 and s.is_in_outage(x))
    s.drop(skip)
    for number in range(count_of(skip)):
        at = skip.first_at + number * s.period(skip.task_id)
        s.run_at(skip.task_id, at, skip.at + 100 * number)


@breaks("I8", "a range was decided before its last instant")
def _(s: Spoiler) -> None:
    skip = s.skip("coalesced")
    s.change(skip, at=skip.last_at - 1)


@breaks("I8", "it was skipped within its grace")
def _(s: Spoiler) -> None:
    skip = s.skip("misfire")
    grace = s.task(skip.task_id).policies.misfire_grace
    s.change(skip, at=skip.last_at + grace)


@breaks("I8", "fewer were made up for than the limit")
def _(s: Spoiler) -> None:
    skip = s.skip("catch_up_limit")
    at = skip.last_at + s.period(skip.task_id)
    s.forget(s.one(Run, task_id=skip.task_id, scheduled_at=at))
    s.change(skip, last_at=at, count=count_of(skip) + 1)


@breaks("I8", "more were made up for than the limit")
def _(s: Spoiler) -> None:
    skip = s.skip("catch_up_limit", is_range)
    s.run_at(skip.task_id, skip.last_at, skip.at + 100)
    s.change(skip, last_at=skip.last_at - s.period(skip.task_id), count=count_of(skip) - 1)


@breaks("I8", "a missed one ran in spite of skip")
def _(s: Spoiler) -> None:
    down = [fault for fault in s.history.faults if fault.kind == "down"]
    skip = s.skip("misfire", lambda x: any(f.began + SECOND < x.first_at < f.ended for f in down))
    s.run_at(skip.task_id, skip.first_at, skip.at + 100)
    s.drop(skip)


@breaks("I8", "it was coalesced ten seconds late, and nothing was the matter")
def _(s: Spoiler) -> None:
    run = s.run(misfire="run_once", where=lambda run: not s.is_near_fault(run), task_id="script")
    at, period = run.scheduled_at, s.period(run.task_id)
    for moment in (at, at + period):
        s.forget(s.one(Run, task_id=run.task_id, scheduled_at=moment))
    last = at + period
    s.add(Skip(10**6, run.task_id, "coalesced", at, last, 2, None, last + period + 10))


# -- I9 ----------------------------------------------------------------------------------------


@breaks("I9", "two attempts of a function overlap")
def _(s: Spoiler) -> None:
    first, second = s.neighbours(s.run(overlap="skip", runs_in="thread"))
    s.change(s.end(first), at=s.begin(second).at + 1)


@breaks("I9", "two attempts of a program overlap")
def _(s: Spoiler) -> None:
    first, second = s.neighbours(s.run(overlap="skip", runs_in="process"))
    s.change(s.end(first), at=s.begin(second).at + 1)


@breaks("I9", "two attempts of a queue overlap")
def _(s: Spoiler) -> None:
    first, second = s.neighbours(s.run(overlap="queue"))
    s.change(s.end(first), at=s.begin(second).at + 1)


@breaks("I9", "a third lives beside two")
def _(s: Spoiler) -> None:
    run = s.run(overlap="allow", overlap_limit=2)
    line = s.end(run)
    s.change(line, at=line.at + 20 * SECOND)


@breaks("I9", "a queue is served in the wrong order")
def _(s: Spoiler) -> None:
    first, second = s.neighbours(s.run(overlap="queue", misfire="run_once"))
    late, early = s.lines(first), s.lines(second)
    by = s.begin(second).at - s.begin(first).at
    for line in late:
        s.change(line, at=line.at + by)
    for line in early:
        s.change(line, at=second.scheduled_at + (line.at - early[0].at) // 100)


@breaks("I9", "kept out by a run that is not there")
def _(s: Spoiler) -> None:
    s.change(s.skip("overlap", _has_blocker), blocker_run_id=10**6)


@breaks("I9", "kept out by a run of another task")
def _(s: Spoiler) -> None:
    skip = s.skip("overlap", _has_blocker)
    other = s.run(where=lambda run: run.task_id != skip.task_id)
    s.change(skip, blocker_run_id=other.run_id)


@breaks("I9", "kept out by a later run")
def _(s: Spoiler) -> None:
    skip = s.skip("overlap", _has_blocker)
    later = [run for run in s.evidence.runs_of[skip.task_id] if run.scheduled_at > skip.last_at]
    s.change(skip, blocker_run_id=later[-1].run_id)


@breaks("I9", "kept out by a run that had ended")
def _(s: Spoiler) -> None:
    def gone_before(skip: Skip) -> list[Run]:
        # Long enough for a busy machine, and nothing that would excuse it in between.
        return [
            run
            for run in s.evidence.runs_of[skip.task_id]
            if run.ended_at is not None
            and run.ended_at + 2 * SECOND < skip.first_at
            and not s.evidence.is_excused(run.ended_at, skip.last_at)
        ]

    skip = s.skip("overlap", lambda skip: _has_blocker(skip) and bool(gone_before(skip)))
    s.change(skip, blocker_run_id=gone_before(skip)[-1].run_id)


@breaks("I9", "kept out of a task that may overlap itself")
def _(s: Spoiler) -> None:
    s.change(s.skip("coalesced", overlap="allow", overlap_limit=0), reason="overlap")


def _has_blocker(skip: Skip) -> bool:
    return skip.blocker_run_id is not None
