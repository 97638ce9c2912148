"""What a program writes: kept up to a limit, whatever it is, and never in its way."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from task_scheduler.core.model import Outcome
from tests.integration.supervision.bench import Bench, eventually

ROOT = Path(__file__).parents[3]


def test_output_can_be_read_while_the_program_runs(bench: Bench) -> None:
    claim = bench.launch(["sh", "-c", "printf half; sleep 60"])

    eventually("the first half", lambda: bench.output_of(claim) == b"half")

    assert bench.executor.running_count() == 1


def test_ten_megabytes_without_a_newline_are_cut_and_marked(bench: Bench) -> None:
    argv = bench.program(
        """
        import os
        for _ in range(160): os.write(1, b"x" * 65536)
        """
    )
    claim = bench.launch(argv)

    end = bench.end_of(claim)
    kept = bench.output_of(claim)

    assert end.outcome is Outcome.SUCCEEDED
    assert kept[:1_000_000] == b"x" * 1_000_000
    assert kept[1_000_000:] == b"\n[the output goes on; only its first 1000000 bytes are kept]\n"
    record = json.loads((bench.executor.output_path(claim).parent / "exit.json").read_text())
    assert (record["output_bytes"], record["is_truncated"]) == (160 * 65_536, True)


def test_output_of_exactly_the_limit_is_whole(
    new_bench: Callable[..., Bench], tmp_path: Path
) -> None:
    bench = new_bench(tmp_path, output_limit_bytes=5)

    claim = bench.launch(["printf", "12345"])
    bench.end_of(claim)

    assert bench.output_of(claim) == b"12345"


def test_binary_output_is_kept_as_it_is(bench: Bench) -> None:
    argv = bench.program(
        """
        import os, hashlib
        data = bytes(range(256)) * 3000
        view = memoryview(data)
        while view: view = view[os.write(1, view):]
        raise SystemExit(4)
        """
    )
    claim = bench.launch(argv)

    end = bench.end_of(claim)

    expected = hashlib.sha256(bytes(range(256)) * 3000).hexdigest()
    assert hashlib.sha256(bench.output_of(claim)).hexdigest() == expected
    assert end.error is not None
    assert end.error.startswith("exit code 4")
    assert end.error.isprintable()


def test_a_program_that_closes_its_output_runs_on(bench: Bench) -> None:
    claim = bench.launch(["sh", "-c", "exec >&- 2>&-; sleep 0.2; echo alive > alive"])

    end = bench.end_of(claim)

    assert end.outcome is Outcome.SUCCEEDED
    assert (bench.folder / "alive").read_text() == "alive\n"


LIMITED = """
import resource, sys
from pathlib import Path
from tests.integration.supervision.bench import Bench
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
bench = Bench(Path(sys.argv[1]))
claim = bench.launch(["sh", "-c", "head -c 1000000 /dev/zero; echo went on"])
print(bench.end_of(claim).outcome)
bench.close()
"""


def test_a_disk_that_takes_no_more_does_not_end_the_program(tmp_path: Path) -> None:
    # A limit on the size of files stands for a full disk.
    told = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    record = json.loads((tmp_path / "scheduler.runs" / "1-7" / "exit.json").read_text())
    assert told.stdout == "succeeded\n", told.stderr
    assert record["output_error"] == os.strerror(errno.EFBIG)
    assert record["output_bytes"] == 1_000_008


def test_a_flood_does_not_keep_a_program_from_its_timeout(bench: Bench) -> None:
    end = bench.run(["sh", "-c", "yes"], timeout_seconds=0.5)

    assert end.outcome is Outcome.TIMED_OUT
    assert end.ended_at - end.started_at < 3_000_000
