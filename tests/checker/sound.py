"""Sound histories, made by a model so small that it can be read at once.

Responsible for: five minutes of a scheduler that does everything right, with outages, killed
supervisors, a power cut, retries, pauses, edits, removals, requests and cancels in them; and a
second, shorter history with a restored backup. The model has none of the scheduler's code: it only
knows what should come out.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from tests.checker.history import (
    SECOND,
    Attempt,
    Count,
    Cron,
    Entry,
    Epoch,
    Every,
    Fault,
    History,
    Ledger,
    Line,
    Operation,
    Output,
    Policies,
    Revision,
    Rule,
    Run,
    Sighting,
    Skip,
    Task,
    Usage,
)
from tests.checker.oracle import instants

START = 1_790_000_000 * SECOND // 3600 // SECOND * 3600 * SECOND
LENGTH = 300 * SECOND
Clock = Callable[[float], int]
"""From seconds after the start to a moment, about."""
_SOON = 2_000
"""What anything takes that takes no time."""


@dataclass
class Actor:
    """A task of the model: what it does when it runs, and what its clients ask."""

    task: Task
    busy: int
    fails: int = 0
    """How many attempts of each run fail first."""
    hangs: bool = False
    """Its attempts run into their timeout."""
    operations: Sequence[Operation] = ()


@dataclass
class World:
    """The rows as they come to be."""

    rng: random.Random
    faults: list[Fault]
    runs: list[Run] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def downs(self) -> list[Fault]:
        """The stretches in which no scheduler ran."""
        return [fault for fault in self.faults if fault.kind == "down"]

    def soon(self, at: int) -> int:
        """Return the moment at which the scheduler gets to what comes at `at`."""
        at += self.rng.randint(1, _SOON)
        for down in self.downs:
            if down.began <= at <= down.ended:
                return down.ended + _SOON + self.rng.randint(1, _SOON)
        return at

    def epochs(self) -> list[Epoch]:
        """Return the processes that held the ledger."""
        starts = [START - SECOND, *(down.ended + _SOON // 2 for down in self.downs)]
        return [Epoch(n, "boot", 100 + n, at) for n, at in enumerate(starts, 1)]

    def token(self, at: int) -> int:
        """Return the next token of whoever holds the ledger at a moment."""
        epoch = 1 + sum(down.ended < at for down in self.downs)
        return (epoch << 32) + next(self._numbers)

    def death(self, task: Task, begin: int, end: int) -> Fault | None:
        """Return what kills an attempt of a task before its end."""
        targets = ("scheduler", "tree") if task.runs_in == "thread" else ("tree",)
        for fault in self.faults:
            is_hit = fault.target in targets or (
                fault.target == "supervisor" and task.task_id == "script-orphaned"
            )
            if fault.kind == "kill" and is_hit and begin <= fault.began < end:
                return fault
        return None


def day(seed: int = 0) -> History:
    """Return the five minutes with everything in them."""
    rng = random.Random(f"sound {seed}")

    def at(seconds: float) -> int:
        return START + round((seconds + rng.uniform(0, 0.4)) * SECOND)

    faults = []
    for second, target, seconds in (
        (41, "scheduler", 12.0),
        (122, "scheduler", 6.0),
        (201, "tree", 4.0),
    ):
        kill = Fault("kill", target, at(second), 0)
        kill = replace(kill, ended=kill.began + 3_000)
        down = Fault("down", "scheduler", kill.ended, kill.ended + round(seconds * SECOND))
        faults += [kill, down]
    orphan = at(160)
    faults.append(Fault("kill", "supervisor", orphan, orphan + 4_000))
    world = World(rng, sorted(faults, key=lambda fault: fault.began))
    actors = list(_cast(at))
    for actor in actors:
        _play(world, actor)
    _ask(world, actors[0].task, at)
    operations = [operation for actor in actors for operation in actor.operations]
    operations += _requests(world, at)
    tasks = [actor.task for actor in actors]
    ledger = Ledger(world.runs, world.attempts, world.skips, world.epochs())
    ledger = replace(ledger, entries=list(_entries(ledger, tasks, operations)))
    return History(
        tasks=tasks,
        ended_at=START + LENGTH,
        ledger=ledger,
        lines=world.lines,
        operations=operations,
        faults=world.faults,
        sightings=list(_sightings(world)),
        counts=list(_counts(ledger)),
        outputs=list(_outputs(world)),
        usages=[Usage(START + n * SECOND, "bytes of the log", 60.0, 64.0) for n in (60, 120, 180)],
    )


def restored() -> History:
    """Return a history in which a backup of the 60th second was put back in the 120th."""
    rule, backup = Every(10 * SECOND, START), START + 60 * SECOND + 5
    done, released = START + 121 * SECOND, START + 128 * SECOND
    world = World(random.Random("restored"), [Fault("restore", "ledger", backup, done)])
    task = _task("restored", "process", rule, Policies())
    actor = Actor(task, SECOND)
    _play(world, actor)
    gone = {run.run_id for run in world.runs if backup < run.scheduled_at <= released}
    keys = {run.key for run in world.runs if done < run.scheduled_at <= released}
    last = max(run.scheduled_at for run in world.runs if run.run_id in gone)
    first = min(run.scheduled_at for run in world.runs if run.run_id in gone)
    skip = Skip(
        1, "restored", "restored", first, last, (last - first) // rule.period + 1, None, released
    )
    ledger = Ledger(
        [run for run in world.runs if run.run_id not in gone],
        [attempt for attempt in world.attempts if attempt.run_id not in gone],
        [skip],
        world.epochs(),
    )
    release = Operation("release", "restored", released, released + 50_000, point=released)
    return History(
        tasks=[task],
        ended_at=START + LENGTH,
        ledger=ledger,
        lines=[line for line in world.lines if line.key not in keys],
        operations=[release],
        faults=world.faults,
    )


# -- the cast -------------------------------------------------------------------------------------


def _task(
    task_id: str, runs_in: str, rule: Rule, policies: Policies, *, may_fail: bool = False
) -> Task:
    added = START - SECOND // 2
    return Task(task_id, runs_in, (Revision((rule,), policies, added, added),), may_fail=may_fail)


def _cast(at: Clock) -> Iterator[Actor]:
    def every(seconds: float) -> Every:
        return Every(round(seconds * SECOND), START)

    grown = Policies(max_retries=3, retry_delay=SECOND, retry_growth=2, retry_jitter=0.1)
    retried = Policies(max_retries=2, retry_delay=SECOND)
    yield Actor(_task("plain", "thread", every(4), Policies()), SECOND)
    yield Actor(_task("once", "thread", every(5), Policies(on_lost="at_most_once")), 4 * SECOND)
    yield Actor(
        _task("all", "thread", every(3), Policies(misfire="run_all", overlap="queue")), SECOND
    )
    few = Policies(misfire="run_all", overlap="queue", catch_up_limit=2)
    yield Actor(_task("few", "thread", every(2.5), few), SECOND // 2)
    strict = Policies(misfire="skip", misfire_grace=2 * SECOND)
    yield Actor(_task("strict", "thread", every(3.5), strict), SECOND)
    yield Actor(_task("crowd", "process", every(3), Policies(overlap="allow")), 5 * SECOND)
    yield Actor(
        _task("pair", "process", every(3), Policies(overlap="allow", overlap_limit=2)), 4 * SECOND
    )
    yield Actor(_task("script", "process", every(6), Policies()), 2 * SECOND)
    yield Actor(_task("script-long", "process", every(4), Policies()), 10 * SECOND)
    yield Actor(_task("script-queue", "process", every(9), Policies(overlap="queue")), 4 * SECOND)
    yield Actor(_task("script-orphaned", "process", every(20), Policies()), 18 * SECOND)
    yield Actor(_task("retry", "process", every(12), retried, may_fail=True), SECOND, fails=1)
    yield Actor(_task("grown", "thread", every(24), grown, may_fail=True), SECOND, fails=2)
    yield Actor(_task("hopeless", "process", every(20), retried, may_fail=True), SECOND, fails=9)
    timed = Policies(timeout=2 * SECOND, kill_grace=SECOND)
    yield Actor(_task("hangs", "process", every(15), timed), 9 * SECOND, hangs=True)
    yield Actor(_task("seconds", "thread", Cron("*/20 * * * * *"), Policies()), SECOND)
    yield Actor(_task("minutes", "process", Cron("*/2 * * * *", "Asia/Tokyo"), Policies()), SECOND)
    pause, resume = at(60), at(90)
    calls = [
        Operation("pause", "paused", pause, pause + 9_000),
        Operation("resume", "paused", resume, resume + 9_000),
    ]
    yield Actor(_task("paused", "thread", every(5), Policies()), SECOND, operations=calls)
    last = Operation("pause", "stopped", at(250), at(250.5))
    yield Actor(_task("stopped", "thread", every(7), Policies()), SECOND, operations=[last])
    gone = at(150)
    removal = [Operation("remove", "removed", gone, gone + 9_000)]
    yield Actor(_task("removed", "thread", every(4), Policies()), SECOND, operations=removal)
    edit = at(100)
    edited = _task("edited", "thread", every(7), Policies())
    changed = Revision((every(9),), Policies(), edit, edit + 9_000)
    refused = Revision((every(1),), Policies(), edit + SECOND, edit + SECOND + 9_000, "fail")
    revisions = (*edited.revisions, changed, refused)
    yield Actor(replace(edited, revisions=revisions), SECOND)
    unsure = _task("unsure", "thread", every(8), Policies())
    asked = Revision((every(3),), Policies(), edit, edit + 5 * SECOND, "indeterminate")
    yield Actor(replace(unsure, revisions=(*unsure.revisions, asked)), SECOND)


# -- the play -------------------------------------------------------------------------------------


def _play(world: World, actor: Actor) -> None:
    """Let a task live through its instants."""
    task, policies = actor.task, actor.task.policies
    due = sorted(_due(actor))
    free_at = 0
    living: list[tuple[Run, int]] = []
    index = 0
    while index < len(due):
        pause = _pause_at(actor, due[index])
        if pause is not None:
            inside = [at for at in due[index:] if at < pause[1]]
            _skip(world, task, "paused", inside, world.soon(pause[1]))
            index += len(inside)
            continue
        now = world.soon(due[index])
        batch = [at for at in due[index:] if at <= now]
        index += len(batch)
        for moment in _kept(world, actor, batch, now):
            living = [run_end for run_end in living if run_end[1] > now]
            limit = policies.overlap_limit if policies.overlap == "allow" else 1
            if policies.overlap in ("skip", "allow") and limit and len(living) >= limit:
                _keep_out(world, task, moment, living[0][0].run_id, now)
                continue
            is_behind = policies.overlap == "queue"
            run, ended = _run(world, actor, moment, max(now, free_at) if is_behind else now)
            free_at = ended
            living.append((run, ended))


def _due(actor: Actor) -> set[int]:
    """Return the instants of the model's own reading: a question that nobody answered was lost."""
    revisions = [r for r in actor.task.revisions if r.outcome == "ok"]
    until = [*(r.acked for r in revisions[1:]), START + LENGTH]
    until[-1] = min([until[-1], *(o.asked for o in actor.operations if o.kind == "remove")])
    found: set[int] = set()
    for revision, end in zip(revisions, until, strict=True):
        found |= instants(revision.rules, revision.acked, end)
    unresumed = _pause_at(actor, START + LENGTH)
    return {at for at in found if unresumed is None or at <= unresumed[0]}


