"""Columns of text: East Asian characters take two, and nothing commands the terminal."""

from __future__ import annotations

import pytest

from task_scheduler.cli.display_width import pad, showable, width_of, wrap
from task_scheduler.cli.tables import Cell, Column, Row, table


@pytest.mark.parametrize(
    ("text", "width"), [("abc", 3), ("数据上传", 8), ("ｶﾅ", 2), ("e\u0301", 1), ("", 0), ("–✓", 2)]
)
def test_a_width_is_that_of_a_terminal(text: str, width: int) -> None:
    assert width_of(text) == width


def test_wrapping_loses_nothing_and_keeps_the_width() -> None:
    text = "毎週月曜と金曜の8:00に実行します。 every monday at-eight-o-clock-sharp"

    lines = wrap(text, 10)

    assert max(map(width_of, lines)) <= 10
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_a_closing_mark_never_begins_a_line() -> None:
    assert wrap("実行します。", 10) == ["実行しま", "す。"]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("フォルダーを確かめる", ["フォルダーを", "確かめる"]),
        ("一行だけッてこと", ["一行だけッて", "こと"]),
        ("設定を開く（既定のもの）", ["設定を開く", "（既定のも", "の）"]),
        ("設定docs/xを見る", ["設定docs/xを", "見る"]),
        ("ください。docs/alerts", ["ください。", "docs/alerts"]),
    ],
)
def test_lines_end_where_a_reader_expects_it(text: str, lines: list[str]) -> None:
    assert wrap(text, 12) == lines


@pytest.mark.parametrize("text", ["a\x1b[31mb", "a\x07b", "a\u202eb", "a\x9bb", "a\ud800b"])
def test_what_commands_a_terminal_is_replaced(text: str) -> None:
    assert showable(text).startswith("a\ufffd")


def test_padding_goes_by_columns() -> None:
    assert pad("数据", 6) == "数据  "
    assert pad("7", 3, is_right=True) == "  7"


def test_columns_line_up_whatever_the_script() -> None:
    rows = [Row(["数据上传", "x"]), Row([Cell("heartbeat"), "y"])]

    lines = table([Column("TASK"), Column("")], rows, width=None, paint=lambda text, _: text)

    assert {
        width_of(line[: line.index(mark)]) for line, mark in zip(lines[1:], "xy", strict=True)
    } == {11}
