"""Readings are plain figures, and what cannot be read is None."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from task_scheduler.observe.resources import ResourceSampler


class Clock:
    def __init__(self) -> None:
        self.moment = 0

    def now(self) -> int:
        return self.moment

    def boottime(self) -> int:
        return self.moment


def test_a_sample_is_plain_figures(tmp_path: Path) -> None:
    sample = ResourceSampler(Clock(), folder=tmp_path).sample()

    assert json.loads(json.dumps(sample)) == sample
    assert sample.pop("cpu_percent") is None  # nothing to compare with yet
    assert [name for name, value in sample.items() if not value] == []
    assert 0 < (sample["rss_bytes"] or 0) <= (sample["memory_total_bytes"] or 0)


def test_processor_use_is_the_mean_since_the_last_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, used = Clock(), [10.0]
    monkeypatch.setattr(
        psutil.Process, "cpu_times", lambda self: SimpleNamespace(user=used[0], system=1.0)
    )
    sampler = ResourceSampler(clock, folder=tmp_path)
    sampler.sample()

    clock.moment, used[0] = 4_000_000, 12.0

    assert sampler.sample()["cpu_percent"] == 50.0
    assert sampler.sample()["cpu_percent"] is None  # no time has passed


def test_what_cannot_be_read_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*args: object) -> None:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "virtual_memory", denied)
    monkeypatch.setattr(psutil.Process, "num_fds", denied)

    sample = ResourceSampler(Clock(), folder=tmp_path / "gone").sample()

    assert sample["memory_total_bytes"] is None
    assert sample["open_files"] is None
    assert sample["disk_free_bytes"] is None
    assert sample["threads"]


def test_a_process_that_cannot_be_seen_leaves_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone() -> None:
        raise psutil.NoSuchProcess(1)

    monkeypatch.setattr(psutil, "Process", gone)

    sample = ResourceSampler(Clock(), folder=tmp_path).sample()

    assert (sample["rss_bytes"], sample["cpu_percent"]) == (None, None)
    assert sample["disk_free_bytes"]