def _pause_at(actor: Actor, at: int) -> tuple[int, int] | None:
    began = [o.acked for o in actor.operations if o.kind == "pause"]
    ended = [o.asked for o in actor.operations if o.kind == "resume"] or [START + 2 * LENGTH]
    return (began[0], ended[0]) if began and began[0] < at < ended[0] else None


def _kept(world: World, actor: Actor, batch: list[int], now: int) -> list[int]:
    """Return what is made up for of what is due at once, and skip the rest."""
    policies = actor.task.policies
    if policies.misfire == "skip":
        kept = [at for at in batch if now - at <= policies.misfire_grace]
        reason = "misfire"
    elif policies.misfire == "run_all":
        kept, reason = batch[-policies.catch_up_limit :], "catch_up_limit"
    else:
        kept, reason = batch[-1:], "coalesced"
    dropped = [at for at in batch if at not in kept]
    if dropped:
        _skip(world, actor.task, reason, dropped, now)
    return kept


def _skip(world: World, task: Task, reason: str, moments: list[int], now: int) -> None:
    row = Skip(
        len(world.skips) + 1, task.task_id, reason, moments[0], moments[-1], len(moments), None, now
    )
    world.skips.append(row)


def _keep_out(world: World, task: Task, moment: int, blocker: int, now: int) -> None:
    """Skip an instant; what one run keeps out one after another is one range."""
    last = world.skips[-1] if world.skips else None
    if last is not None and (last.task_id, last.blocker_run_id) == (task.task_id, blocker):
        assert last.count is not None
        world.skips[-1] = replace(last, last_at=moment, count=last.count + 1)
    else:
        _skip(world, task, "overlap", [moment], now)
        world.skips[-1] = replace(world.skips[-1], blocker_run_id=blocker)


