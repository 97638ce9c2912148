"""A page that walks a reader through commands, carried out as the reader would.

Responsible for: reading a page (its sections, the files that it shows, the commands that are typed
and what the page says they answer), and doing it in a folder of its own. In an answer ``...``
stands for whatever is there, in a line or for lines; others may come between those of the page.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60.0

_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_FILE_NAME = re.compile(r"^# (\S+\.\w+)$", re.MULTILINE)


@dataclass(frozen=True)
class Step:
    """Something that a reader does: writes a file, or types a command."""

    kind: str
    text: str
    answer: tuple[str, ...] = ()
    """The lines that the page shows below a command."""


def sections_of(page: Path) -> dict[str, list[Step]]:
    """Return the steps of each section that has any, by its heading."""
    _, *parts = _SECTION.split(page.read_text(encoding="utf-8"))
    found = {title: list(_steps(text)) for title, text in zip(parts[::2], parts[1::2], strict=True)}
    return {title: steps for title, steps in found.items() if steps}


def _steps(text: str) -> Iterator[Step]:
    for language, block in _FENCE.findall(text):
        if language in ("json", "python"):
            yield Step(language, block)
        elif language == "console":
            for typed in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                command, *answer = typed.rstrip("\n").split("\n")
                yield Step("command", command, tuple(answer))


class Reader:
    """Somebody with a folder and a terminal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        unset = ("LC_ALL", "LC_MESSAGES", "TASK_SCHEDULER_CONFIG", "NO_COLOR")
        kept = {name: text for name, text in os.environ.items() if name not in unset}
        tools = Path(sys.executable).parent
        self.environ = {
            **kept,
            "PATH": f"{tools}:{kept.get('PATH', '/usr/bin:/bin')}",
            "PYTHONPATH": str(ROOT),
            "LANG": "en_US.UTF-8",
            "TZ": "Asia/Tokyo",
            "COLUMNS": "100",
        }
        self._started: list[subprocess.Popen[str]] = []

    def does(self, step: Step) -> None:
        """Do what a step says; fails where the answer is another than the page says."""
        if step.kind == "json":
            (self.folder / "scheduler_config.json").write_text(step.text, encoding="utf-8")
        elif step.kind == "python":
            (name, *_) = _FILE_NAME.findall(step.text)
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(step.text, encoding="utf-8")
        elif step.text.endswith(" &"):
            self._start(step.text.removesuffix(" &"))
        else:
            self._compare(step, self._typed(step.text))

    def leaves(self) -> None:
        """End what was started."""
        for process in self._started:
            process.send_signal(signal.SIGTERM)
            try:
                process.communicate(timeout=PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()

    def _typed(self, command: str) -> str:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        return done.stdout

    def _start(self, command: str) -> None:
        """Start a scheduler in another terminal, and wait until it runs."""
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._started.append(process)
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            holder = json.loads(self._typed("tsk status --json 2>/dev/null"))["holder"]
            if holder is not None and holder["state"] == "running":
                return
            assert time.monotonic() < until, f"{command} did not start"
            time.sleep(0.1)

    def _compare(self, step: Step, answer: str) -> None:
        rest = [_squeezed(line) for line in answer.split("\n")]
        for line in step.answer:
            if line.strip() == "...":
                continue
            parts = re.split(r" ?\.\.\. ?", _squeezed(line))
            pattern = re.compile(".*".join(map(re.escape, parts)))
            at = next((n for n, found in enumerate(rest) if pattern.fullmatch(found)), None)
            assert at is not None, f"$ {step.text}\nshould answer: {line}\nanswered:\n{answer}"
            rest = rest[at + 1 :]


def _squeezed(line: str) -> str:
    return " ".join(line.split())
