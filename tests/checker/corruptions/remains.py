"""I15, I17 to I24, A/B: what was seen, left, used, and stamped wrongly."""

from __future__ import annotations

from dataclasses import replace

from tests.checker.corruptions.table import breaks
from tests.checker.history import (
    SECOND,
    Count,
    Every,
    Fault,
    Leftover,
    Line,
    Output,
    Sighting,
    Usage,
)
from tests.checker.spoiling import AbsentError, Spoiler

# -- I15, I17 ----------------------------------------------------------------------------------


@breaks("I15", "a counter fell")
def _(s: Spoiler) -> None:
    entry = s.entry(s.run().task_id)
    at = s.history.ended_at
    s.add(Count(at - 2, entry.task_id, 3, 3, 0, 0), Count(at - 1, entry.task_id, 3, 2, 0, 0))


@breaks("I15", "a counter ends below what was seen")
def _(s: Spoiler) -> None:
    entry = s.entry(s.run().task_id)
    s.add(Count(s.history.ended_at - 1, entry.task_id, entry.run_count + 1, 0, 0, 0))


@breaks("I15", "the runs are miscounted")
def _(s: Spoiler) -> None:
    entry = s.entry(s.run().task_id)
    s.change(entry, run_count=entry.run_count + 1)


@breaks("I15", "a success is counted as a failure")
def _(s: Spoiler) -> None:
    entry = s.entry(s.run().task_id)
    good, bad = entry.success_count - 1, entry.failure_count + 1
    s.change(entry, success_count=good, failure_count=bad)


@breaks("I15", "the skips are miscounted")
def _(s: Spoiler) -> None:
    entry = s.entry(s.skip("coalesced").task_id)
    s.change(entry, skip_count=entry.skip_count - 1)


@breaks("I15", "a run that was seen is gone")
def _(s: Spoiler) -> None:
    run = s.run()
    s.add(Sighting((run.ended_at or 0) + 1, run.run_id, "succeeded", 1))
    s.drop(run)


@breaks("I17", "a run waits for ever")
def _(s: Spoiler) -> None:
    run = s.run()
    s.drop(*s.attempts(run), *s.lines(run))
    s.change(run, state="waiting", attempt=0, ended_at=None)


@breaks("I17", "a run runs for ever")
def _(s: Spoiler) -> None:
    run = s.run()
    s.drop(*s.attempts(run))
    token = s.attempts(run)[0].token
    s.change(run, state="running", token=token, attempt=0, ended_at=None)


@breaks("I17", "a claim was never given back")
def _(s: Spoiler) -> None:
    run = s.run()
    s.drop(*s.attempts(run), *s.lines(run))
    s.change(run, state="waiting", token=5, attempt=0, ended_at=None)


# -- I18 to I24 --------------------------------------------------------------------------------


@breaks("I18", "a program outlived its timeout and its grace")
def _(s: Spoiler) -> None:
    run = s.run(("timed_out",))
    attempt = s.attempts(run)[0]
    s.change(attempt, ended_at=attempt.ended_at + 3 * SECOND)


@breaks("I18", "a program succeeded long after its timeout")
def _(s: Spoiler) -> None:
    run = s.run(("timed_out",))
    attempt, line = s.attempts(run)[0], s.begin(run)
    ended = attempt.ended_at + 5 * SECOND
    s.add(replace(line, event="end", at=ended - 1))
    s.change(attempt, outcome="succeeded", ended_at=ended)
    s.change(run, state="succeeded", ended_at=ended)


@breaks("I18", "it was timed out before its time")
def _(s: Spoiler) -> None:
    run = s.run(("timed_out",))
    attempt = s.attempts(run)[0]
    s.change(attempt, ended_at=(attempt.started_at or 0) + SECOND)


@breaks("I18", "a program lived after its recorded end")
def _(s: Spoiler) -> None:
    run = s.run(runs_in="process")
    s.change(s.end(run), at=s.attempts(run)[0].ended_at + SECOND)


@breaks("I19", "a process outlived everything")
def _(s: Spoiler) -> None:
    s.add(Leftover(4711, "sleep"))


