"""Campaigns: seed after seed on every core, and one seed again.

Responsible for: a name for each world (``17`` is a year of the fixed workload, ``w17`` a random
world), living it, what came of it as a value, and the cursor that lets a series go on.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, fields
from pathlib import Path

from tests.simulation.random_world import RandomWorld
from tests.simulation.world import Figures, World
from tests.simulation.years import Year

__all__ = ["DAYS", "HOURS", "Outcome", "Series", "live", "name_of"]

DAYS = 365.0
"""How long a seed of the fixed workload lives."""
HOURS = 1.5
"""How long a random world lives before it comes to rest."""


@dataclass(slots=True)
class Outcome:
    """What came of one seed."""

    name: str
    story: str
    """The digest of its story."""
    seconds: float
    """Of processor time."""
    figures: Figures
    violation: str | None = None
    last: list[str] = field(default_factory=list)
    """The last lines of its story, if something is wrong in it."""
    ledger: str | None = None
    """The digest of its whole ledger; None: it was not asked for."""

    def report(self) -> str:
        """Return what is wrong, what led to it, and how to see it again."""
        return "\n".join(
            [f"VIOLATION  {self.violation}", *self.last, f"again      scripts/sim {self.name}"]
        )


def name_of(seed: int, *, is_random: bool) -> str:
    """Return the name of a seed."""
    return f"w{seed}" if is_random else str(seed)


def live(
    name: str, *, days: float = DAYS, is_told: bool = False, is_dumped: bool = False
) -> Outcome:
    """Let the world of a name live."""
    seed = int(name.removeprefix("w"))
    begun = time.process_time()
    world: World
    run: Callable[[], Figures]
    if name.startswith("w"):
        world = random_world = RandomWorld(seed, is_told=is_told)
        run = lambda: random_world.live(HOURS)  # noqa: E731
    else:
        world = year = Year(seed, is_told=is_told)
        run = lambda: year.live(days)  # noqa: E731
    violation, figures = None, Figures()
    try:
        figures = run()
    except Exception as error:
        violation = f"{type(error).__name__}: {error}"
    is_wrong = violation is not None
    return Outcome(
        name=name,
        story=world.story.digest(),
        seconds=time.process_time() - begun,
        figures=figures,
        violation=violation,
        last=list(world.story.last) if is_wrong else [],
        ledger=digest_of(world.dump()) if is_wrong or is_dumped else None,
    )


def digest_of(dump: bytes) -> str:
    """Return what only this ledger has."""
    return hashlib.blake2b(dump, digest_size=16).hexdigest()


@dataclass(slots=True)
class Totals:
    """The figures of all seeds so far."""

    worlds: int = 0
    years: float = 0.0
    occurrences: int = 0
    begins: int = 0
    lost: int = 0
    seconds: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    cuts: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    """The names of the seeds in which something is wrong."""

    def add(self, outcome: Outcome) -> None:
        """Take one seed in."""
        figures = outcome.figures
        self.worlds += 1
        self.years += figures.years
        self.occurrences += figures.occurrences
        self.begins += figures.begins
        self.lost += figures.lost
        self.seconds += outcome.seconds
        self.faults.update(figures.faults)
        self.cuts.update(figures.cuts)
        if outcome.violation is not None:
            self.violations.append(outcome.name)

    def summary(self) -> str:
        """Return the figures as lines, each zero with its bound."""
        faults = self.faults.total()
        cost = self.seconds / max(1, faults) * 1000
        lines = [
            f"worlds       {self.worlds}, {self.years:.1f} simulated years",
            f"occurrences  {self.occurrences}, each accounted for",
            f"attempts     {self.begins}, of which {self.lost} were lost, each with its cause",
            f"faults       {faults}: " + _counts(self.faults),
            f"cut off      {self.cuts.total()} transactions, at {len(self.cuts)} different points",
            f"time         {self.seconds:.0f} s of processor, {cost:.2f} ms a fault",
            f"violations   {len(self.violations)} {' '.join(self.violations)}",
        ]
        if self.violations:
            lines[1] = f"occurrences  {self.occurrences} in worlds without a violation"
        else:
            # The rule of three: with none in n tries, the rate is below 3/n at 95 % confidence.
            lines.append(
                f"bound        below {3 / max(1, self.occurrences):.2g} of occurrences and"
                f" {3 / max(1, faults):.2g} of faults go wrong (95 % confidence)"
            )
        return "\n".join(lines)


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.most_common())


class Series:
    """Seeds from 0 on; each leaves the cursor behind."""

    def __init__(self, folder: Path, *, is_random: bool, jobs: int | None = None) -> None:
        self._cursor = folder / ("worlds.json" if is_random else "years.json")
        self._is_random = is_random
        self._jobs = jobs or os.cpu_count() or 1
        self.totals = Totals()
        if self._cursor.exists():
            saved = json.loads(self._cursor.read_text())
            saved |= {name: Counter(saved[name]) for name in ("faults", "cuts")}
            self.totals = Totals(**saved)

    def run(self, count: int, tell: Callable[[str], None]) -> Totals:
        """Live seeds until there were so many in all."""
        first = self.totals.worlds
        if first:
            tell(f"goes on after {first} seeds")
        names = [name_of(seed, is_random=self._is_random) for seed in range(first, count)]
        with ProcessPoolExecutor(self._jobs, initializer=_collect_seldom) as pool:
            for outcome in pool.map(live, names):
                self.totals.add(outcome)
                if outcome.violation is not None:
                    tell(outcome.report())
                self._save()
                if self.totals.worlds % (100 if self._is_random else 10) == 0:
                    tell(f"{self.totals.worlds} seeds, {len(self.totals.violations)} violations")
        return self.totals

    def _save(self) -> None:
        self._cursor.parent.mkdir(parents=True, exist_ok=True)
        saved = {each.name: getattr(self.totals, each.name) for each in fields(Totals)}
        new = self._cursor.with_suffix(".new")
        new.write_text(json.dumps(saved))
        new.replace(self._cursor)


def _collect_seldom() -> None:
    """Look for rings of objects less often: a year makes millions of values and hardly a ring."""
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)
