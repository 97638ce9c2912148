"""Small files: what the scheduler's threads and the supervisors read beside each other."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from task_scheduler.supervision.small_files import read_file, write_file


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="there is no /proc here")
def test_threads_that_read_at_once_get_each_its_own_file() -> None:
    paths = [f"/proc/{name}" for name in ("vmstat", "self/maps", "self/limits", "version", "stat")]
    beginnings = {path: (read_file(path) or b"")[:8] for path in paths}

    def read_often(path: str) -> set[bytes]:
        return {(read_file(path) or b"")[:8] for _ in range(500)}

    with ThreadPoolExecutor(len(paths)) as threads:
        found = dict(zip(paths, threads.map(read_often, paths), strict=True))

    assert found == {path: {beginning} for path, beginning in beginnings.items()}


def test_a_file_is_read_whole_or_as_far_as_asked_for(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path / "file")
    write_file(path, b"0123456789" * 5_000)

    assert read_file(path) == b"0123456789" * 5_000
    assert read_file(path, 15) == b"012345678901234"
    assert read_file(path + b"-not-there") is None


def test_what_cannot_be_written_is_let_be(tmp_path: Path) -> None:
    write_file(os.fsencode(tmp_path / "no-folder" / "file"), b"content")

    assert list(tmp_path.iterdir()) == []
