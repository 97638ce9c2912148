"""A workshop: a copy of the package and of its tests in which one bug at a time is planted.

Responsible for: the copy, which is first on the path of the tests that run in it, the planting and
its undoing, and ending whatever a bug leaves behind. The checkout itself is never touched.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.replant.bugs import Bug

__all__ = ["Answer", "Verdict", "Workshop"]

ROOT = Path(__file__).parents[2]
_TEST_SECONDS = 40
"""A test that takes so long hangs; none of those that are run here needs a tenth of it."""
_MOST_BYTES = 4 << 30
"""Of address space: a bug that collects what it should count meets a wall here."""
_MARK = "TASK_SCHEDULER_REPLANT"
"""In the environment of all that runs in a workshop: so it is found again and ended."""
_FAILED, _NOT_COLLECTED = 1, 2


class Verdict:
    """What tests say of a planted bug."""

    CAUGHT = "caught"
    SURVIVED = "survived"
    BROKEN = "broken"
    """No test ran: the bug cannot even be imported, or there is no such test. It proves nothing."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What some tests say of a bug, the first one that failed, and what was printed."""

    verdict: str
    test: str
    seconds: float
    output: str


class Workshop:
    """A copy of the package with its tests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("task_scheduler", "tests"):
            shutil.copytree(ROOT / name, folder / name)
        for name in ("pyproject.toml", "task_scheduler.py", "task_examples.py"):
            shutil.copy2(ROOT / name, folder / name)

    @contextmanager
    def planted(self, bug: Bug) -> Iterator[None]:
        """Plant a bug, and take it out again; raises PlantingError."""
        path = bug.place(self.folder / "task_scheduler")
        whole, times = path.read_text("utf-8"), path.stat()
        path.write_text(bug.planted(whole), "utf-8")
        try:
            yield
        finally:
            path.write_text(whole, "utf-8")
            # So that the bytecode made of it before is that of this file again.
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    def ask(self, tests: Sequence[str], *options: str, seconds: float = 900) -> Answer:
        """Run tests until one fails."""
        command = ["-m", "pytest", "-x", "-q", "-rfE", "--tb=short", "-p", "no:cacheprovider"]
        command += ["-o", f"timeout={_TEST_SECONDS}", *options]
        command += [f"--basetemp={self.folder / 'temporary'}", *tests]
        code, output, took = self.run(command, seconds=seconds)
        return _answer(code, output, took)

    def run(self, command: Sequence[str], *, seconds: float) -> tuple[int | None, str, float]:
        """Run Python in the copy; return exit code (None: it hung), output and seconds."""
        begun = time.monotonic()
        mark = f"{os.getpid()}-{id(self)}"
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        # Without it the bytecode of one bug could be taken for that of the next one.
        environment |= {"PYTHONDONTWRITEBYTECODE": "1", _MARK: mark}
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        with suppress(ProcessLookupError):
            resource.prlimit(process.pid, resource.RLIMIT_AS, (_MOST_BYTES, _MOST_BYTES))
        code: int | None = None
        try:
            output, _ = process.communicate(timeout=seconds)
            code = process.returncode
        except subprocess.TimeoutExpired:
            _end_all(mark)
            output, _ = process.communicate()
        finally:
            _end_all(mark)
        return code, output, time.monotonic() - begun


def _answer(code: int | None, output: str, seconds: float) -> Answer:
    if code is None:
        return Answer(Verdict.CAUGHT, "hangs", seconds, output)
    found = re.search(r"^(?:FAILED|ERROR) (\S+)", output, re.MULTILINE)
    test = found[1] if found else ""
    if code == 0:
        return Answer(Verdict.SURVIVED, "", seconds, output)
    if code == _FAILED and test:
        return Answer(Verdict.CAUGHT, test, seconds, output)
    if code < 0:
        # The whole run was killed, by the wall around its memory for example.
        return Answer(Verdict.CAUGHT, f"ended by signal {-code}", seconds, output)
    return Answer(Verdict.BROKEN, test, seconds, output)


def _end_all(mark: str) -> None:
    """Kill what still runs of a run: bugs leave trees behind that nobody ends."""
    wanted = f"{_MARK}={mark}".encode()
    for _ in range(20):
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if wanted in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
        for pid in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if not found:
            return
        time.sleep(0.02)
