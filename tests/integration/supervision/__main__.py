"""Print what supervision costs here: `python -m tests.integration.supervision`."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from tests.integration.supervision.bench import Bench
from tests.integration.supervision.test_budget import (
    NOT_THEIRS,
    SUPERVISION,
    lines_of_code,
    measure_memory,
    measure_start,
)


def main() -> None:
    """Measure lines, memory and the time of a start, and print them."""
    files = [path for path in SUPERVISION.glob("*.py") if path.name not in NOT_THEIRS]
    print(f"lines of code        {sum(map(lines_of_code, files))}")
    launchers, private = [], []
    for _ in range(5):
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(Path(folder))
            launcher, found = measure_memory(bench, 20)
            bench.close()
        launchers.append(launcher)
        private += found
    print(f"launcher, resident   {max(launchers)} KiB at most")
    print(f"supervisor, private  {statistics.median(private):.0f} KiB, {max(private)} at most")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        supervised, bare = measure_start(bench, 200)
        bench.close()
    print(f"start of a script    {supervised:.2f} ms, a bare spawn {bare:.2f} ms (shortest of 200)")


if __name__ == "__main__":
    main()
