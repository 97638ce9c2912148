"""I14, I16: what clients were told, and what came of it."""

from __future__ import annotations

from dataclasses import replace

from tests.checker.corruptions.table import breaks
from tests.checker.history import SECOND, Every, Line, Policies, Revision, Run, Task
from tests.checker.spoiling import Spoiler, count_of

# -- I14, I16 ----------------------------------------------------------------------------------


@breaks("I14", "an acknowledged add is missing")
def _(s: Spoiler) -> None:
    s.drop(s.entry(s.run().task_id))


@breaks("I14", "an acknowledged removal was undone")
def _(s: Spoiler) -> None:
    removed = s.operation("remove").task_id
    s.add(replace(s.entry("plain"), task_id=removed))


@breaks("I14", "an acknowledged pause is missing")
def _(s: Spoiler) -> None:
    s.change(s.entry("stopped"), paused_at=None)


@breaks("I14", "an acknowledged resume is missing")
def _(s: Spoiler) -> None:
    s.change(s.entry("paused"), paused_at=s.operation("pause").acked)


@breaks("I14", "a task is paused that nobody paused")
def _(s: Spoiler) -> None:
    s.change(s.entry(s.run().task_id), paused_at=1)


@breaks("I14", "an acknowledged request is missing")
def _(s: Spoiler) -> None:
    s.forget(s.one(Run, key="request:ok"))


@breaks("I14", "a refused request was made a run")
def _(s: Spoiler) -> None:
    s.add(replace(s.one(Run, key="request:cancelled"), run_id=10**6, key="request:refused"))


@breaks("I14", "a refused task is there")
def _(s: Spoiler) -> None:
    refused = Revision((Every(SECOND, 0),), Policies(), 1, 2, "fail")
    s.add(Task("refused", "thread", (refused,)))
    s.add(replace(s.entry(s.run().task_id), task_id="refused"))


@breaks("I14", "a request was applied by half")
def _(s: Spoiler) -> None:
    run = s.one(Run, key="request:unsure")
    s.drop(*s.attempts(run), *s.lines(run))
    s.change(run, state="waiting", attempt=0, ended_at=None)


@breaks("I14", "an acknowledged cancel was forgotten")
def _(s: Spoiler) -> None:
    s.change(s.one(Run, key="request:cancelled"), state="waiting", ended_at=None)


@breaks("I16", "it began in a pause")
def _(s: Spoiler) -> None:
    pause = s.operation("pause")
    run = s.run(task_id=pause.task_id, where=lambda run: run.scheduled_at < pause.asked)
    s.change(s.begin(run), at=pause.acked + SECOND)


@breaks("I16", "an instant of a pause is a run")
def _(s: Spoiler) -> None:
    skip = s.skip("paused")
    s.run_at(skip.task_id, skip.last_at, skip.at + 100)
    s.change(skip, last_at=skip.last_at - s.period(skip.task_id), count=count_of(skip) - 1)


@breaks("I16", "skipped as paused, and nobody paused it")
def _(s: Spoiler) -> None:
    s.change(s.skip("coalesced"), reason="paused")


@breaks("I16", "it began after its removal")
def _(s: Spoiler) -> None:
    removal = s.operation("remove")
    run = s.run(task_id=removal.task_id, where=lambda run: run.scheduled_at < removal.asked)
    s.change(s.begin(run), at=removal.acked + SECOND)


@breaks("I16", "it began after its cancel")
def _(s: Spoiler) -> None:
    run, cancel = s.one(Run, key="request:cancelled"), s.operation("cancel")
    s.add(Line("begin", run.task_id, run.key, 1, 5 << 32, 7, cancel.acked + 2 * SECOND))


@breaks("I16", "it ran by rules that were changed before")
def _(s: Spoiler) -> None:
    old, new = [r for r in s.task("edited").revisions if r.outcome == "ok"]
    at = _next(old.rules[0], new.rules[0], new.acked + 5 * SECOND)
    s.run_at("edited", at)


@breaks("I16", "what was at hand by old rules was started after the edit")
def _(s: Spoiler) -> None:
    task = s.task("edited")
    old, new = [r for r in task.revisions if r.outcome == "ok"]
    at = _next(old.rules[0], new.rules[0], new.acked)
    moved = replace(new, asked=at - 10_000, acked=at - 1_000)
    s.drop(*(x for x in s.evidence.runs_of["edited"] if new.acked < x.scheduled_at < at))
    s.change(task, revisions=(old, moved))
    s.run_at("edited", at)


def _next(old: object, new: object, after: int) -> int:
    """Return an instant of the old rule that the new one does not have."""
    assert isinstance(old, Every)
    assert isinstance(new, Every)
    at = old.anchor + ((after - old.anchor) // old.period + 1) * old.period
    while not (at - new.anchor) % new.period:
        at += old.period
    return at
