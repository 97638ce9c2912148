"""The reader of JSON with comments: its values, its positions, and its complaints."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from task_scheduler.config.document import parse_document
from task_scheduler.errors import ConfigError

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


@given(JSON_VALUES)
def test_plain_json_reads_as_the_standard_library_reads_it(value: object) -> None:
    assert parse_document(json.dumps(value), "c.json").value == value


def test_comments_and_trailing_commas_are_welcome() -> None:
    text = '{ // one\n "a": [1, 2,], /* two\n lines */ "b": "// no comment",\n}'

    assert parse_document(text, "c.json").value == {"a": [1, 2], "b": "// no comment"}


def test_every_value_knows_its_line_and_column() -> None:
    document = parse_document('{\n  "温度": {"b": [10, 20]}\n}', "c.json")

    assert document.place(("温度", "b", 1)).label == "c.json:2:20"
    assert document.place(("温度", "b"), of_key=True).label == "c.json:2:10"


def test_a_part_that_is_not_there_is_placed_where_it_is_missing() -> None:
    document = parse_document('{\n  "a": {}\n}', "c.json")

    assert document.place(("a", "missing")).label == "c.json:2:8"


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ('{"a": 1 "b": 2}', "c.json:1:8", "a comma or } was expected"),
        ('{"a" 1}', "c.json:1:6", "after the key 'a' a colon"),
        ("{'a': 1}", "c.json:1:2", "double quotes"),
        ("{a: 1}", "c.json:1:2", "a key in double quotes"),
        ('{"a": yes}', "c.json:1:7", "true, false and null"),
        ('{"a": "x', "c.json:1:7", "no closing double quote"),
        ('{"a": "x\ny"}', "c.json:1:9", "line break"),
        ('{"a": "\\x"}', "c.json:1:8", "backslash"),
        ('{"a": "\\ud800"}', "c.json:1:7", "one half"),
        ("{} /* x", "c.json:1:4", "no closing */"),
        ("{} {}", "c.json:1:4", "ended before"),
        ("{", "c.json:1:2", "the end of the file"),
        ("[" * 200, "c.json:1:102", "brackets"),
    ],
)
def test_broken_grammar_is_shown_at_its_place(text: str, where: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_document(text, "c.json")

    assert str(caught.value).startswith(f"{where}: ")
    assert what in str(caught.value)
    assert caught.value.values["line"] == 1


def test_the_line_in_question_is_shown_with_a_caret_below_the_place() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_document('{\n  "名": 1 2\n}', "c.json")

    assert str(caught.value).splitlines()[1:] == ['      "名": 1 2', "             ^"]


def test_an_empty_file_is_told_with_the_remedy() -> None:
    with pytest.raises(ConfigError, match=r"Write \{\}"):
        parse_document(" // nothing\n", "c.json")


def test_what_the_grammar_allows_and_we_do_not_is_noted_and_the_reading_goes_on() -> None:
    document = parse_document('{"a": NaN, "a": 1e999, "b": -Infinity, "c": ' + "1" * 500 + "}", "c")

    assert [problem.key for problem in document.problems] == ["a", "a", "a", "b", "c"]
