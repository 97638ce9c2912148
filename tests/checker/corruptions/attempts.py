"""I10, I11: attempts and states that do not follow from each other."""

from __future__ import annotations

from dataclasses import replace

from tests.checker.corruptions.table import breaks
from tests.checker.history import SECOND, Sighting
from tests.checker.spoiling import Spoiler

# -- I10 ---------------------------------------------------------------------------------------


@breaks("I10", "an attempt number is left out")
def _(s: Spoiler) -> None:
    second = s.attempts(s.run(("failed", "succeeded")))[1]
    s.change(s.evidence.begin_of_token[second.token], attempt=3)
    s.change(second, attempt=3)


@breaks("I10", "attempts are numbered from 0")
def _(s: Spoiler) -> None:
    run = s.run()
    s.change(s.begin(run), attempt=0)
    s.change(s.attempts(run)[0], attempt=0)


@breaks("I10", "a retry came too early")
def _(s: Spoiler) -> None:
    run = s.run(("failed", "succeeded"))
    first = s.attempts(run)[0]
    s.change(s.begin(run, 1), at=first.ended_at + 1_000)


@breaks("I10", "a growing delay did not grow")
def _(s: Spoiler) -> None:
    run = s.run(("failed", "failed", "succeeded"), retry_growth=2)
    second = s.attempts(run)[1]
    s.change(s.begin(run, 2), at=second.ended_at + SECOND)


@breaks("I10", "a retry came late, and nothing was the matter")
def _(s: Spoiler) -> None:
    run = s.run(("failed", "succeeded"), lambda run: not s.is_near_fault(run), runs_in="process")
    s.change(s.begin(run, 1), at=s.begin(run, 1).at + 6 * SECOND)


@breaks("I10", "there was one retry too many")
def _(s: Spoiler) -> None:
    run = s.run(("failed", "failed", "failed"))
    last = s.attempts(run)[-1]
    more = replace(last, attempt=4, token=last.token + (1 << 20), ended_at=last.ended_at + SECOND)
    s.add(more)
    s.change(run, attempt=4, ended_at=more.ended_at)


@breaks("I10", "it was given up before its retries were used")
def _(s: Spoiler) -> None:
    run = s.run(("failed", "succeeded"))
    first, second = s.attempts(run)
    s.drop(second, *(line for line in s.lines(run) if line.token == second.token))
    s.change(run, state="failed", attempt=1, ended_at=first.ended_at)


@breaks("I10", "a cancelled attempt was tried again")
def _(s: Spoiler) -> None:
    s.change(s.attempts(s.run(("failed", "succeeded")))[0], outcome="cancelled")


@breaks("I10", "a poison pill was recovered for ever")
def _(s: Spoiler) -> None:
    run = s.run(("lost", "succeeded"))
    first, last = s.attempts(run)
    for number in range(4):
        token, ended = first.token + 1000 + number, first.ended_at + number
        s.add(replace(first, attempt=number + 2, token=token, ended_at=ended))
    s.change(last, attempt=6)
    s.change(run, attempt=6)


# -- I11 ---------------------------------------------------------------------------------------


@breaks("I11", "a run that was over was opened again")
def _(s: Spoiler) -> None:
    run = s.run()
    s.add(Sighting(run.scheduled_at + SECOND, run.run_id, "failed", 1))


@breaks("I11", "an attempt was taken back")
def _(s: Spoiler) -> None:
    run = s.run()
    s.add(Sighting(run.scheduled_at + 1, run.run_id, "waiting", 2))


@breaks("I11", "a run is what its last attempt was not")
def _(s: Spoiler) -> None:
    s.change(s.run(), state="timed_out")


@breaks("I11", "a success is recorded as cancelled")
def _(s: Spoiler) -> None:
    s.change(s.run(), state="cancelled")


@breaks("I11", "a run that is over is in somebody's hands")
def _(s: Spoiler) -> None:
    run = s.run()
    s.change(run, token=s.attempts(run)[0].token)


@breaks("I11", "a run that is over has no end")
def _(s: Spoiler) -> None:
    s.change(s.run(), ended_at=None)


@breaks("I11", "a waiting run has an end")
def _(s: Spoiler) -> None:
    s.change(s.run(), state="waiting")


@breaks("I11", "a skipped run has attempts")
def _(s: Spoiler) -> None:
    s.change(s.run(), state="skipped", reason="overlap")


@breaks("I11", "a run failed without an attempt")
def _(s: Spoiler) -> None:
    run = s.run()
    s.drop(*s.attempts(run), *s.lines(run))
    s.change(run, state="failed", attempt=0)


@breaks("I11", "a run counts more attempts than there are")
def _(s: Spoiler) -> None:
    s.change(s.run(), attempt=2)


@breaks("I11", "a run ended at another moment than its last attempt")
def _(s: Spoiler) -> None:
    run = s.run()
    s.change(run, ended_at=(run.ended_at or 0) + 1)
