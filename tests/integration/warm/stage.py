"""A stage on which scripts are run cold and warm, under the same executor and in the same place."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from task_scheduler.core.model import Claim, Completion, LaunchSpec
from tests.integration.supervision.bench import Bench, claim_of, eventually

INTERPRETER = os.environ.get("WARM_INTERPRETER", sys.executable)
"""Whose scripts they are; another one than ours for a run by hand."""
PRELOAD = ("json", "sqlite3", "urllib.request")
_ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": "/", "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
_ATTEMPTS = 5
_ADDRESS = re.compile(rb"0x[0-9a-f]+")


class Seen(NamedTuple):
    """What can be told of a run from outside."""

    outcome: str
    exit_code: int | None
    error: str | None
    output: bytes
    files: dict[str, bytes]


class Stage:
    """One executor, a folder of scripts, and the folder in which they run."""

    def __init__(self, folder: Path) -> None:
        self.bench = Bench(folder, output_limit_bytes=10_000_000)
        self.scripts = folder / "scripts"
        self.scripts.mkdir()
        self.cwd = folder / "cwd"
        self._next_run_id = 0

    def launch(
        self,
        script: Path | str,
        *args: str,
        env: Mapping[str, str] | None = None,
        preload: tuple[str, ...] | None = PRELOAD,
        confinement: Mapping[str, Any] | None = None,
        timeout_seconds: float = 60,
    ) -> Claim:
        """Launch a script, warm if there is a template for it; cold with `preload` None."""
        self._next_run_id += 1
        claim = claim_of(self._next_run_id)
        self.cwd.mkdir(exist_ok=True)
        spec = LaunchSpec(
            argv=(INTERPRETER, str(script), *args),
            working_dir=str(self.cwd),
            env={**_ENVIRONMENT, **(env or {})},
            timeout_seconds=timeout_seconds,
            confinement=confinement or {},
            inherited=(),
            python=None if preload is None else {"preload": preload},
        )
        self.bench.executor.launch(claim, spec)
        return claim

    def run(self, script: Path | str, *args: str, **options: Any) -> Seen:
        """Launch a script in an empty folder, wait for its end, and tell what there is to see."""
        shutil.rmtree(self.cwd, ignore_errors=True)
        claim = self.launch(script, *args, **options)
        end = self.bench.end_of(claim)
        return self.seen(claim, end)

    def seen(self, claim: Claim, end: Completion) -> Seen:
        """Return an end without what differs from run to run: its folder, addresses."""
        folder = os.fsencode(self.folder_of(claim))
        output = _ADDRESS.sub(b"0x", self.bench.output_of(claim).replace(folder, b"FOLDER"))
        error = None if end.error is None else _ADDRESS.sub(b"0x", end.error.encode()).decode()
        files = {
            str(path.relative_to(self.cwd)): path.read_bytes()
            for path in sorted(self.cwd.rglob("*"))
            if path.is_file()
        }
        return Seen(end.outcome, end.exit_code, error, output, files)

    def folder_of(self, claim: Claim) -> Path:
        """Return the folder of an attempt."""
        return self.bench.executor.output_path(claim).parent

    def start_of(self, claim: Claim) -> str:
        """Return how an attempt was started, as its exit record says."""
        record = json.loads((self.folder_of(claim) / "exit.json").read_text("utf-8"))
        return str(record.get("start", "cold"))

    def last_start(self) -> str:
        """Return how the last attempt was started."""
        return self.start_of(claim_of(self._next_run_id))

    def await_templates(self) -> None:
        """Wait until every template that was started is ready, or gone."""
        warm = self.bench.executor._warm
        eventually("templates are ready", lambda: all(t.is_ready for t in warm._templates()))

    def templates(self) -> list[Any]:
        """Return the templates that there are."""
        return self.bench.executor._warm._templates()

    def run_warm(self, script: Path | str, *args: str, **options: Any) -> Seen:
        """Run a script when there is a template for it; the first run has one started.

        One that is just being replaced is no failure: then the launcher starts the script.
        """
        self.run(script, *args, **options)
        for _ in range(_ATTEMPTS):
            self.await_templates()
            seen = self.run(script, *args, **options)
            if self.last_start() != "cold":
                break
        return seen
