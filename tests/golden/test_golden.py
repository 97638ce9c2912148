"""What every command prints, letter by letter, in three languages at 80 columns.

A change that is meant: ``TASK_SCHEDULER_RENEW_GOLDEN=1 scripts/test tests/golden``, and read the
difference as somebody who is in a hurry would.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import platform
import re
import shlex
import sqlite3
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest
from wcwidth import wcswidth

import task_scheduler.scheduler as facade
from task_scheduler import __version__
from task_scheduler.cli.program import GROUPS
from task_scheduler.cli.session import Session
from task_scheduler.clock import SystemClock
from task_scheduler.i18n import LANGUAGES, set_language, translate
from tests.golden.scenes import CHANGING, SCENES
from tests.golden.world import SHOWN_FOLDER, USUAL, WORLDS, folder_of_a_world, made
from tests.unit.cli.made_ledger import NOW, MadeLedger

PAGES = Path(__file__).with_name("pages")
NAMES = ("", *(name for names in GROUPS.values() for name in names))
WIDTH = 80
_SLOWER = 10_000
"""How much slower than real time the clocks go: what takes a moment takes no time."""
_EXCERPT = re.compile(r" +\d+ \| ")
_SIZES = re.compile(r"\b\d+(\.\d+)? ?(?:[kMG]|[KMG]i)?B\b")


@pytest.fixture(autouse=True)
def _fixed_world(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One moment, one zone, one machine, a terminal of 80 columns."""
    for name in ("LC_ALL", "LC_MESSAGES", "TASK_SCHEDULER_CONFIG", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    monkeypatch.setattr(Session, "talk_width", property(lambda _: WIDTH))
    boottime = SystemClock.boottime
    begin = boottime(SystemClock())
    monkeypatch.setattr(
        SystemClock, "boottime", lambda self: begin + (boottime(self) - begin) // _SLOWER
    )
    monkeypatch.setattr(SystemClock, "now", lambda self: NOW + self.boottime() - begin)
    monkeypatch.setattr("task_scheduler.actors._user_name", lambda _: "farmer")
    monkeypatch.setattr("task_scheduler.actors._program", lambda: "tsk")
    system = SimpleNamespace(geteuid=os.geteuid, getpid=lambda: 4242)
    monkeypatch.setattr("task_scheduler.actors.os", system)
    monkeypatch.setattr(platform, "platform", lambda *_, **__: "Linux-6.1-x86_64")
    monkeypatch.setattr(platform, "python_version", lambda: "3.11.9")
    monkeypatch.setattr(sqlite3, "sqlite_version", "3.45.0")
    numbers = itertools.count(1)
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=next(numbers)))
    yield
    set_language("en")


@pytest.fixture
def let_go(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Note every facade that a command makes: at its end the process of a command is gone."""
    opened: list[Any] = []

    class Noted(facade.TaskScheduler):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            opened.append(self)

    monkeypatch.setattr(facade, "TaskScheduler", Noted)
    return opened


@pytest.mark.parametrize("name", NAMES)
def test_every_page_reads_as_it_was_approved(
    name: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    let_go: list[Any],
) -> None:
    assert name in SCENES, f"say in tests/golden/scenes.py what is typed to see `tsk {name}`"
    with Worlds(name, capsys, monkeypatch, let_go) as worlds:
        for language in LANGUAGES:
            text = worlds.page(language)
            path = PAGES / f"{name or 'tsk'}.{language}.txt"
            if os.environ.get("TASK_SCHEDULER_RENEW_GOLDEN"):
                path.write_text(text, encoding="utf-8")

            assert path.is_file(), (
                f"{path.name} is missing: write it with TASK_SCHEDULER_RENEW_GOLDEN=1"
                f" python -m pytest tests/golden -k '{name}', and read it"
            )
            assert text == path.read_text(encoding="utf-8")


class Worlds:
    """The worlds of one command's page, made when the first line is typed in front of each."""

    def __init__(
        self,
        name: str,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        opened: list[Any],
    ) -> None:
        self.name = name
        self._capsys = capsys
        self._monkeypatch = monkeypatch
        self._opened = opened
        self._made: dict[str, MadeLedger] = {}
        self._folders = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._monkeypatch.chdir("/")
        self._folders.close()

    def page(self, language: str) -> str:
        """Return everything that the lines of the command print in a language."""
        lines = SCENES[self.name]
        if self.name:
            lines = (f"{self.name} --help", *lines)
        return "\n".join(self._typed(line, language) for line in lines)

    def _typed(self, line: str, language: str) -> str:
        world, rest = _split(line)
        ledger = self._ledger(world, language)
        self._monkeypatch.chdir(ledger.folder)
        answer = ledger.tsk("--lang", language, *shlex.split(rest))
        for scheduler in self._opened:
            scheduler.stop(0)
        self._opened.clear()
        said = f"-- said\n{answer.err}" if answer.err else ""
        out = _without_globals(answer.out) if rest.endswith(" --help") else answer.out
        before = "" if world == USUAL else f"# {WORLDS[world].__doc__}\n"
        text = f"{before}$ tsk {rest}\n{out}{said}-- exit {answer.code}\n"
        return _comparable(text, ledger.folder)

    def _ledger(self, world: str, language: str) -> MadeLedger:
        key = f"{world} {language if self.name in CHANGING else ''}"
        if key not in self._made:
            folder = self._folders.enter_context(folder_of_a_world())
            self._made[key] = made(world, folder, self._capsys)
        return self._made[key]


def _split(line: str) -> tuple[str, str]:
    """Return the world of a line, and what is typed."""
    if not line.startswith("@"):
        return USUAL, line
    world, _, rest = line[1:].partition(" ")
    return world, rest


def _without_globals(text: str) -> str:
    """Leave out of a command's help the options that every command has: `tsk --help` shows them."""
    head, title, _ = text.partition(translate("cli.options_everywhere"))
    return f"{head}{title} …\n"


def _comparable(text: str, folder: Path) -> str:
    """Take away what differs between machines."""
    text = text.replace(str(folder), SHOWN_FOLDER).replace(__version__, "1.2.3")
    text = _SIZES.sub("240 kB", text)
    return "\n".join(line.rstrip() for line in text.split("\n"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_line_is_wider_than_the_terminal(language: str) -> None:
    wide = [
        f"{path.name}: {line}"
        for path in sorted(PAGES.glob(f"*.{language}.txt"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if wcswidth(line) > WIDTH and not _is_data(line)
    ]

    assert wide == []


def _is_data(line: str) -> bool:
    """Whether a line holds what must not be broken: what is typed, a path, a line of a file."""
    is_typed = line.startswith(("$ tsk ", "# ", "  tsk "))
    return is_typed or SHOWN_FOLDER in line or bool(_EXCERPT.match(line))


def test_no_page_is_of_a_command_that_there_is_not() -> None:
    known = {f"{name or 'tsk'}.{language}.txt" for name in NAMES for language in LANGUAGES}

    assert sorted({path.name for path in PAGES.iterdir()} - known) == []
    assert sorted(set(SCENES) - set(NAMES)) == []
