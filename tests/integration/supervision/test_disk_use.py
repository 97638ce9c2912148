"""What a program reads from disks and writes to them, with its whole tree: as the kernel counts."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from task_scheduler.core.model import Outcome
from tests.integration.supervision.bench import Bench

_MEGABYTE = 1 << 20
WRITES = """
import os, subprocess, sys
def write(name, count):
    with open(name, "wb") as file:
        file.write(os.urandom(count << 20))
        file.flush()
        os.fsync(file.fileno())
write(sys.argv[1], 4)
if len(sys.argv) == 3:
    subprocess.run([sys.executable, __file__, sys.argv[2]], check=True)
"""


def counted(argv: list[str]) -> int:
    """Return the bytes that the kernel counts for a program that is run without us."""
    pid = os.spawnv(os.P_NOWAIT, argv[0], argv)
    _, status, usage = os.wait4(pid, 0)
    assert status == 0
    return usage.ru_oublock * 512


def test_what_the_whole_tree_writes_is_counted(bench: Bench, tmp_path: Path) -> None:
    script = tmp_path / "writes.py"
    script.write_text(WRITES)
    argv = [sys.executable, str(script), str(tmp_path / "a"), str(tmp_path / "b")]
    expected = counted(argv)

    end = bench.run(argv)

    assert end.outcome is Outcome.SUCCEEDED
    assert end.written_bytes is not None
    # Where no disk lies under the folder the kernel counts none, for us as for the other.
    assert abs(end.written_bytes - expected) <= _MEGABYTE
    assert expected == 0 or end.written_bytes >= 8 * _MEGABYTE
    assert end.read_bytes is not None
    assert end.read_bytes >= 0


def test_a_program_that_touches_no_disk_has_used_none(bench: Bench) -> None:
    end = bench.run(["sh", "-c", "exit 0"])

    assert end.written_bytes is not None
    assert end.written_bytes < _MEGABYTE
