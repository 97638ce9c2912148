"""One campaign: a real scheduler under load, and faults that come at random instants and go.

Responsible for: doing the faults, watching what is shown of them and when it is over, the calm at
the end, and the evidence. What is wrong in the ledger is the checker's to say.
"""

from __future__ import annotations

import json
import random
import shutil
import time
from collections import Counter
from dataclasses import dataclass, field, fields
from pathlib import Path

from tests import checker
from tests.checker.ledgers import unfinished_before
from tests.integration.faults import damage
from tests.integration.faults.client import Client
from tests.integration.faults.kinds import KINDS, Kind
from tests.integration.faults.workload import WORKLOAD
from tests.integration.faults.world import PATIENCE_SECONDS, World, now, wait_for

HEAL_SECONDS = 5.0
"""After its cause is gone, a fault is over within this."""
_MOST_TOLD = 6
"""Lines of one fault: it may look like more than one, and come and go."""
_LEADS = (3, 10, 30, 120)
"""Seconds from a ledger's making to the first instant, one try after the other."""
_CALM_SECONDS = 3.0
_OVERDUE_US = 6_000_000
_LIMITS = checker.Limits(late=10_000_000, heal=12_000_000, over=12_000_000, settle=3_000_000)
"""For the machine, which does other things too. A bell that could not be heard is made up for
within five seconds."""


@dataclass(slots=True)
class Report:
    """What came of one campaign or of several together."""

    faults: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    shown: int = 0
    """Of those that had to be shown while they lasted."""
    heals: list[float] = field(default_factory=list)
    """Seconds from the end of the cause until the scheduler says that all is well."""
    damaged: Counter[str] = field(default_factory=Counter)
    occurrences: int = 0
    acknowledged: int = 0
    indeterminate: int = 0
    lost: int = 0
    violations: list[str] = field(default_factory=list)

    def add(self, other: Report) -> None:
        """Take another campaign's figures in."""
        for one in fields(Report):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))


