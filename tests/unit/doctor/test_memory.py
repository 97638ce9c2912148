"""What the scheduler's process has of memory, and what the machine has left."""

from __future__ import annotations

import os

import pytest

from task_scheduler.doctor.findings import Level
from task_scheduler.doctor.memory import MemoryState, judge_memory, look_at_memory
from task_scheduler.i18n import LANGUAGES, set_language

MB, GB = 1_000_000, 1_000_000_000


@pytest.mark.parametrize(
    ("state", "most", "level", "command"),
    [
        (MemoryState(60 * MB, 8 * GB, 4 * GB), None, Level.FINE, ""),
        (MemoryState(60 * MB, 8 * GB, 4 * GB), 50 * MB, Level.WARNING, "isolation: process"),
        (MemoryState(5 * GB, 8 * GB, 2 * GB), None, Level.WARNING, "isolation: process"),
        (MemoryState(5 * GB, 8 * GB, 2 * GB), 6 * GB, Level.FINE, ""),
        (MemoryState(60 * MB, 8 * GB, 100 * MB), None, Level.WARNING, "ps -eo rss"),
        (MemoryState(None, 8 * GB, 4 * GB), 1, Level.FINE, ""),
        (None, None, Level.UNKNOWN, ""),
    ],
)
def test_memory_is_judged_by_what_is_configured_and_what_is_left(
    state: MemoryState | None, most: int | None, level: Level, command: str
) -> None:
    finding = judge_memory(state, most=most)

    assert finding.level is level
    assert finding.command.startswith(command)
    assert bool(finding.remedy) == (level is Level.WARNING)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_finding_has_its_sentences(language: str) -> None:
    set_language(language)
    try:
        for state in (MemoryState(9 * GB, 8 * GB, 1), MemoryState(1, 8 * GB, 1), None):
            finding = judge_memory(state, most=None)
            for text in (finding.told(), finding.advice()):
                assert "doctor." not in text
                assert "{" not in text
    finally:
        set_language("en")


def test_this_process_can_be_looked_at() -> None:
    state = look_at_memory({"pid": os.getpid()})

    assert state is not None
    assert state.used is not None
    assert 10 * MB < state.used < state.total
    assert look_at_memory(None) is not None
    assert look_at_memory({"pid": 2**22 + 1}) is None
