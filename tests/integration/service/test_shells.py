"""Completion in real shells: what a person sees who presses TAB."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from task_scheduler import CommandTask, TaskScheduler

TSK = Path(sys.executable).parent / "tsk"
PATIENCE_SECONDS = 60.0
SEQUENCES = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|[=>]|\][^\x07]*\x07)|[\x07\r]")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a ledger of three tasks, and the scripts of all shells."""
    made = tmp_path_factory.mktemp("farm")
    config = made / "scheduler_config.json"
    config.write_text(json.dumps({"logging": {"console": False}}), encoding="utf-8")
    scheduler = TaskScheduler(config)
    for task_id in ("data_upload", "farm:pond 7", "heartbeat"):
        scheduler.add_task(CommandTask(task_id, command=["true"]), every="1h")
    scheduler.stop()
    for shell in ("bash", "zsh", "fish"):
        done = subprocess.run(
            [TSK, "completion", shell], capture_output=True, text=True, check=True, cwd=made
        )
        (made / f"completion.{shell}").write_text(done.stdout, encoding="utf-8")
    return made


class Terminal:
    """A shell at a terminal, in a folder."""

    def __init__(self, folder: Path, *argv: str) -> None:
        environ = {
            "PATH": f"{TSK.parent}:{os.environ.get('PATH', '/usr/bin:/bin')}",
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "COLUMNS": "200",
            "PS1": "$ ",
        }
        master, slave = pty.openpty()
        self.process = subprocess.Popen(
            argv,
            cwd=folder,
            env=environ,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self._master = master
        self.seen = ""

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def until(self, text: str) -> str:
        """Wait until a text is on the screen, and return all up to it since the last wait."""
        until = time.monotonic() + PATIENCE_SECONDS
        while text not in self.seen:
            left = until - time.monotonic()
            assert left > 0, f"{text!r} was not seen in {self.seen!r}"
            if select.select([self._master], [], [], left)[0]:
                piece = os.read(self._master, 65_536).decode(errors="replace")
                self.seen += SEQUENCES.sub("", piece)
        before, found, self.seen = self.seen.partition(text)
        return before + found

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)


@pytest.fixture
def bash(folder: Path) -> Iterator[Terminal]:
    made = Terminal(folder, "bash", "--norc", "--noprofile", "-i")
    made.type("source completion.bash && echo load''ed\n")
    made.until("loaded")
    yield made
    made.close()


@pytest.mark.parametrize(
    ("typed", "seen"),
    [
        ("tsk show da\t", "tsk show data_upload "),
        ("tsk stat\t", "tsk status "),
        ("tsk ls --fail\t", "tsk ls --failed "),
        ("tsk ls --status=pau\t", "tsk ls --status=paused "),
        ("task-scheduler show hea\t", "task-scheduler show heartbeat "),
        ("tsk show farm:po\t", r"tsk show farm:pond\ 7 "),
        ("tsk show 'farm:po\t", "tsk show 'farm:pond 7' "),
        ("tsk check completion.b\t", "tsk check completion.bash "),
        (f"{TSK} show da\t", f"{TSK} show data_upload "),
    ],
)
def test_bash_completes(bash: Terminal, typed: str, seen: str) -> None:
    bash.type(typed)

    bash.until(seen)


def test_bash_shows_what_there_is_to_choose_from(bash: Terminal) -> None:
    bash.type("tsk show \t\t")

    found = bash.until("heartbeat")
    assert "data_upload" in found


def test_bash_hears_nothing_of_what_is_wrong(bash: Terminal) -> None:
    bash.type("tsk -c nowhere.json show \t\t\x15echo d''one\n")

    found = bash.until("done")
    assert "Traceback" not in found
    assert "nowhere.json:" not in found


@pytest.mark.may_skip(reason="only where zsh is installed")
@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
@pytest.mark.parametrize(
    ("typed", "seen"),
    [
        ("tsk show da\t", "tsk show data_upload"),
        ("tsk stat\t", "tsk status"),
        ("tsk show farm:po\t", r"tsk show farm:pond\ 7"),
        ("tsk ls --fail\t", "tsk ls --failed"),
    ],
)
def test_zsh_completes(folder: Path, typed: str, seen: str) -> None:
    zsh = Terminal(folder, "zsh", "-f", "-i")
    try:
        zsh.type("autoload -Uz compinit; compinit -u -D; source ./completion.zsh; echo load''ed\n")
        zsh.until("loaded")
        # What comes before its prompt is not edited by it.
        zsh.until("$ ")
        zsh.type(typed)
        zsh.until(seen)
    finally:
        zsh.close()


@pytest.mark.may_skip(reason="only where fish is installed")
@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("tsk show da", ["data_upload"]),
        ("tsk stat", ["status"]),
        ("tsk show farm", ["farm:pond 7"]),
        ("tsk ls --fail", ["--failed"]),
    ],
)
def test_fish_completes(folder: Path, line: str, words: list[str]) -> None:
    environ = {**os.environ, "HOME": str(folder), "PATH": f"{TSK.parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["fish", "--no-config", "-c", f"source completion.fish; complete -C '{line}'"],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_SECONDS,
    )

    assert [found.partition("\t")[0] for found in done.stdout.splitlines()] == words
