"""The simulated pond device and the collector, as child processes.

Responsible for: starting them on free loopback ports, learning where they listen, and their end.
They watch a pipe from this process and so end with it even when it is killed.
"""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["Demo", "DemoError"]

_PACKAGE_ROOT = Path(__file__).resolve().parents[3]
_START_SECONDS = 20
_END_SECONDS = 5


class DemoError(Exception):
    """A child did not start; its own words are in the message."""


class Demo:
    """The children; leaving the `with` block ends them. `folder` takes what they complain of."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for child in self._children:
            assert child.stdin is not None
            child.stdin.close()
        for child in self._children:
            try:
                child.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            assert child.stdout is not None
            child.stdout.close()

    def start(self, name: str, *arguments: str) -> str:
        """Start a module of this package and return the URL on which it says that it listens.

        Raises DemoError if it does not say so.
        """
        complaints = self._folder / f"{name}.log"
        path = os.pathsep.join(filter(None, [str(_PACKAGE_ROOT), os.environ.get("PYTHONPATH")]))
        with complaints.open("wb") as stderr:
            child = subprocess.Popen(
                [
                    # -P: a file of the user's in the current folder must not pass for a module.
                    *(sys.executable, "-P", "-m", f"{__package__}.{name}"),
                    *("--port", "0", "--until-eof", *arguments),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"},
                # Ctrl-C is for the scheduler: running tasks still need them while it drains.
                start_new_session=True,
            )
        self._children.append(child)
        assert child.stdout is not None
        is_ready, _, _ = select.select([child.stdout], [], [], _START_SECONDS)
        said = child.stdout.readline().decode("utf-8", "replace") if is_ready else ""
        found = re.search(r"\w+://\S+", said)
        if found is None:
            raise DemoError(f"{name}: {complaints.read_text('utf-8', 'replace').strip() or said!r}")
        return found.group()