def _run(world: World, actor: Actor, moment: int, start: int) -> tuple[Run, int]:
    """Let one run have its attempts; return it and when it was settled."""
    task, policies = actor.task, actor.task.policies
    run_id, key = len(world.runs) + 1, str(moment)
    failures = losses = 0
    while True:
        begin = world.soon(start) + _SOON
        token = world.token(begin)
        number = failures + losses + 1
        names = (task.task_id, key, number, token, 1000 + run_id)
        end = begin + (policies.timeout if actor.hangs and policies.timeout else actor.busy)
        world.lines.append(Line("begin", *names, begin))
        death = world.death(task, begin, end)
        if death is not None:
            ended = world.soon(death.ended)
            outcome = "lost"
        else:
            ended = end + _SOON
            is_failure = failures < actor.fails
            outcome = "timed_out" if actor.hangs else "failed" if is_failure else "succeeded"
            if not actor.hangs:
                world.lines.append(Line("end", *names, end))
        world.attempts.append(Attempt(run_id, number, token, outcome, begin, ended))
        settled = world.soon(ended)
        losses += outcome == "lost"
        failures += outcome in ("failed", "timed_out")
        is_again = outcome == "lost" and policies.on_lost == "at_least_once"
        if outcome in ("failed", "timed_out") and failures <= policies.max_retries:
            is_again = True
            delay = policies.retry_delay * policies.retry_growth ** (failures - 1)
            settled += round(delay * (1 + policies.retry_jitter / 2))
        if not is_again:
            break
        start = settled
    run = Run(run_id, task.task_id, key, "schedule", outcome, moment, None, number, losses, ended)
    world.runs.append(run)
    return run, settled


