"""A text is edited where it has to be, and left alone everywhere else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from task_scheduler.config.document import parse_document
from task_scheduler.config.patch import GONE, CannotEditError, Edit, edited, unified
from task_scheduler.config.toml_document import parse_toml
from task_scheduler.config.written import document_text
from task_scheduler.config.yaml_document import parse_yaml

PARSERS = {"json": parse_document, "toml": parse_toml, "yaml": parse_yaml}
AT = ("entries", "a")

WRITTEN = {
    "json": '{\n  // the pond\n  "entries": {\n    "a": {\n      "type": "command", // c\n'
    '      "every": "1h",\n      "env": {"A": "1"}\n    },\n    "b": {"type": "x"}\n  }\n}\n',
    "toml": '# the pond\n[entries.a]\ntype = "command" # c\nevery = "1h"\n[entries.a.env]\n'
    'A = "1"\n\n[entries.b]\ntype = "x"\n',
    "yaml": "# the pond\nentries:\n  a:\n    type: command # c\n    every: 1h\n    env:\n"
    '      A: "1"\n  b: {type: "x"}\n',
}


@pytest.mark.parametrize("kind", PARSERS)
@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ([Edit((*AT, "every"), 5)], {"every": 5}),
        ([Edit((*AT, "every"), GONE)], {"every": GONE}),
        (
            [Edit((*AT, "every"), GONE), Edit((*AT, "daily"), "08:00")],
            {"every": GONE, "daily": "08:00"},
        ),
        (
            [Edit((*AT, "type"), GONE), Edit((*AT, "x"), [1, {"y": "ä"}])],
            {"type": GONE, "x": [1, {"y": "ä"}]},
        ),
        ([Edit((*AT, "env", "A"), "2")], {"env": {"A": "2"}}),
        ([Edit((*AT, "env", "B"), "2")], {"env": {"A": "1", "B": "2"}}),
        ([Edit((*AT, "gone"), GONE)], {}),
        ([Edit((*AT, "kwargs", "k"), True)], {"kwargs": {"k": True}}),
    ],
)
def test_single_values_are_edited_and_comments_stay(
    kind: str, edits: list[Edit], expected: dict[str, Any]
) -> None:
    document = PARSERS[kind](WRITTEN[kind], "c")
    entry = {**document.value["entries"]["a"], **expected}

    text = edited(document, kind, edits)

    found = PARSERS[kind](text, "c").value
    assert found["entries"]["a"] == {k: v for k, v in entry.items() if v is not GONE}
    assert found["entries"]["b"] == {"type": "x"}
    assert "the pond" in text


@pytest.mark.parametrize("kind", ["json", "toml"])
def test_every_key_of_a_task_may_make_room_for_others(kind: str) -> None:
    document = PARSERS[kind](WRITTEN[kind], "c")
    gone = [Edit((*AT, key), GONE) for key in ("type", "every", "env")]

    text = edited(document, kind, [*gone, *(Edit((*AT, key), 1) for key in "xyz")])

    assert PARSERS[kind](text, "c").value["entries"]["a"] == {"x": 1, "y": 1, "z": 1}


@pytest.mark.parametrize("kind", PARSERS)
def test_a_task_is_taken_out_whole(kind: str) -> None:
    document = PARSERS[kind](WRITTEN[kind], "c")

    text = edited(document, kind, [Edit(AT, GONE)])

    assert PARSERS[kind](text, "c").value == {"entries": {"b": {"type": "x"}}}


def test_a_task_that_is_told_without_a_table_of_its_own_is_left_alone() -> None:
    document = parse_toml("entries.a.type = 'command'\n", "c")

    with pytest.raises(CannotEditError):
        edited(document, "toml", [Edit((*AT, "every"), 5)])


def test_the_difference_is_one_that_patch_takes() -> None:
    assert unified("farm.toml", "a = 1\nb = 2\n", "a = 1\nb = 3") == (
        "--- a/farm.toml\n+++ b/farm.toml\n@@ -1,2 +1,2 @@\n a = 1\n-b = 2\n+b = 3\n"
        "\\ No newline at end of file\n"
    )


VALUES = (
    st.booleans()
    | st.integers(-99, 99)
    | st.text(st.characters(exclude_categories=("Cs",)), max_size=5)
    | st.lists(st.integers(0, 9), max_size=2)
)
NAMES = st.sampled_from(["type", "every", "daily", "name", "args", "été", "a b"])


@pytest.mark.parametrize("kind", PARSERS)
@given(
    entry=st.dictionaries(NAMES, VALUES, min_size=1, max_size=4),
    other=st.dictionaries(NAMES, VALUES, min_size=1, max_size=2),
    changes=st.dictionaries(NAMES, VALUES | st.just(GONE), min_size=1, max_size=4),
)
def test_whatever_is_edited_is_then_so_and_nothing_else_is(
    kind: str, entry: dict[str, Any], other: dict[str, Any], changes: dict[str, Any]
) -> None:
    values = {"entries": {"a": entry, "b": other}}
    document = PARSERS[kind](document_text(values, kind), "c")
    after = {**entry, **changes}
    wanted = {key: value for key, value in after.items() if value is not GONE}
    edits = [Edit((*AT, key), value) for key, value in changes.items()]
    is_emptied = all(changes.get(key) is GONE for key in entry)

    try:
        text = edited(document, kind, edits)
    except CannotEditError:
        assert is_emptied, "only where no key is left beside which another could stand"
        return

    if is_emptied and kind == "yaml":
        return  # an empty block is null: an entry always has its type
    assert PARSERS[kind](text, "c").value == {"entries": {"a": wanted, "b": other}}
