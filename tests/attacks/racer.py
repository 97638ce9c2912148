"""The swap racer: files, folders and links change places as fast as they can while they are opened.

Responsible for: one process that swaps, one that opens and executes through the checked way, and
the count of what was got. Only the good script may ever be got; a refusal is fine.

    python -m tests.attacks.racer --iterations 1000000 --seed 7
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import hashlib
import json
import mmap
import os
import random
import shutil
import signal
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from task_scheduler.confinement.plan import confine
from task_scheduler.confinement.refusal import StartRefusedError
from task_scheduler.confinement.script_file import copy_sealed, open_checked

__all__ = ["Report", "race"]

GOOD, EVIL = b"exit 7\n", b"touch %s; exit 66\n"
_GOOD_CODE, _EVIL_CODE, _REFUSED_CODE = 7, 66, 99
_EXCHANGE = 2
_PINNED_EVERY = 10
"""Each so many iterations the script is pinned, and what lies beside it is as well kept as it."""


@dataclass
class Report:
    """What a race came to."""

    iterations: int = 0
    executions: int = 0
    swaps: int = 0
    seconds: float = 0.0
    naive_evil: int = 0
    """How often a check by name and an opening after it got the evil one."""
    naive: int = 0
    got: Counter[str] = field(default_factory=Counter)

    @property
    def evil(self) -> int:
        """How often the evil one was got, or ran."""
        return self.got["evil"] + self.got["ran evil"] + self.got["canary"]

    def lines(self) -> Iterator[str]:
        """Give the report."""
        tried = self.iterations + self.executions
        yield f"{self.iterations} openings and {self.executions} executions in {self.seconds:.1f} s"
        yield f"{self.swaps} swaps beside them"
        yield from (f"  {count:>9}  {what}" for what, count in sorted(self.got.items()))
        yield f"without the check: the evil one in {self.naive_evil} of {self.naive}"
        bound = f" (95 %: below {3 / tried:.1e} a try)" if tried and not self.evil else ""
        yield f"the evil one was got {self.evil} times{bound}"


class Arena:
    """A folder with a good script, evil ones around it, and the pairs that change places."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.canary = folder / "canary"
        self.root, outside = folder / "root", folder / "outside"
        inner = self.root / "in"
        for place in (self.root, outside, inner, self.root / "kept"):
            place.mkdir(mode=0o755)
        evil = EVIL % bytes(self.canary)
        self.script, self.pinned = inner / "job.sh", self.root / "kept" / "job.sh"
        self.digest = hashlib.sha256(GOOD).hexdigest()
        for path, content, mode in (
            (self.script, GOOD, 0o755),
            (inner / "open.sh", evil, 0o777),
            (outside / "job.sh", evil, 0o755),
            (self.pinned, GOOD, 0o755),
            (self.root / "kept" / "other.sh", evil, 0o755),
        ):
            path.write_bytes(content)
            path.chmod(mode)
        (inner / "link.sh").symlink_to(outside / "job.sh")
        (self.root / "link").symlink_to(outside)
        self.pairs = [
            (self.script, inner / "open.sh"),
            (self.script, inner / "link.sh"),
            (inner, self.root / "link"),
            (self.pinned, self.root / "kept" / "other.sh"),
        ]

    def swap_for_ever(self, seed: int, count: mmap.mmap) -> None:
        """Exchange pairs, one after another, and count it."""
        exchange = ctypes.CDLL(None).renameat2
        pairs = [(-100, bytes(one), -100, bytes(other), _EXCHANGE) for one, other in self.pairs]
        dice = random.Random(seed)
        parent = os.getppid()
        done = 0
        while os.getppid() == parent:
            pair = pairs[dice.randrange(len(pairs))]
            for _ in range(2):
                # There and back: the good one is at its place about half of the time.
                exchange(*pair)
                if dice.random() < 0.3:
                    os.sched_yield()
            done += 2
            count[:8] = struct.pack("q", done)


def race(*, iterations: int, executions: int, seed: int, naive: int = 0) -> Report:
    """Open and execute while another process swaps; return what was got."""
    folder = Path(tempfile.mkdtemp(prefix="racer-"))
    folder.chmod(0o755)
    count = mmap.mmap(-1, 8)
    pid = 0
    report = Report(iterations, executions, naive=naive)
    try:
        arena = Arena(folder)
        pid = os.fork()
        if pid == 0:
            try:
                arena.swap_for_ever(seed, count)
            finally:
                os._exit(0)
        began = time.monotonic()
        for number in range(iterations):
            report.got[_opened(arena, is_pinned=number % _PINNED_EVERY == 0)] += 1
        for number in range(executions):
            report.got[_executed(arena, is_pinned=number % _PINNED_EVERY == 0)] += 1
        report.seconds = time.monotonic() - began
        report.naive_evil = sum(_naive(arena) for _ in range(naive))
        report.got["canary"] += arena.canary.exists()
        report.got += Counter()
    finally:
        if pid:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        (report.swaps,) = struct.unpack("q", count[:8])
        shutil.rmtree(folder)
    return report


def _opened(arena: Arena, *, is_pinned: bool) -> str:
    try:
        if is_pinned:
            descriptor, _ = open_checked(str(arena.pinned), digest=arena.digest)
            descriptor = copy_sealed(descriptor, "job", arena.digest)
        else:
            descriptor, _ = open_checked(str(arena.script), roots=[str(arena.root)])
    except StartRefusedError as refusal:
        return f"refused: {refusal.reason}"
    try:
        return "good" if os.read(descriptor, 100) == GOOD else "evil"
    finally:
        os.close(descriptor)


def _executed(arena: Arena, *, is_pinned: bool) -> str:
    """Let a process confine itself and become the script; return what that did."""
    path = arena.pinned if is_pinned else arena.script
    plan = {
        "script": {
            "path": str(path),
            "place": 1,
            "roots": [str(arena.root)],
            "sha256": arena.digest if is_pinned else None,
        }
    }
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            try:
                argv, _ = confine(plan, [b"/bin/sh", bytes(path)])
            except StartRefusedError:
                os._exit(_REFUSED_CODE)
            os.execve(argv[0], argv, {})
        os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    names = {_GOOD_CODE: "ran good", _EVIL_CODE: "ran evil", _REFUSED_CODE: "not run: refused"}
    return names.get(code, f"ended with {code}")


def _naive(arena: Arena) -> bool:
    """Do what one would do without the care: look, and then open; whether that got the evil one."""
    path = arena.script
    try:
        found = path.lstat()
        real = path.resolve(strict=True)
        if found.st_mode & 0o022 or not real.is_relative_to(arena.root) or path.is_symlink():
            return False
        return path.read_bytes() != GOOD
    except OSError:
        return False


def main(arguments: list[str] | None = None, say: Callable[[str], object] = print) -> int:
    """Race, print the report, and return 1 if the evil one was ever got."""
    parser = argparse.ArgumentParser(prog="scripts/racer", description=__doc__)
    parser.add_argument("--iterations", type=int, default=100_000, metavar="N")
    parser.add_argument("--executions", type=int, default=500, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    report = race(
        iterations=given.iterations, executions=given.executions, seed=given.seed, naive=2_000
    )
    if given.json:
        say(json.dumps({**vars(report), "evil": report.evil}))
    else:
        for line in report.lines():
            say(line)
    return int(report.evil > 0)


if __name__ == "__main__":
    sys.exit(main())
