"""I4 to I7, I12, I13: begins that must not have been, or not then."""

from __future__ import annotations

from dataclasses import replace

from tests.checker.corruptions.table import breaks
from tests.checker.history import SECOND, Epoch, Fault, Run
from tests.checker.spoiling import Spoiler

# -- I4 ----------------------------------------------------------------------------------------


@breaks("I4", "a begin is doubled")
def _(s: Spoiler) -> None:
    line = s.begin(s.run())
    s.add(replace(line, at=line.at + 1))


@breaks("I4", "a claim began twice in two processes")
def _(s: Spoiler) -> None:
    line = s.begin(s.run(runs_in="process"))
    s.add(replace(line, at=line.at + 1, pid=line.pid + 1))


@breaks("I4", "an attempt began twice under two tokens")
def _(s: Spoiler) -> None:
    line = s.begin(s.run())
    s.add(replace(line, at=line.at + 1, token=line.token + (1 << 20)))


@breaks("I4", "at_most_once began again after a loss")
def _(s: Spoiler) -> None:
    s.again(s.run(("lost",), on_lost="at_most_once"))


@breaks("I4", "at_most_once began again, unrecorded")
def _(s: Spoiler) -> None:
    s.again(s.run(("lost",), on_lost="at_most_once"), is_recorded=False)


@breaks("I4", "a begin has another attempt's number")
def _(s: Spoiler) -> None:
    line = s.begin(s.run())
    s.change(line, attempt=line.attempt + 1)


@breaks("I4", "a begin has a token that nobody gave out")
def _(s: Spoiler) -> None:
    line = s.begin(s.run())
    s.change(line, token=line.token + (1 << 20))


@breaks("I4", "two runs have swapped their tokens")
def _(s: Spoiler) -> None:
    first, second = map(s.begin, s.neighbours(s.run()))
    s.change(first, token=second.token)
    s.change(second, token=first.token)


@breaks("I4", "an attempt that began is not recorded")
def _(s: Spoiler) -> None:
    s.drop(*s.attempts(s.run()))


@breaks("I4", "a skipped run began")
def _(s: Spoiler) -> None:
    run = s.run()
    s.change(run, state="skipped", reason="expired")


@breaks("I4", "a program is lost, and only the scheduler died")
def _(s: Spoiler) -> None:
    kill = s.one(Fault, kind="kill", target="scheduler")

    def lived_then(run: Run) -> bool:
        (attempt,) = s.attempts(run)
        return bool(s.begin(run).at < kill.began < attempt.ended_at)

    run = s.run(where=lived_then, runs_in="process")
    s.change(s.attempts(run)[0], outcome="lost")
    s.change(run, state="lost")


@breaks("I4", "a function is lost, and nobody was killed")
def _(s: Spoiler) -> None:
    run = s.run(runs_in="thread", where=lambda run: not s.is_near_fault(run))
    s.change(s.attempts(run)[0], outcome="lost")
    s.change(run, state="lost")


@breaks("I4", "at_most_once went on after a loss, in the ledger alone")
def _(s: Spoiler) -> None:
    run = s.run(("lost",), on_lost="at_most_once")
    lost = s.attempts(run)[0]
    more = replace(lost, attempt=2, token=lost.token + (1 << 20), ended_at=lost.ended_at + 99)
    s.add(more)
    s.change(run, attempt=2, ended_at=more.ended_at)


@breaks("I4", "an orphan began once more than was recorded")
def _(s: Spoiler) -> None:
    s.again(s.run(("lost", "succeeded")), is_recorded=False)


@breaks("I4", "it began again, and the attempt before is recorded nowhere")
def _(s: Spoiler) -> None:
    s.drop(s.attempts(s.run(("lost", "succeeded")))[0])


# -- I5 ----------------------------------------------------------------------------------------


@breaks("I5", "it began after its success")
def _(s: Spoiler) -> None:
    s.again(s.run())


