"""Output as rows: whatever pieces it comes in, and however long its lines are."""

from __future__ import annotations

import itertools

from task_scheduler.cli.top.log_lines import LogLines, LogRow

TEXT = "first\n\n水温センサー 12.5\nlast without an end"


def rows_of(*pieces: str, width: int = 40) -> list[str]:
    lines = LogLines(width)
    for piece in pieces:
        lines.add(piece)
    return [row.text for row in lines.rows]


def test_pieces_may_be_cut_anywhere() -> None:
    whole = TEXT.split("\n")

    for one, two in itertools.combinations(range(len(TEXT) + 1), 2):
        assert rows_of(TEXT[:one], TEXT[one:two], TEXT[two:]) == whole


def test_the_end_of_a_line_is_no_empty_row() -> None:
    assert rows_of("a\n") == ["a"]
    assert rows_of("a\n", "\n", "b\n") == ["a", "", "b"]
    assert rows_of("") == []


def test_a_long_line_goes_on_in_the_next_row() -> None:
    assert rows_of("abcdefgh", width=3) == ["abc", "def", "gh"]
    assert rows_of("abcd", "efgh", width=3) == ["abc", "def", "gh"]
    assert rows_of("水温センサー", width=5) == ["水温", "セン", "サー"]


def test_another_width_lays_everything_out_anew() -> None:
    lines = LogLines(80)
    lines.add("abcdef\nxyz\nop")

    lines.resize(3)
    lines.add("q\n")

    assert [row.text for row in lines.rows] == ["abc", "def", "xyz", "opq"]


def test_a_sentence_of_ours_stands_between_the_lines() -> None:
    lines = LogLines(80)
    lines.add("not ended")
    lines.tell("-- attempt 2 --")
    lines.add("anew")

    assert lines.rows == [LogRow("not ended"), LogRow("-- attempt 2 --", True), LogRow("anew")]


def test_of_endless_output_the_newest_lines_are_kept() -> None:
    lines = LogLines(80)
    for number in range(60):
        lines.add("".join(f"{number * 1_000 + n}\n" for n in range(1_000)))

    assert 50_000 <= len(lines.rows) <= 55_000
    assert lines.rows[-1].text == "59999"
