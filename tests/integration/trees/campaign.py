"""Rounds of hostile trees under one executor, and what an outsider sees of them afterwards.

Responsible for: launching, cancelling, and the judgement: outcome, output, survivors, remnants,
lateness. Survivors are looked for by means that supervision does not have: a mark in arguments, a
variable in the environment, children of the launcher.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from task_scheduler.core.model import Claim, Completion, Outcome
from tests.integration.supervision.bench import Bench
from tests.integration.trees.tree import LIMIT_BYTES, Tree, draw

__all__ = ["Campaign", "Report", "tagged"]

_PATIENCE_SECONDS = 60.0
_SECOND = 1_000_000
_VARIABLE = "HOSTILE_TREE"
_BLOCKS = {"lines": b"0123456789abcde\n", "no_newline": b"x", "nul": b"\0"}


@dataclass
class Report:
    """What came of the trees so far."""

    trees: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    slowest: float = 0.0
    """Seconds from the end that was asked for, the grace left out, to an empty tree."""

    def add(self, other: Report) -> None:
        """Take in the figures of another report."""
        self.trees += other.trees
        self.kinds = dict(Counter(self.kinds) + Counter(other.kinds))
        self.violations += other.violations
        self.slowest = max(self.slowest, other.slowest)


class Campaign:
    """One round: so many trees at once."""

    def __init__(self, folder: Path, seed: str, numbers: range) -> None:
        folder.mkdir(parents=True)
        self._bench = Bench(folder, output_limit_bytes=LIMIT_BYTES)
        self._trees = [draw(seed, number, folder) for number in numbers]
        self._claims: dict[int, Claim] = {}
        self._cancelled_at: dict[int, int] = {}
        self.report = Report()

    def run(self) -> Report:
        """Grow them all, end them, and judge."""
        report = self.report
        for tree in self._trees:
            self._claims[tree.number] = self._bench.launch(
                tree.argv,
                env={_VARIABLE: tree.tag},
                timeout_seconds=tree.timeout_seconds,
                kill_grace_seconds=tree.kill_grace_seconds,
            )
        self._end_all()
        # Whatever still lives, lives: the completions say that nothing does.
        survivors = tagged()
        for tree in self._trees:
            report.trees += 1
            report.kinds[tree.kind] = report.kinds.get(tree.kind, 0) + 1
            found = self._judge(tree)
            found += [f"{pid} survives: {shown}" for pid, shown in survivors.get(tree.tag, ())]
            report.violations += [f"tree {tree.number} ({tree.kind}): {text}" for text in found]
        report.violations += self._remnants()
        self._bench.close()
        return report

    def _end_all(self) -> None:
        """Cancel what is to be cancelled as soon as it is there; wait until all have ended."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        waiting = {tree.number: tree for tree in self._trees if tree.mode == "cancel"}
        while time.monotonic() < deadline:
            for number, tree in list(waiting.items()):
                if tree.ready is not None and tree.ready.exists():
                    self._cancelled_at[number] = time.time_ns() // 1_000
                    self._bench.executor.cancel(self._claims[number], "enough")
                    del waiting[number]
            if self._bench.executor.running_count() == 0:
                return
            time.sleep(0.005)

    def _judge(self, tree: Tree) -> list[str]:
        claim = self._claims[tree.number]
        ends = [end for end in self._bench.completions if end.run_id == claim.run_id]
        if len(ends) != 1:
            return [f"{len(ends)} completions within {_PATIENCE_SECONDS:g} s"]
        end = ends[0]
        found = []
        if end.outcome is not tree.outcome:
            found.append(f"{end.outcome} instead of {tree.outcome}: {end.error}")
        elif tree.exit_code is not None and end.exit_code != tree.exit_code:
            found.append(f"exit code {end.exit_code} instead of {tree.exit_code}")
        if end.outcome is not Outcome.LOST:
            found += self._judge_output(tree, claim)
            found += self._judge_lateness(tree, end)
        return found

    def _judge_lateness(self, tree: Tree, end: Completion) -> list[str]:
        if tree.mode == "timeout":
            asked_at = end.started_at + round(tree.timeout_seconds * _SECOND)
        elif tree.number in self._cancelled_at:
            asked_at = self._cancelled_at[tree.number]
        else:
            return []
        seconds = (end.ended_at - asked_at) / _SECOND - tree.kill_grace_seconds
        self.report.slowest = max(self.report.slowest, seconds)
        return [f"gone only {seconds:.2f} s after its grace"] if seconds > 1 else []

    def _judge_output(self, tree: Tree, claim: Claim) -> list[str]:
        path = self._bench.executor.output_path(claim)
        record = json.loads(path.with_name("exit.json").read_bytes())
        total = record["output_bytes"]
        style, expected = tree.output["style"], tree.output.get("bytes")
        found = []
        is_whole = tree.mode != "timeout" or (tree.ready is not None and tree.ready.exists())
        if expected is not None and is_whole and total != expected:
            found.append(f"{total} bytes of output instead of {expected}")
        if record["is_truncated"] != (total > LIMIT_BYTES):
            found.append(f"is_truncated is {record['is_truncated']} at {total} bytes")
        if style in _BLOCKS:
            block = _BLOCKS[style]
            kept = min(total, LIMIT_BYTES)
            content = path.read_bytes()
            if content[:kept] != (block * (kept // len(block) + 1))[:kept]:
                found.append("the output holds other bytes than were written")
            mark = content[kept:]
            if bool(mark) != record["is_truncated"]:
                found.append(f"the mark is {mark!r}")
        return found

    def _remnants(self) -> list[str]:
        """Name what the launcher has not reaped."""
        launcher = self._bench.executor.launcher.pid
        for _ in range(200):
            children = _children_of(launcher)
            if not children:
                return []
            time.sleep(0.005)
        return [f"the launcher still has children: {children}"]


def _children_of(pid: int | None) -> list[str]:
    try:
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []


def tagged() -> dict[str, list[tuple[int, str]]]:
    """Return every process, remnants too, that belongs to a tree, by the tag of the tree."""
    found: dict[str, list[tuple[int, str]]] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            environ = (folder / "environ").read_bytes().split(b"\0")
            arguments = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        tag = next((word[13:] for word in environ if word.startswith(b"HOSTILE_TREE=")), b"")
        if arguments[0] == b"sleep" and arguments[1].endswith(b".25"):
            number = int(arguments[1].partition(b".")[0]) - 1_000_000
            tag = b"hostile-tree-%d" % number
        if tag:
            shown = b" ".join(arguments)[:80].decode("utf-8", "replace")
            found.setdefault(tag.decode(), []).append((int(folder.name), shown))
    return found
