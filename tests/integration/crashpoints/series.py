"""A series of trials: its points, its lanes, and the results that are there already.

Responsible for: counting once, trying each point once however often the series is broken off, and
keeping the folder of a trial in which something is wrong.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.integration.crashpoints import trial
from tests.integration.crashpoints.points import Enumeration, Point, enumerate_points
from tests.integration.crashpoints.program import preload
from tests.integration.crashpoints.scenarios import SCENARIOS

_TELL_SECONDS = 30.0
_LIVES = 5
"""How many are counted before every point is tried."""


class Series:
    """The points of some scenarios, in a folder of their own."""

    def __init__(self, folder: Path, *, keeps_cursor: bool) -> None:
        self._folder = folder
        self._lives = _LIVES if keeps_cursor else 1
        if not keeps_cursor:
            shutil.rmtree(folder, ignore_errors=True)
        self.points: list[Point] = []
        self.merged = 0
        folder.mkdir(parents=True, exist_ok=True)
        preload()
        for name in sorted(SCENARIOS):
            self._load(name)

    def choose(self, seed: str, *, only: str, sample: int | None) -> list[Point]:
        """Return the points to try, in an order that the seed draws."""
        pattern = re.compile(only)
        matching = [p for p in self.points if pattern.search(f"{p.name} {p.target}")]
        order = random.Random(seed).sample(matching, len(matching))
        return order[: len(order) if sample is None else sample]

    def run(self, chosen: Sequence[Point], *, lanes: int) -> dict[str, dict[str, Any]]:
        """Try what has no result yet; return the results of all by the names of the points."""
        done = self._results()
        left = [point for point in chosen if not done.get(point.name, {}).get("is_covered")]
        if len(left) < len(chosen):
            print(f"goes on after {len(chosen) - len(left)} of {len(chosen)} points", flush=True)
        pids = [self._fork(number, left[number::lanes]) for number in range(lanes)]
        for pid in pids:
            _, status = os.waitpid(pid, 0)
            if status:
                raise SystemExit(f"a lane broke off: {os.waitstatus_to_exitcode(status)}")
        results = self._results()
        return {point.name: results[point.name] for point in chosen}

    def _load(self, name: str) -> None:
        """Take the points of a scenario from the cursor, or count them in an undisturbed life."""
        path = self._folder / f"points-{name}.json"
        if path.exists():
            saved = json.loads(path.read_text())
            self.points += [Point.of_plain(values) for values in saved["points"]]
            self.merged += saved["merged"]
            return
        points, merged = self._count(name)
        text = json.dumps({"points": [point.plain() for point in points], "merged": merged})
        path.with_suffix(".new").write_text(text)
        path.with_suffix(".new").replace(path)
        self.points += points
        self.merged += merged

    def _count(self, name: str) -> tuple[list[Point], int]:
        """Return the points of the lives with the fewest calls, thread by thread.

        A life makes a few calls more or less, as what arrives together is done together. What the
        shortest one does, every one does.
        """
        fewest: dict[str, Enumeration] = {}
        for _ in range(self._lives):
            logs = trial.count(SCENARIOS[name], self._folder / f"counted-{name}")
            for actor, log in sorted(logs.items()):
                found = enumerate_points(name, actor, log)
                known = fewest.get(actor)
                if known is None or len(found.points) < len(known.points):
                    fewest[actor] = found
        points = [point for found in fewest.values() for point in found.points]
        return points, sum(found.merged for found in fewest.values())

    def _fork(self, number: int, points: Sequence[Point]) -> int:
        """Start a lane: a process of one thread, which forks the lives of its trials."""
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                self._try(number, points)
                status = 0
            except BaseException:
                traceback.print_exc()
                raise
            finally:
                os._exit(status)
        return pid

    def _try(self, number: int, points: Sequence[Point]) -> None:
        told = time.monotonic()
        wrong = 0
        path = self._folder / f"results-{number}.jsonl"
        with path.open("a", buffering=1) as results:
            for index, point in enumerate(points, 1):
                folder = self._folder / f"lane-{number}"
                result = trial.attempt(SCENARIOS[point.scenario], folder, point)
                if result.violations:
                    wrong += 1
                    self._keep(folder, point)
                values = {
                    "name": point.name,
                    "is_covered": result.is_covered,
                    "violations": result.violations,
                    "seconds": round(result.seconds, 2),
                }
                results.write(json.dumps(values) + "\n")
                if time.monotonic() - told > _TELL_SECONDS or index == len(points):
                    told = time.monotonic()
                    moment = time.strftime("%H:%M:%S")
                    print(
                        f"{moment} lane {number}: {index}/{len(points)}, {wrong} wrong", flush=True
                    )
        shutil.rmtree(self._folder / f"lane-{number}", ignore_errors=True)

    def _keep(self, folder: Path, point: Point) -> None:
        kept = self._folder / "wrong" / point.name.replace(":", "-")
        shutil.rmtree(kept, ignore_errors=True)
        kept.parent.mkdir(exist_ok=True)
        shutil.copytree(folder, kept, ignore=shutil.ignore_patterns("*.sock", "*.bell"))

    def _results(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for path in sorted(self._folder.glob("results-*.jsonl")):
            for line in path.read_text().splitlines():
                values = json.loads(line)
                found[values["name"]] = values
        return found
