"""Bars of progress: on a terminal, for what takes long, and gone at the end."""

from __future__ import annotations

import io
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from task_scheduler.cli import progress as module
from task_scheduler.cli.display_width import width_of
from task_scheduler.cli.progress import Counter, bar_line, progress, share_of_file
from task_scheduler.cli.session import Session

PATIENCE_SECONDS = 30


class Screen(io.StringIO):
    """A terminal that keeps what is drawn on it."""

    encoding = "utf-8"  # type: ignore[assignment]

    def isatty(self) -> bool:
        return True


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    made = Screen()
    monkeypatch.setattr(module, "sys", SimpleNamespace(stderr=made))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(module, "_STEP_SECONDS", 0.001)
    return made


def worked(session: Session) -> bool:
    """Do work that lasts until somebody has looked how far it is; return whether anybody has."""
    looked = threading.Event()

    def look() -> float:
        looked.set()
        return 0.5

    with progress(session, "copying", look):
        return looked.wait(PATIENCE_SECONDS if module.is_shown(session) else 0.05)


def test_long_work_is_shown_and_leaves_nothing_behind(screen: Screen) -> None:
    assert worked(Session())

    drawn = screen.getvalue()
    assert "copying ━━━━━━━━━━━━────────────  50 %" in drawn
    assert drawn.endswith("\r\x1b[2K")


def test_short_work_draws_nothing(screen: Screen) -> None:
    with progress(Session(), "copying", lambda: 0.5):
        pass

    assert screen.getvalue() == ""


@pytest.mark.parametrize("why", ["no terminal", "dumb", "quiet"])
def test_nothing_is_drawn_where_nobody_looks_on(
    screen: Screen, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    session = Session(is_quiet=why == "quiet")
    if why == "dumb":
        monkeypatch.setenv("TERM", "dumb")
    if why == "no terminal":
        monkeypatch.setattr(Screen, "isatty", lambda _: False)

    assert not worked(session)
    assert screen.getvalue() == ""


def test_the_bar_goes_with_a_failure_too(screen: Screen) -> None:
    looked = threading.Event()

    def look() -> None:
        looked.set()

    with pytest.raises(OSError, match="full"), progress(Session(), "copying", look):  # noqa: PT012
        looked.wait(PATIENCE_SECONDS)
        raise OSError("full")

    assert screen.getvalue().endswith("\r\x1b[2K")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 1.0, None])
@pytest.mark.parametrize("label", ["copying the ledger", "正在把备份放回账本的位置上" * 2])
def test_a_line_is_never_wider_than_a_terminal(share: float | None, label: str) -> None:
    for seconds in (0.3, 12, 4_000):
        assert width_of(bar_line(label, share, seconds)) < 80


def test_without_the_letters_for_bars_others_are_taken() -> None:
    assert bar_line("x", 0.5, 0, has_bars=False) == "x ############------------  50 %"


def test_a_share_is_that_of_the_file_which_is_written(tmp_path: Path) -> None:
    measure = share_of_file(tmp_path, ".x.*.part", 200)

    assert measure() is None
    (tmp_path / ".x.0.part").write_bytes(b"x" * 50)
    assert measure() == 0.25
    (tmp_path / ".x.0.part").write_bytes(b"x" * 300)
    assert measure() == 1.0


def test_what_is_counted_is_a_share_of_all() -> None:
    counter = Counter(4)
    counter.done += 1

    assert counter() == 0.25
    assert Counter(0)() is None