class Campaign:
    """`count` faults on one ledger; the same seed draws the same faults."""

    def __init__(
        self, folder: Path, seed: str, count: int, kinds: tuple[Kind, ...] = KINDS
    ) -> None:
        self.report = Report()
        self._world = World(folder)
        self._seed, self._count = seed, count
        self._kinds = kinds
        self._client = Client(self._world)
        self._faults: list[checker.Fault] = []
        self._added_at = 0
        self._seen_before: set[str] = set()
        """The problems that the fault before had to do with."""

    def run(self) -> Report:
        """Do the faults, come to rest, and check."""
        world = self._world
        try:
            world.open()
            self._begin()
            self._client.start()
            for number in range(self._count):
                rng = random.Random(f"{self._seed}/{number}")
                self._do(self._kind(number, rng), rng)
                self.report.faults += 1
            self._come_to_rest()
        finally:
            self._client.stop()
            world.close()
        return self.report

    def _begin(self) -> None:
        """Start before the first instant comes; on a busy machine that takes its time."""
        world = self._world
        for lead in _LEADS:
            world.start_at = (now() // checker.SECOND + lead) * checker.SECOND
            if not world.start():
                raise RuntimeError(f"it did not start: {world.errors.read_text()}")
            self._added_at = now()
            if self._added_at < world.start_at:
                return
            world.stop()
            world.clear()
        raise RuntimeError(f"it did not start within {lead} s")

    def _kind(self, number: int, rng: random.Random) -> Kind:
        """Return each kind once before any comes again, in an order that the seed draws."""
        order = list(self._kinds)
        random.Random(f"{self._seed}/{number // len(order)}").shuffle(order)
        del rng
        return order[number % len(order)]

    # -- one fault ------------------------------------------------------------------------------

    def _do(self, kind: Kind, rng: random.Random) -> None:
        world = self._world
        time.sleep(rng.uniform(0.0, 0.5))
        began, lasts = now(), rng.uniform(*kind.holds)
        self.report.kinds[kind.name] += 1
        seen: set[str] = set()
        is_asked = rng.random() < 0.2
        told_before = self._told()
        with kind.do(world, rng):
            if kind.name == "damaged":
                self._damage(rng)
            else:
                seen = self._watch(kind, lasts, is_asked=is_asked)
        target = "supervisor" if kind.excuse == "folder" else "scheduler"
        fault = "kill" if kind.excuse in ("folder", "kill") else kind.excuse
        # A supervisor whose folder is gone can prove nothing: what it held is killed and lost.
        self._faults.append(checker.Fault(fault, target, began, now()))
        if kind.name == "damaged":
            if not world.start():
                self._say(kind, f"it did not start again: {world.errors.read_text()[-2000:]}")
            self._faults.append(checker.Fault("down", "scheduler", began, now()))
        self._heal(kind, seen)
        if kind.shown and lasts >= kind.shown_after:
            self._demand(kind, seen, told_before, lasts)
        self._seen_before = seen | kind.shown

    def _demand(self, kind: Kind, seen: set[str], told_before: Counter[str], lasts: float) -> None:
        """Demand that a fault was shown while it lasted, and told, and told once."""
        told = self._told() - told_before
        self.report.shown += 1
        if kind.is_reachable and not seen & kind.shown:
            self._say(kind, f"lasted {lasts:.2f} s and was not shown, only {sorted(seen)}")
        is_new = not kind.shown & self._seen_before
        # One that goes and comes back within a moment is told as one.
        if kind.is_told and is_new and not told.keys() & kind.shown:
            self._say(kind, f"lasted {lasts:.2f} s and the log tells nothing of it, only {told}")
        if sum(told.values()) > _MOST_TOLD:
            self._say(kind, f"the log was flooded: {told}")

    def _told(self) -> Counter[str]:
        """Count the faults of which the log tells that they began."""
        counts: Counter[str] = Counter()
        for text in (self._world.folder / "logs" / "scheduler.log").read_text().splitlines():
            if '"FaultBegan"' in text:
                counts[json.loads(text)["fault"]] += 1
        return counts

    def _watch(self, kind: Kind, lasts: float, *, is_asked: bool) -> set[str]:
        """Collect what the scheduler shows while a fault lasts; ask `tsk status` too, if asked."""
        seen: set[str] = set()
        until = time.monotonic() + lasts
        while (rest := until - time.monotonic()) > 0:
            if kind.is_reachable:
                seen.update(p["kind"] for p in self._world.hello().get("problems", ()))
            if is_asked and seen & kind.shown:
                is_asked = False
                self._ask_status(kind)
            time.sleep(min(0.05, max(0.0, rest)))
        return seen

    def _ask_status(self, kind: Kind) -> None:
        before = self._world.problems()
        code, text = self._world.status()
        lasting = before & self._world.problems()
        if "Traceback" in text:
            self._say(kind, f"`tsk status` broke off: {text}")
        elif code == 0 and lasting:
            self._say(kind, f"`tsk status` says that all is well: {text}")

    def _heal(self, kind: Kind, seen: set[str]) -> None:
        """Wait until all is well and a change is acknowledged again."""
        self._world.tidy()
        began = time.monotonic()
        acknowledged = self._client.acknowledged

        def is_well() -> bool:
            hello = self._world.hello()
            seen.update(problem["kind"] for problem in hello.get("problems", ()))
            is_clear = hello.get("state") == "running" and not hello["problems"]
            is_clear = is_clear and self._world.is_whole()
            return is_clear and self._client.acknowledged > acknowledged

        is_healed = wait_for(is_well, PATIENCE_SECONDS)
        took = time.monotonic() - began
        self.report.heals.append(took)
        if not is_healed:
            self._say(kind, f"not healed after {took:.0f} s: {self._world.hello()}")
            raise RuntimeError("\n".join(self.report.violations))
        if took > HEAL_SECONDS:
            self._say(kind, f"healed only after {took:.1f} s")

    def _damage(self, rng: random.Random) -> None:
        """Damage copies of what a killed scheduler left."""
        world = self._world
        place = world.folder / "damaged"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        whole = damage.dump(damage.copy_of(world.database, place / "sound"))
        for name, path in damage.damages(world.database, place, rng):
            found = damage.verdict(path, whole)
            self.report.damaged[f"{name} {found}"] += 1
            if found not in ("refused", "harmless"):
                self.report.violations.append(
                    f"seed {self._seed}: damaged {name}: {found} ({path})"
                )

    # -- the end --------------------------------------------------------------------------------

    def _come_to_rest(self) -> None:
        self._client.stop()
        calm_from = time.monotonic() + _CALM_SECONDS
        unfinished: list[tuple[str, str, str]] = []

        def is_calm() -> bool:
            unfinished[:] = unfinished_before(self._world.database, now() - _OVERDUE_US)
            return not unfinished and time.monotonic() >= calm_from

        if not wait_for(is_calm, PATIENCE_SECONDS):
            self.report.violations.append(f"stuck after {PATIENCE_SECONDS:g} s: {unfinished[:20]}")
        ended_at = now()
        code = self._world.stop()
        if code != 0:
            self.report.violations.append(f"the stop ended with {code}")
        errors = self._world.errors.read_text()
        if "Traceback" in errors:
            self.report.violations.append(f"it wrote a traceback: {errors[-3000:]}")
        self._check(ended_at)

    def _check(self, ended_at: int) -> None:
        client, folder = self._client, self._world.folder
        history = checker.History(
            tasks=[
                *(p.task(self._world.start_at, self._added_at) for p in WORKLOAD),
                *client.added,
            ],
            ended_at=ended_at,
            ledger=checker.read_ledger(self._world.database),
            lines=list(_lines(folder / "witness")),
            operations=client.operations,
            faults=self._faults,
            limits=_LIMITS,
        )
        (folder / "history.json").write_text(json.dumps(checker.to_plain(history)))
        figures = checker.figures(history)
        report = self.report
        report.occurrences, report.lost = figures.occurrences, figures.lost
        report.acknowledged = client.acknowledged
        report.indeterminate = sum(o.outcome != "ok" for o in client.operations)
        for violation in checker.violations(history):
            report.violations.append(f"seed {self._seed}: {violation.show()}")

    def _say(self, kind: Kind, problem: str) -> None:
        self.report.violations.append(f"seed {self._seed}: {kind.name}: {problem}")


def _lines(folder: Path) -> list[checker.Line]:
    texts = [text for path in sorted(folder.iterdir()) for text in path.read_text().splitlines()]
    return [checker.Line(**json.loads(text)) for text in texts]
