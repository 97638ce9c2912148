"""What the files of an attempt prove."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path

import pytest

from task_scheduler.supervision import attempt_folder
from task_scheduler.supervision.attempt_folder import Holder, State

SOUND = {
    "format": 1,
    "outcome": "failed",
    "exit_code": 1,
    "signal": None,
    "started_at": 1,
    "ended_at": 2,
    "error": "why",
}


@pytest.mark.parametrize(
    ("is_locked", "has_permit", "has_record"), list(itertools.product([False, True], repeat=3))
)
def test_every_combination_of_files_has_one_meaning(
    tmp_path: Path, is_locked: bool, has_permit: bool, has_record: bool
) -> None:
    folder = os.fsencode(tmp_path)
    lock = attempt_folder.try_lock(folder) if is_locked else None
    if has_permit:
        attempt_folder.create_permit(folder)
    if has_record:
        (tmp_path / "exit.json").write_text(json.dumps(SOUND))

    state, record = attempt_folder.examine(folder)

    if has_record:
        assert (state, record) == (State.ENDED, SOUND)
    elif is_locked:
        assert (state, record) == (State.ALIVE, None)
    elif has_permit:
        assert (state, record) == (State.DEAD, None)
    else:
        assert (state, record) == (State.UNSTARTED, None)
    if lock is not None:
        attempt_folder.unlock(lock)


def test_burying_decides_once_and_for_all(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path)

    state, _ = attempt_folder.examine(folder, bury=True)

    assert state == State.UNSTARTED
    assert attempt_folder.has_permit(folder) is True
    assert attempt_folder.create_permit(folder) is False


def test_a_tombstone_is_no_start_for_the_next_recovery(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path)
    attempt_folder.examine(folder, bury=True)

    # Whoever set it was killed before it could record anything.
    state, _ = attempt_folder.examine(folder, bury=True)

    assert state == State.UNSTARTED


def test_burying_takes_nothing_from_a_living_attempt(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path)
    lock = attempt_folder.try_lock(folder)
    assert lock is not None

    state, _ = attempt_folder.examine(folder, bury=True)

    assert state == State.ALIVE
    assert attempt_folder.has_permit(folder) is False
    attempt_folder.unlock(lock)


def test_a_folder_that_was_deleted_proves_a_death(tmp_path: Path) -> None:
    assert attempt_folder.examine(os.fsencode(tmp_path / "gone")) == (State.DEAD, None)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\0" * 400,
        b"\xff\xfe",
        b"[]",
        b"null",
        b"1",
        b"[" * 60_000,
        *(
            json.dumps({**SOUND, key: value}).encode()
            for key, value in [
                ("format", 0),
                ("format", "1"),
                ("format", True),
                ("outcome", "lost"),
                ("outcome", ["failed"]),
                ("started_at", None),
                ("ended_at", "2"),
                ("exit_code", "1"),
                ("error", 5),
            ]
        ),
        *(
            json.dumps({k: v for k, v in SOUND.items() if k != gone}).encode()
            for gone in (
                "format",
                "outcome",
                "started_at",
                "ended_at",
                "exit_code",
                "signal",
                "error",
            )
        ),
    ],
)
def test_a_record_that_is_not_sound_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "exit.json").write_bytes(content)

    assert attempt_folder.read_exit_record(os.fsencode(tmp_path)) is None


@pytest.mark.parametrize("content", ["", "1 2", "a b c d e", "2 holder 10"])
def test_a_lock_file_that_says_nothing_sound_names_no_holder(tmp_path: Path, content: str) -> None:
    (tmp_path / "lock").write_text(content)

    assert attempt_folder.read_holder(os.fsencode(tmp_path)) is None


def test_what_every_format_promises_is_read_from_a_newer_one(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path)
    newer = {**SOUND, "format": 2, "outcome": "succeeded", "something": ["new"]}
    (tmp_path / "exit.json").write_text(json.dumps(newer))
    (tmp_path / "lock").write_text("2 10 11 99 98 97\n")

    holder = attempt_folder.read_holder(folder)

    assert attempt_folder.read_exit_record(folder) == newer
    assert attempt_folder.newer_format(folder) == 2
    assert holder is not None
    assert [holder.pid, holder.started, holder.task_pid, holder.task_started] == [10, 11, 0, 0]


def test_a_record_of_a_newer_format_that_breaks_the_promise_is_named(tmp_path: Path) -> None:
    (tmp_path / "exit.json").write_text('{"format": 7, "result": "fine"}')

    assert attempt_folder.read_exit_record(os.fsencode(tmp_path)) is None
    assert attempt_folder.newer_format(os.fsencode(tmp_path)) == 7


def test_the_members_of_a_tree_are_read_as_they_were_written(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path)

    assert attempt_folder.read_members(folder) == {}
    attempt_folder.write_members(folder, {10: 100, 11: 110})
    assert attempt_folder.read_members(folder) == {10: 100, 11: 110}
    (tmp_path / "tree").write_bytes(b"1\n10 100\n11")
    assert attempt_folder.read_members(folder) == {10: 100}
    (tmp_path / "tree").write_bytes(b"2\n10 100")
    assert attempt_folder.read_members(folder) == {}


def test_trouble_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path)

    assert attempt_folder.read_trouble(folder) is None
    attempt_folder.write_trouble(folder, "undying", "10 11")

    assert attempt_folder.read_trouble(folder) == ("undying", "10 11")


def test_the_holder_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path)
    lock = attempt_folder.try_lock(folder)
    assert lock is not None

    attempt_folder.write_holder(lock, Holder(10, 11))
    attempt_folder.write_holder(lock, Holder(10, 11, 12, 13))
    holder = attempt_folder.read_holder(folder)
    attempt_folder.unlock(lock)

    assert holder is not None
    assert [holder.pid, holder.started, holder.task_pid, holder.task_started] == [10, 11, 12, 13]


def test_forgetting_keeps_the_output_and_else_nothing(tmp_path: Path) -> None:
    with_output, without = tmp_path / "1-1", tmp_path / "2-2"
    for folder in (with_output, without):
        folder.mkdir()
        for name in ("lock", "permit", "cancel", "exit.json", "exit.tmp", "tree", "trouble"):
            (folder / name).touch()
    (with_output / "output").touch()

    for folder in (with_output, without, tmp_path / "never"):
        attempt_folder.forget(os.fsencode(folder))

    assert [path.name for path in tmp_path.iterdir()] == ["1-1"]
    assert [path.name for path in with_output.iterdir()] == ["output"]


def test_a_reason_in_any_language_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path)

    assert attempt_folder.read_cancel_reason(folder) is None
    attempt_folder.write_cancel_reason(folder, "维护")

    assert attempt_folder.read_cancel_reason(folder) == "维护"