@breaks("I20", "an output was cut unflagged")
def _(s: Spoiler) -> None:
    s.add(Output(1, written=5_000, kept=1_000, cap=1_000, is_flagged=False))


@breaks("I20", "a whole output is flagged as cut")
def _(s: Spoiler) -> None:
    s.add(Output(1, written=10, kept=10, cap=1_000, is_flagged=True))


@breaks("I20", "bytes of an output are missing")
def _(s: Spoiler) -> None:
    s.add(Output(1, written=500, kept=499, cap=1_000, is_flagged=False))


@breaks("I20", "more of an output was kept than the cap")
def _(s: Spoiler) -> None:
    s.add(Output(1, written=5_000, kept=1_001, cap=1_000, is_flagged=True))


@breaks("I20", "what was kept is not what was written")
def _(s: Spoiler) -> None:
    s.add(Output(1, 10, 10, 1_000, is_flagged=False, digest_written="a", digest_kept="b"))


@breaks("I21", "an interval drifted by a microsecond")
def _(s: Spoiler) -> None:
    run = s.run()
    at = run.scheduled_at + 1
    s.change(run, scheduled_at=at, key=str(at))


@breaks("I21", "an interval was counted from the end of the last run")
def _(s: Spoiler) -> None:
    first, second = s.neighbours(s.run(overlap="skip"))
    at = (first.ended_at or 0) + 137
    s.change(second, scheduled_at=at, key=str(at))


@breaks("I21", "a refused edit was applied")
def _(s: Spoiler) -> None:
    refused = next(r for r in s.task("edited").revisions if r.outcome == "fail")
    s.run_at("edited", (refused.acked // SECOND + 6) * SECOND + SECOND // 2)


@breaks("I21", "an edit that nobody knows of was applied by half")
def _(s: Spoiler) -> None:
    asked = s.task("unsure").revisions[-1]
    rule = asked.rules[0]
    assert isinstance(rule, Every)
    at = rule.anchor + ((asked.acked - rule.anchor) // rule.period + 2) * rule.period
    s.run_at("unsure", at + rule.period if not (at - rule.anchor) % (8 * SECOND) else at)


@breaks("I22", "a restored ledger started something while it was held")
def _(s: Spoiler) -> None:
    restore = _restore(s)
    s.add(Line("begin", "restored", str(restore.ended), 1, 9 << 32, 7, restore.ended + SECOND))


@breaks("I22", "a restored ledger started again what had run")
def _(s: Spoiler) -> None:
    restore, release = _restore(s), s.operation("release")
    done = next(x for x in s.history.lines if restore.began < x.at < restore.ended)
    again = replace(done, event="begin", token=done.token + (1 << 20), at=release.asked + SECOND)
    s.add(again)


def _restore(s: Spoiler) -> Fault:
    found = s.evidence.restores
    if not found:
        raise AbsentError("a restore")
    return found[0]


@breaks("I23", "a task failed by its neighbour's fault")
def _(s: Spoiler) -> None:
    run = s.run(may_fail=False)
    s.change(s.attempts(run)[0], outcome="failed")
    s.change(run, state="failed")


@breaks("I24", "a measure is above its bound")
def _(s: Spoiler) -> None:
    s.add(Usage(s.history.ended_at, "rows", 1_001, 1_000))


# -- A/B ---------------------------------------------------------------------------------------


@breaks("A/B", "a begin bears the key of the next run")
def _(s: Spoiler) -> None:
    first, second = s.neighbours(s.run())
    for line in s.lines(first):
        s.change(line, key=second.key)


@breaks("A/B", "a begin bears the key of a run long ago")
def _(s: Spoiler) -> None:
    run = s.run()
    first = s.evidence.runs_of[run.task_id][0]
    s.change(s.begin(run), key=first.key)


@breaks("A/B", "everything began, each by its key, before it was due")
def _(s: Spoiler) -> None:
    run = s.run()
    first = s.evidence.runs_of[run.task_id][0]
    s.change(s.begin(run), at=first.scheduled_at - 1)
