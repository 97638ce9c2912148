"""What is kept of a task's output, and which line tells why it failed."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from task_scheduler.supervision.output import Output


def text(key: str, count: str = "") -> str:
    return {"truncated": "[cut]", "gap": f"[{count} missing]"}[key]


def output_in(folder: Path, limit: int = 100) -> Output:
    return Output(os.fsencode(folder / "output"), limit, text)


@pytest.mark.parametrize(
    ("chunks", "kept", "is_truncated"),
    [
        ([b"12345"], b"12345", False),
        ([b"123", b"45"], b"12345", False),
        ([b"123456"], b"12345\n[cut]\n", True),
        ([b"12345", b"6", b"7"], b"12345\n[cut]\n", True),
        ([], b"", False),
    ],
)
def test_the_file_holds_the_beginning_and_one_mark(
    tmp_path: Path, chunks: list[bytes], kept: bytes, is_truncated: bool
) -> None:
    output = output_in(tmp_path, limit=5)

    for chunk in chunks:
        output.add(chunk)

    assert (tmp_path / "output").read_bytes() == kept
    assert output.is_truncated is is_truncated
    assert output.total_bytes == sum(map(len, chunks))


@pytest.mark.parametrize(
    ("written", "line"),
    [
        (b"", ""),
        (b"\n \n\t\n", ""),
        (b"first\nlast\n\n", "last"),
        (b"10 %\r50 %\r100 %", "100 %"),
        (b"\x1b[1;31mred\x1b[0m \x1b]0;title\x07end", "red end"),
        (b"a\x00b", "a b"),
        (b"bad \xff byte", "bad \ufffd byte"),
        ("水温过高".encode(), "水温过高"),
        (b"x" * 10_000, "x" * 500),
    ],
)
def test_the_last_line_that_says_something_is_fit_to_be_shown(
    tmp_path: Path, written: bytes, line: str
) -> None:
    output = output_in(tmp_path, limit=1)

    output.add(written)

    assert output.last_line() == line


def test_a_full_disk_is_noted_and_does_not_stop_the_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = output_in(tmp_path)

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "write", full)
    output.add(b"one\n")
    output.add(b"two\n")

    assert output.error == os.strerror(errno.ENOSPC)
    assert output.total_bytes == 8
    assert output.last_line() == "two"


def test_what_a_full_disk_swallowed_is_marked_when_there_is_room_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = output_in(tmp_path)
    room = 6
    write = os.write

    def limited(descriptor: int, data: bytes) -> int:
        nonlocal room
        if not room:
            raise OSError(errno.ENOSPC, "full")
        count = write(descriptor, data[:room])
        room -= count
        return count

    monkeypatch.setattr(os, "write", limited)
    for line in (b"one\n", b"two\n", b"three\n"):
        output.add(line)
    room = 100
    output.add(b"four\n")
    output.add(b"five\n")

    kept = (tmp_path / "output").read_bytes()
    assert kept == b"one\ntw\n[8 missing]\nfour\nfive\n"
    assert output.error == os.strerror(errno.ENOSPC)


def test_an_attempt_has_one_output_only(tmp_path: Path) -> None:
    output_in(tmp_path)

    with pytest.raises(FileExistsError):
        output_in(tmp_path)