@breaks("I5", "a program began after its success")
def _(s: Spoiler) -> None:
    s.again(s.run(runs_in="process"))


@breaks("I5", "a success is followed by an attempt")
def _(s: Spoiler) -> None:
    s.change(s.attempts(s.run(("lost", "succeeded")))[0], outcome="succeeded")


@breaks("I5", "a success is followed by an attempt in the ledger alone")
def _(s: Spoiler) -> None:
    run = s.run()
    last = s.attempts(run)[0]
    more = replace(last, attempt=2, token=last.token + (1 << 20), ended_at=last.ended_at + 50)
    s.add(more)
    s.change(run, attempt=2, ended_at=more.ended_at)


# -- I6, I7 ------------------------------------------------------------------------------------


@breaks("I6", "it began a microsecond early")
def _(s: Spoiler) -> None:
    run = s.run()
    s.change(s.begin(run), at=run.scheduled_at - 1)


@breaks("I6", "a program began a second early")
def _(s: Spoiler) -> None:
    run = s.run(runs_in="process")
    s.change(s.begin(run), at=run.scheduled_at - SECOND)


@breaks("I6", "a cron run began early")
def _(s: Spoiler) -> None:
    run = s.run(task_id="seconds")
    s.change(s.begin(run), at=run.scheduled_at - 300_000)


@breaks("I7", "it began late, and nothing was the matter")
def _(s: Spoiler) -> None:
    run = s.run(overlap="skip", misfire="run_once", where=lambda run: not s.is_near_fault(run))
    s.move(run, s.history.limits.late + SECOND)


@breaks("I7", "a program began late, and nothing was the matter")
def _(s: Spoiler) -> None:
    run = s.run(overlap="allow", runs_in="process", where=lambda run: not s.is_near_fault(run))
    s.move(run, s.history.limits.late + SECOND)


# -- I12, I13 ----------------------------------------------------------------------------------


@breaks("I12", "a token was given out twice")
def _(s: Spoiler) -> None:
    first, second = s.neighbours(s.run())
    token = s.attempts(first)[0].token
    s.change(s.attempts(second)[0], token=token)


@breaks("I12", "a token is of nobody who held the ledger")
def _(s: Spoiler) -> None:
    run = s.run()
    token = s.attempts(run)[0].token + (1 << 40)
    for line in s.lines(run):
        s.change(line, token=token)
    s.change(s.attempts(run)[0], token=token)


@breaks("I12", "an epoch began before the one before it")
def _(s: Spoiler) -> None:
    first, second = s.evidence.epochs[:2]
    s.change(second, started_at=first.started_at - 1)


@breaks("I12", "a function began for a process that was succeeded")
def _(s: Spoiler) -> None:
    after = s.evidence.epochs[1]
    run = s.run(runs_in="thread", where=lambda run: _is_of(s, run, after.epoch - 1))
    s.change(s.begin(run), at=after.started_at + 1)


@breaks("I12", "a function began under a token of the future")
def _(s: Spoiler) -> None:
    last: Epoch = s.evidence.epochs[-1]
    run = s.run(runs_in="thread", where=lambda run: run.scheduled_at < last.started_at - SECOND)
    token = (last.epoch << 32) + (1 << 20)
    for line in s.lines(run):
        s.change(line, token=token)
    s.change(s.attempts(run)[0], token=token)


@breaks("I13", "a recovery began while the lost attempt lived")
def _(s: Spoiler) -> None:
    run = s.run(("lost", "succeeded"), runs_in="process")
    first = s.attempts(run)[0]
    s.change(s.begin(run, 1), at=first.ended_at - 1_000)


@breaks("I13", "a retry began before the failure")
def _(s: Spoiler) -> None:
    run = s.run(("failed", "succeeded"))
    s.change(s.begin(run, 1), at=s.begin(run).at + 1)


def _is_of(s: Spoiler, run: Run, epoch: int) -> bool:
    return s.attempts(run)[0].token >> 32 == epoch
