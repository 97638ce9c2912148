"""The collector's storage: each key once, and nothing that is not what it should be."""

from __future__ import annotations

from contextlib import closing

import pytest

from task_scheduler.presets.farm.collected import Collected, ContentError

READING = {
    "scheduled_at": "2026-11-24T12:00:00.000+00:00",
    "measured_at": "2026-11-24T12:00:00.100+00:00",
    "pond": "pond-1",
    "sensor": "temperature",
    "value": 21.3,
    "unit": "°C",
    "quality": "ok",
}


@pytest.fixture
def collected(tmp_path):
    with closing(Collected(tmp_path / "new" / "collector.db")) as storage:
        yield storage


def readings(*rows: dict) -> dict:
    return {"gateway": "g", "readings": list(rows)}


def test_a_key_is_stored_once(collected) -> None:
    first = collected.store("readings", "k", readings(READING))
    second = collected.store("readings", "k", readings(READING, {**READING, "pond": "pond-2"}))

    assert (first, second) == ((1, True), (1, False))
    assert collected.summary()["readings"] == 1


def test_the_same_measurement_under_another_key_is_mended_not_doubled(collected) -> None:
    collected.store("readings", "k", readings({**READING, "value": None, "quality": "no_answer"}))
    collected.store("readings", "l", readings(READING))

    assert collected.summary()["readings"] == 1
    assert collected.summary()["last_measured_at"] == READING["measured_at"]


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("readings", []),
        ("readings", {"readings": []}),
        ("readings", {"gateway": "", "readings": []}),
        ("readings", {"gateway": "g"}),
        ("readings", {"gateway": "g", "readings": [1]}),
        ("readings", readings({**READING, "value": "21"})),
        ("readings", readings({**READING, "value": True})),
        ("readings", readings({**READING, "value": 10**400})),
        ("readings", readings({**READING, "pond": "\ud800"})),
        ("readings", readings(READING, {**READING, "quality": None})),
        ("logs", {"gateway": "g", "lines": [1]}),
        ("logs", {"gateway": "g", "lines": "text"}),
        ("heartbeats", {}),
    ],
)
def test_wrong_content_is_refused_and_leaves_nothing(collected, kind, content) -> None:
    with pytest.raises(ContentError):
        collected.store(kind, "k", content)

    summary = collected.summary()
    assert [summary[name] for name in ("readings", "logs", "heartbeats", "batches")] == [0] * 4
