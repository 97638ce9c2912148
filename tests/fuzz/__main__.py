"""``scripts/fuzz``: the full tier, which goes on where the same seed stopped.

Responsible for: the count of each reader, kept in a file of its own, and for what no process can
tell of itself: that it was killed by an input, or holds on to one without an end.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fuzz.campaign import HANG_SECONDS, Tally, fuzz, input_of, watch_for_hangs
from tests.fuzz.targets import TARGETS

_STRIDE = 1_000
_CONFIDENT = 3.0
"""None in n: the rate is below 3/n, with 95 % confidence."""
_LOOK_SECONDS = 0.2
_SHOWN = 20


def main() -> int:
    """Fuzz, and print a line a reader and one of all; 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000_000, help="of all readers together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", choices=TARGETS, action="append", help="only this reader")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at the same time")
    parser.add_argument("--number", type=int, help="read this one input and show it")
    parser.add_argument("--folder", type=Path, default=Path("/tmp/task-scheduler-fuzz"))
    options = parser.parse_args()
    targets = options.target or list(TARGETS)
    if options.number is not None:
        for target in targets:
            print(repr(input_of(target, options.seed, options.number)))
            TARGETS[target].read(input_of(target, options.seed, options.number))
        return 0
    options.folder.mkdir(parents=True, exist_ok=True)
    share = options.inputs // len(targets)
    counts = [Count(target, options.seed, options.folder) for target in targets]
    _work([_Reader(count, share) for count in counts], options.jobs)
    for line in report(counts):
        print(line)
    return int(any(count.load().findings for count in counts))


@dataclass(frozen=True)
class Count:
    """What became of the inputs of one reader so far, in a file."""

    target: str
    seed: int
    folder: Path

    @property
    def path(self) -> Path:
        """Return where it is kept."""
        return self.folder / f"{self.target}-{self.seed}.json"

    def load(self) -> Tally:
        """Return it; nothing where there is none."""
        known = json.loads(self.path.read_text()) if self.path.exists() else {}
        return Tally(**known)

    def add(self, tally: Tally) -> None:
        """Add inputs that followed those that are counted."""
        known = self.load()
        worst = max(known, tally, key=lambda each: each.slowest)
        whole = Tally(
            known.inputs + tally.inputs,
            known.refused + tally.refused,
            worst.slowest,
            worst.slowest_number,
            known.findings + tally.findings,
        )
        scratch = self.path.with_suffix(".new")
        scratch.write_text(json.dumps(dataclasses.asdict(whole)))
        scratch.replace(self.path)


def report(counts: Sequence[Count]) -> list[str]:
    """Return a line a reader, with what was found, and one of all."""
    lines, whole = [], Tally()
    for count in counts:
        tally = count.load()
        lines.append(_line(count.target, tally))
        lines += [f"    scripts/fuzz --target {found}" for found in tally.findings[:_SHOWN]]
        whole.inputs += tally.inputs
        whole.refused += tally.refused
        whole.slowest = max(whole.slowest, tally.slowest)
        whole.findings += tally.findings
    return [*lines, _line("all", whole)]


def _line(name: str, tally: Tally) -> str:
    is_clean = tally.inputs and not tally.findings
    bound = f", 95 %: below {_CONFIDENT / tally.inputs:.1e} an input" if is_clean else ""
    return (
        f"{name:<12} {tally.inputs:>9} inputs, {tally.refused:>9} refused,"
        f" slowest {tally.slowest * 1_000:6.1f} ms, {len(tally.findings)} findings{bound}"
    )


@dataclass
class _Reader:
    """One reader on its way to its share, in a process of its own, one after another if need be."""

    count: Count
    share: int
    process: Any = None
    number: Any = field(default_factory=lambda: multiprocessing.Value("q", -1))
    """The input that is being read."""
    fatal: dict[int, str] = field(default_factory=dict)
    """What ended a process, by its number."""
    seen: int = -1
    since: float = 0.0

    def is_done(self) -> bool:
        return self.count.load().inputs >= self.share

    def start(self) -> None:
        self.seen, self.since = -1, time.monotonic()
        arguments = (self.count, self.share, self.number, self.fatal)
        self.process = multiprocessing.Process(target=_read, args=arguments)
        self.process.start()

    def look(self) -> bool:
        """Look after the process; return whether there is still one."""
        if self.number.value != self.seen:
            self.seen, self.since = self.number.value, time.monotonic()
        elif time.monotonic() - self.since > 2 * HANG_SECONDS:
            # Python itself does not come back to hear the alarm.
            self.process.kill()
        if self.process.is_alive():
            return True
        self.process.join()
        if self.process.exitcode:
            # The next process reads what was read and not counted again, and leaves this one out.
            self.fatal[self.number.value] = f"ended the process with {self.process.exitcode}"
        self.process = None
        return False


def _work(readers: list[_Reader], jobs: int) -> None:
    waiting, running = [reader for reader in readers if not reader.is_done()], list[_Reader]()
    while waiting or running:
        while waiting and len(running) < jobs:
            running.append(waiting.pop(0))
            running[-1].start()
        time.sleep(_LOOK_SECONDS)
        for reader in [reader for reader in running if not reader.look()]:
            running.remove(reader)
            if not reader.is_done():
                waiting.insert(0, reader)


def _read(count: Count, share: int, number: Any, fatal: Mapping[int, str]) -> None:
    """Fuzz one reader up to its share."""
    watch_for_hangs()

    def begin(current: int) -> None:
        number.value = current

    while (done := count.load().inputs) < share:
        if done in fatal:
            name = f"{count.target} --seed {count.seed} --number {done}"
            count.add(Tally(1, findings=[f"{name}: {fatal[done]}"]))
            continue
        end = min([share, done + _STRIDE, *(at for at in fatal if at > done)])
        count.add(fuzz(count.target, seed=count.seed, first=done, count=end - done, begin=begin))


if __name__ == "__main__":
    sys.exit(main())
