"""How the upload script follows a log through its rotations, and names its batches."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from task_scheduler.presets.farm.client import updata
from task_scheduler.presets.farm.client.updata import Cursor, next_chunk


@pytest.fixture
def log(tmp_path) -> Path:
    return tmp_path / "scheduler.log"


def append(log: Path, *lines: str) -> None:
    with log.open("a") as file:
        file.writelines(f"{line}\n" for line in lines)


def rotate(log: Path, keep: int = 3) -> None:
    """Rotate as the scheduler's log does: .1 is the newest of the old ones."""
    log.with_name(f"{log.name}.{keep}").unlink(missing_ok=True)
    for number in range(keep - 1, 0, -1):
        old = log.with_name(f"{log.name}.{number}")
        if old.exists():
            old.rename(log.with_name(f"{log.name}.{number + 1}"))
    log.rename(log.with_name(f"{log.name}.1"))


def read_all(log: Path, cursor: Cursor | None = None) -> tuple[list[str], Cursor | None]:
    lines: list[str] = []
    while True:
        chunk, after = next_chunk(log, cursor)
        if not chunk:
            return lines, cursor
        lines += chunk.decode().splitlines()
        cursor = after


def test_a_log_that_is_not_there_has_no_lines(log) -> None:
    assert next_chunk(log, None) == (b"", None)


def test_only_whole_lines_are_taken_and_the_rest_next_time(log) -> None:
    log.write_text("a\nb\nhalf")
    first, cursor = read_all(log)
    append(log, " and half")

    second, _ = read_all(log, cursor)

    assert (first, second) == (["a", "b"], ["half and half"])


def test_lines_are_read_once_through_a_rotation(log) -> None:
    append(log, "a", "b")
    first, cursor = read_all(log)
    append(log, "c")
    rotate(log)
    append(log, "d")

    second, cursor = read_all(log, cursor)
    third, _ = read_all(log, cursor)

    assert (first, second, third) == (["a", "b"], ["c", "d"], [])


def test_several_rotations_between_two_runs_lose_nothing(log) -> None:
    append(log, "a")
    _, cursor = read_all(log)
    for name in ("b", "c", "d"):
        rotate(log)
        append(log, name)

    lines, _ = read_all(log, cursor)

    assert lines == ["b", "c", "d"]


def test_when_the_file_itself_was_rotated_away_all_that_is_left_is_new(log) -> None:
    append(log, "a")
    _, cursor = read_all(log)
    for name in "bcdef":
        rotate(log)
        append(log, name)

    lines, _ = read_all(log, cursor)

    assert lines == ["c", "d", "e", "f"]


def test_an_inode_that_came_again_is_not_taken_for_the_old_file(log) -> None:
    append(log, "first life", "b")
    _, cursor = read_all(log)
    assert cursor is not None
    log.unlink()
    append(log, "second life", "x")
    reused = Cursor(cursor.head, cursor.head_length, log.stat().st_ino, 3)

    lines, _ = read_all(log, reused)

    assert lines == ["second life", "x"]


def test_a_log_that_was_emptied_in_place_is_read_from_its_start(log) -> None:
    append(log, "a long line that was read", "b")
    _, cursor = read_all(log)
    log.write_text("c\n")

    lines, _ = read_all(log, cursor)

    assert lines == ["c"]


def test_a_first_reading_begins_with_the_oldest_file(log) -> None:
    append(log, "a")
    rotate(log)
    append(log, "b")

    assert read_all(log)[0] == ["a", "b"]


def test_a_large_log_comes_in_bounded_chunks(log, monkeypatch) -> None:
    monkeypatch.setattr(updata, "LOG_BYTES_IN_BATCH", 64)
    lines = [f"line {number:03}" for number in range(100)]
    append(log, *lines)
    rotate(log)
    append(log, "newest")

    chunk, _ = next_chunk(log, None)

    assert len(chunk) <= 64
    assert read_all(log)[0] == [*lines, "newest"]


def test_a_line_longer_than_a_batch_is_cut_and_does_not_stop_the_rest(log, monkeypatch) -> None:
    monkeypatch.setattr(updata, "LOG_BYTES_IN_BATCH", 64)
    append(log, "x" * 150, "after")

    assert "".join(read_all(log)[0]) == "x" * 150 + "after"


def test_a_batch_is_named_after_its_content() -> None:
    rows = {"gateway": "g", "readings": [{"value": 21.3}]}

    batch = updata.pack("readings", 1, rows)

    assert batch.batch == updata.pack("readings", 1, dict(reversed(rows.items()))).batch
    assert batch.batch != updata.pack("readings", 1, {**rows, "gateway": "h"}).batch
    assert batch.batch.startswith("readings-")
    assert json.loads(batch.body) == rows
