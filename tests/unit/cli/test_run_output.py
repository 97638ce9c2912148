"""Output of runs: shown without obeying it, from any place in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from task_scheduler.cli.run_output import Neutraliser, OutputFile, output_files, tail_offset

HOSTILE = (
    "plain \x1b[31mred\x1b[0m \x1b]0;title\x07tail 日本\u202e語\x00\r\n"
    "10 %\r50 %\r100 %\nlast \x1b]8;;http://x\x1b\\link"
).encode()
HARMLESS = "plain red tail 日本\ufffd語\ufffd\n10 %\n50 %\n100 %\nlast link"


def test_what_a_terminal_would_obey_is_taken_out() -> None:
    assert Neutraliser().feed(HOSTILE, is_last=True) == HARMLESS


def test_pieces_may_be_cut_anywhere() -> None:
    for cut in range(len(HOSTILE)):
        neutraliser = Neutraliser()
        text = neutraliser.feed(HOSTILE[:cut]) + neutraliser.feed(HOSTILE[cut:], is_last=True)

        assert text == HARMLESS, cut


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    assert Neutraliser().feed(b"a\xff\xfeb", is_last=True) == "a\ufffd\ufffdb"


@pytest.mark.parametrize(
    ("data", "lines", "rest"),
    [
        (b"1\n2\n3\n", 2, b"2\n3\n"),
        (b"1\n2\n3", 2, b"2\n3"),
        (b"1\n2\n3\n", 9, b"1\n2\n3\n"),
        (b"", 3, b""),
        (b"\n\n\n", 1, b"\n"),
        (b"x" * 200_000 + b"\nend\n", 1, b"end\n"),
        (b"head\n" + b"x" * 200_000 + b"\n", 1, b"x" * 200_000 + b"\n"),
    ],
)
def test_the_last_lines_are_found_from_the_end(
    tmp_path: Path, data: bytes, lines: int, rest: bytes
) -> None:
    path = tmp_path / "output"
    path.write_bytes(data)

    assert data[tail_offset(path, lines) :] == rest


def test_what_was_read_is_not_read_again(tmp_path: Path) -> None:
    path = tmp_path / "output"
    file = OutputFile(path)

    assert list(file.chunks()) == []
    path.write_bytes(b"one")
    assert list(file.chunks()) == [b"one"]
    with path.open("ab") as more:
        more.write(b"two")
    assert list(file.chunks()) == [b"two"]


def test_an_attempt_that_began_after_the_run_was_read_is_the_next_one(tmp_path: Path) -> None:
    for token in (11, 12):
        (tmp_path / f"7-{token}").mkdir()
    ended = {"attempt": 1, "token": 11, "output_path": "7-11/output"}
    run = {"run_id": 7, "state": "waiting", "attempt": 1, "attempts": [ended]}

    assert output_files(run, tmp_path) == {
        1: tmp_path / "7-11" / "output",
        2: tmp_path / "7-12" / "output",
    }


def test_a_file_that_was_emptied_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "output"
    path.write_bytes(b"a long first line\n")
    file = OutputFile(path)
    assert b"".join(file.chunks()) == b"a long first line\n"

    path.write_bytes(b"anew\n")

    assert b"".join(file.chunks()) == b"anew\n"
    assert list(file.chunks()) == []
