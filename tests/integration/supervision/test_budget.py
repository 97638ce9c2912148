"""What supervision may cost: lines, imports, memory.

The time of a start is measured too, by `python -m tests.integration.supervision`, and judged by
nobody here: on a busy machine it says nothing of the code.
"""

from __future__ import annotations

import ast
import statistics
import subprocess
import sys
import time
import tokenize
from collections.abc import Callable
from pathlib import Path

from tests.integration.supervision.bench import Bench

ROOT = Path(__file__).parents[3]
SUPERVISION = ROOT / "task_scheduler" / "supervision"
NOT_THEIRS = {
    "attempt_folder.py",
    "doorbell.py",
    "launcher_client.py",
    "outgoing_order.py",
    "preload.py",
    "signals.py",
    "survivors.py",
    "template.py",
    "template_client.py",
    "warm_check.py",
    "warm_end.py",
    "warm_files.py",
    "warm_script.py",
    "warm_start.py",
}
"""These run in the scheduler, or in a warm template."""
MOST_LINES = 1_000
"""What is added has to be taken away elsewhere."""
LAUNCHER_KB = 14 * 1024
SUPERVISOR_KB = 1_000_000 // 1024


def lines_of_code(path: Path) -> int:
    """Return the number of lines that hold code: no blank ones, comments and docstrings."""
    skipped = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    skipped |= {tokenize.ENCODING, tokenize.ENDMARKER}
    lines: set[int] = set()
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type not in skipped:
                lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        # A string that stands for itself documents what is before it, or around it.
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            lines.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def test_launcher_and_supervisor_are_small_enough_to_be_read() -> None:
    files = [path for path in SUPERVISION.glob("*.py") if path.name not in NOT_THEIRS]

    assert sum(map(lines_of_code, files)) <= MOST_LINES


def test_launcher_and_supervisor_load_the_standard_library_and_their_own_alone() -> None:
    code = (
        f"import sys; sys.path.append({str(ROOT)!r}); import task_scheduler.supervision.launcher;"
        " print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()

    ours = {name for name in loaded if name.partition(".")[0] == "task_scheduler"}
    # The package names its version and loads nothing else by itself.
    theirs = {"task_scheduler", "task_scheduler.version", "task_scheduler.clock"}
    theirs.add("task_scheduler.supervision")
    strange = {name for name in ours - theirs if not name.startswith("task_scheduler.supervision.")}
    others = {name.partition(".")[0] for name in loaded} - set(sys.stdlib_module_names)
    assert strange == set()
    assert others <= {"__main__", "task_scheduler"}
    assert {f"task_scheduler.supervision.{name[:-3]}" for name in NOT_THEIRS}.isdisjoint(ours)


def memory_of(pid: int | None) -> dict[str, int]:
    """Return what the system says of a process's memory, in KiB."""
    found: dict[str, int] = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, value = line.split()[:2]
        found[name.rstrip(":")] = int(value)
    return found


def measure_memory(bench: Bench, count: int) -> tuple[int, list[int]]:
    """Return the launcher's resident memory, and what each supervisor has for itself, in KiB."""
    claims = [bench.launch(["sleep", "60"]) for _ in range(count)]
    supervisors = [bench.supervisor_of(claim) for claim in claims]
    # They have settled once they looked at their trees.
    time.sleep(1)
    private = []
    for pid in supervisors:
        memory = memory_of(pid)
        private.append(memory["Private_Clean"] + memory["Private_Dirty"])
    launcher = memory_of(bench.executor.launcher.pid)["Rss"]
    bench.executor.kill_all()
    for claim in claims:
        bench.end_of(claim)
    return launcher, private


def measure_start(bench: Bench, count: int) -> tuple[float, float]:
    """Return the milliseconds to a script's first instructions, supervised and as a bare spawn.

    The shortest of each: what a busy machine adds is not what supervision costs.
    """
    clock = ["/bin/date", "+%s.%N"]
    bench.run(clock)
    supervised, bare = [], []
    for _ in range(count):
        began = time.time()
        claim = bench.launch(clock)
        bench.end_of(claim)
        supervised.append(float(bench.output_of(claim)) - began)
        began = time.time()
        told = subprocess.run(clock, capture_output=True, check=True).stdout
        bare.append(float(told) - began)
    return min(supervised) * 1_000, min(bare) * 1_000


def test_launcher_and_supervisors_take_little_memory(
    new_bench: Callable[..., Bench], tmp_path: Path
) -> None:
    # How objects lie in memory is drawn anew for each launcher, and the first one may have to
    # compile what it loads.
    measured = []
    for name in ("first", "second", "third"):
        (tmp_path / name).mkdir()
        measured.append(measure_memory(new_bench(tmp_path / name), 6))

    assert statistics.median(launcher for launcher, _ in measured) <= LAUNCHER_KB
    assert statistics.median(kb for _, private in measured for kb in private) <= SUPERVISOR_KB
