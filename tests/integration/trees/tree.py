"""Random hostile trees: what they do, how they are ended, and what must come of that.

Responsible for: drawing them from a seed. One number and one seed make one tree, for ever.
"""

from __future__ import annotations

import json
import random
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from task_scheduler.core.model import Outcome

__all__ = ["LIMIT_BYTES", "Tree", "draw"]

LIMIT_BYTES = 100_000
"""How much of an output is kept in these tests."""
PROGRAM = Path(__file__).with_name("hostile.py")
_GIGABYTE = 1 << 30
_NOT_DEADLY = {
    signal.SIGCHLD, signal.SIGCONT, signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN,
    signal.SIGTTOU, signal.SIGURG, signal.SIGWINCH,
}  # fmt: skip
_DEADLY = sorted(int(number) for number in signal.valid_signals() if number not in _NOT_DEADLY)
_STEPS = ("setsid", "setpgid", "ignore", "orphan", "close", "kill_parent", "fork_at_term")
_GRACE_SECONDS = 0.2


@dataclass(frozen=True)
class Tree:
    """One tree and what is expected of its attempt."""

    number: int
    kind: str
    argv: list[str]
    mode: str
    """normal, timeout or cancel."""
    timeout_seconds: float
    outcome: Outcome
    exit_code: int | None = None
    """As the completion shall have it; None where the outcome alone is known."""
    output: dict[str, Any] = field(default_factory=lambda: {"bytes": 0, "style": "lines"})
    ready: Path | None = None
    """A file that the root makes when everything is there."""
    kill_grace_seconds: float = _GRACE_SECONDS

    @property
    def tag(self) -> str:
        """Return what every process of it has in its environment."""
        return f"hostile-tree-{self.number}"


def draw(seed: str, number: int, folder: Path) -> Tree:
    """Return tree `number` of a seed, whose files lie in `folder`."""
    rng = random.Random(f"{seed}/{number}")
    kind = rng.choices(
        ["normal", "timeout", "cancel", "mutiny", "regicide", "broken", "flood", "stopped"],
        [34, 22, 22, 6, 4, 9, 2.5, 0.5],
    )[0]
    if kind == "broken":
        return _broken(rng, number, folder)
    output: dict[str, Any] = {
        "bytes": rng.choice([0, 10, 1_000, 65_536, 100_000, 100_001, 300_000])
    }
    output["style"] = rng.choice(["lines", "no_newline", "nul"])
    if kind == "flood":
        output["bytes"] = rng.choice([20 << 20, 20 << 20, 20 << 20, 20 << 20, _GIGABYTE])
    ready = folder / f"ready-{number}"
    root: dict[str, Any] = {
        "steps": [step for step in ("ignore", "fork_at_term") if rng.random() < 0.25],
        "output": output,
        "children": _children(rng, number, depth=2),
        "ready": str(ready),
    }
    mode, outcome, code, root["end"] = _end(rng, kind, root)
    return Tree(
        number,
        kind,
        [sys.executable, "-I", "-S", str(PROGRAM), json.dumps(root)],
        mode,
        timeout_seconds=rng.uniform(0.8, 1.5) if mode == "timeout" else 60,
        outcome=outcome,
        exit_code=code,
        output=output,
        ready=ready,
    )


def _end(
    rng: random.Random, kind: str, root: dict[str, Any]
) -> tuple[str, Outcome, int | None, list[Any]]:
    """Return how the root of a tree ends, and what comes of it."""
    if kind in ("timeout", "cancel"):
        ends: list[list[Any]] = [["linger"], ["linger"], ["stop"], ["breed", 0.002]]
        end = rng.choice(ends)
        outcome = Outcome.TIMED_OUT if kind == "timeout" else Outcome.CANCELLED
        return kind, outcome, None, end
    if kind == "mutiny":
        if rng.random() < 0.2:
            return "normal", Outcome.CANCELLED, None, ["strike", int(signal.SIGTERM)]
        return "normal", Outcome.LOST, None, ["strike", int(signal.SIGKILL)]
    if kind == "stopped":
        return "normal", Outcome.SUCCEEDED, 0, ["strike", int(signal.SIGSTOP)]
    if kind == "regicide":
        killer = {"steps": [], "children": [], "end": ["kill_parent", int(signal.SIGKILL)]}
        root["children"].append(killer)
        return "normal", Outcome.FAILED, -int(signal.SIGKILL), ["linger"]
    if rng.random() < 0.5:
        code = rng.choice([0, 0, 1, 2, 126, 127, 255])
        return "normal", Outcome.FAILED if code else Outcome.SUCCEEDED, code, ["exit", code]
    number = rng.choice(_DEADLY)
    return "normal", Outcome.FAILED, -number, ["signal", number]


def _children(rng: random.Random, number: int, depth: int) -> list[dict[str, Any]]:
    if not depth:
        return []
    return [_child(rng, number, depth) for _ in range(rng.choice([0, 1, 1, 2, 3]))]


def _child(rng: random.Random, number: int, depth: int) -> dict[str, Any]:
    steps = rng.sample(_STEPS, k=rng.choice([0, 1, 2, 3, 4]))
    if depth == 2 and "kill_parent" in steps:
        # Its parent is the root: that is another kind of tree.
        steps.remove("kill_parent")
    end = rng.choice(
        [
            ["linger"],
            ["linger"],
            ["linger"],
            ["exit", 0],
            ["signal", rng.choice(_DEADLY)],
            ["stop"],
            ["hop", rng.uniform(0.0005, 0.005)],
            ["breed", rng.uniform(0.002, 0.01)],
            # A number of seconds that nobody else sleeps.
            ["wipe", f"{1_000_000 + number}.25"],
        ]
    )
    return {"steps": steps, "children": _children(rng, number, depth - 1), "end": end}


def _broken(rng: random.Random, number: int, folder: Path) -> Tree:
    """Return a program that cannot be started."""
    path = folder / f"broken-{number}"
    kind, content, mode, code = rng.choice(
        [
            ("missing", None, 0, 127),
            ("deleted", None, 0, 2),
            ("not_executable", "#!/bin/sh\n", 0o644, 126),
            ("wrong_first_line", "#!/no/such/interpreter\n", 0o755, 127),
            ("carriage_return", "#!/bin/sh\r\nexit 0\r\n", 0o755, 127),
            ("empty", "", 0o755, 126),
            ("no_first_line", "exit 0\n", 0o755, 126),
            ("binary", "\0\1\2\3", 0o755, 126),
        ]
    )
    if content is not None:
        path.write_text(content)
        path.chmod(mode)
    argv = [sys.executable, "-I", "-S", str(path)] if kind == "deleted" else [str(path)]
    return Tree(
        number, kind, argv, "normal", 60, Outcome.FAILED, exit_code=code, output={"style": "any"}
    )