# -- requests -------------------------------------------------------------------------------------


def _ask(world: World, task: Task, at: Clock) -> None:
    """Let clients ask for runs of the first task: one runs, one is cancelled before it could."""
    for key, seconds in (("request:ok", 81.4), ("request:unsure", 82.5)):
        moment = at(seconds)
        run, _ = _run(world, Actor(task, SECOND // 4), moment, moment)
        world.runs[-1] = replace(run, key=key, origin="manual")
        world.lines[-2:] = [replace(line, key=key) for line in world.lines[-2:]]
    moment = at(84)
    cancelled = Run(
        len(world.runs) + 1, task.task_id, "request:cancelled", "manual", "cancelled", moment
    )
    world.runs.append(replace(cancelled, ended_at=moment + SECOND))


def _requests(world: World, at: Clock) -> Iterator[Operation]:
    asked = {run.key: run.scheduled_at - 4_000 for run in world.runs if run.origin == "manual"}
    task_id = "plain"
    for key, outcome in (
        ("request:ok", "ok"),
        ("request:unsure", "indeterminate"),
        ("request:cancelled", "ok"),
    ):
        moment = asked[key]
        yield Operation("run", task_id, moment, moment + 3_000, outcome, key=key)
    moment = asked["request:cancelled"]
    key = "request:cancelled"
    yield Operation("cancel", task_id, moment + SECOND, moment + SECOND + 9_000, key=key)
    yield Operation("run", task_id, moment + 10, moment + 20, "fail", key="request:refused")
    yield Operation("run", task_id, moment + 30, moment + 40, "indeterminate", key="request:lost")


# -- what readers see -----------------------------------------------------------------------------


def _entries(
    ledger: Ledger, tasks: Sequence[Task], operations: Sequence[Operation]
) -> Iterator[Entry]:
    removed = {o.task_id for o in operations if o.kind == "remove"}
    paused = {o.task_id: o.acked for o in operations if o.kind == "pause"}
    for operation in operations:
        if operation.kind == "resume":
            del paused[operation.task_id]
    for task in tasks:
        if task.task_id not in removed:
            runs = [run for run in ledger.runs if run.task_id == task.task_id and run.attempt]
            good = sum(run.state == "succeeded" for run in runs)
            bad = sum(run.state in ("failed", "timed_out", "lost") for run in runs)
            skips = sum(s.count or 0 for s in ledger.skips if s.task_id == task.task_id)
            yield Entry(task.task_id, paused.get(task.task_id), len(runs), good, bad, skips)


def _sightings(world: World) -> Iterator[Sighting]:
    for run in world.runs[::7]:
        yield Sighting(run.scheduled_at, run.run_id, "waiting", 0)
        assert run.ended_at is not None
        yield Sighting(run.ended_at + SECOND, run.run_id, run.state, run.attempt)


def _counts(ledger: Ledger) -> Iterator[Count]:
    for entry in ledger.entries or ():
        for part in (4, 2):
            yield Count(
                START + LENGTH // part,
                entry.task_id,
                entry.run_count // part,
                entry.success_count // part,
                entry.failure_count // part,
                entry.skip_count // part,
            )


def _outputs(world: World) -> Iterator[Output]:
    sizes = ((0, False), (100, False), (64, False), (4_096, True))
    for attempt, (written, is_cut) in zip(world.attempts, sizes, strict=False):
        kept = 1_000 if is_cut else written
        yield Output(attempt.token, written, kept, 1_000, is_cut, f"{kept}", f"{kept}")
