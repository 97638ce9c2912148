"""Tags: what may be one, and the index that follows the entries."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from task_scheduler.core.inbox import RemoveEntries
from task_scheduler.core.model import Entry
from task_scheduler.core.tags import checked_tags, tag_of, tags_in, tags_of
from tests.unit.core.engine_bench import Bench, entry


def tagged(task_id: str, *tags: str) -> Entry:
    return replace(entry(task_id), definition={"tags": list(tags)} if tags else {})


def index(bench: Bench) -> dict[str, Any]:
    return {
        tag: bench.ledger.fetch("tagged", tags=[tag])[tag]
        for tag in bench.ledger.fetch("count_tags")
    }


@pytest.mark.parametrize(
    ("value", "tags"),
    [
        ([], ()),
        (["pond", "gateway", "pond"], ("gateway", "pond")),
        (("养殖", "team:ops"), ("team:ops", "养殖")),
        (iter(["a"]), ("a",)),
        (["x" * 64], ("x" * 64,)),
    ],
)
def test_tags_are_sorted_and_each_there_once(value: Any, tags: tuple[str, ...]) -> None:
    assert checked_tags(value) == tags


@pytest.mark.parametrize(
    "value",
    [
        "pond",
        {"pond": 1},
        None,
        7,
        [7],
        [""],
        ["a b"],
        ["a,b"],
        ["a*"],
        ["[a]"],
        ["it's"],
        ["a\n"],
        ["\u3000"],
        ["\ud800"],
        ["x" * 65],
        [str(number) for number in range(33)],
    ],
)
def test_what_may_be_no_tag_is_refused_as_a_whole(value: Any) -> None:
    assert checked_tags(value) is None


def test_a_pattern_names_a_tag_by_its_prefix() -> None:
    assert tag_of("tag:pond") == "pond"
    assert tag_of("pond") is None
    assert tags_in(["tag:a", "b", "tag:c*"]) == {"a", "c*"}


def test_what_somebody_wrote_into_the_ledger_by_hand_has_no_tags() -> None:
    assert tags_of({"tags": {"no": "list"}}) == ()


def test_the_index_follows_what_is_added_changed_and_removed() -> None:
    bench = Bench()
    bench.add(tagged("a", "pond", "night"), tagged("b", "pond"), tagged("c"))
    assert index(bench) == {"night": ["a"], "pond": ["a", "b"]}

    bench.add(tagged("a", "gateway"), tagged("b", "pond"))
    assert index(bench) == {"gateway": ["a"], "pond": ["b"]}

    bench.command(RemoveEntries(task_ids=["a"]))
    assert index(bench) == {"pond": ["b"]}


def test_a_changed_tag_is_a_change_and_the_same_ones_are_none() -> None:
    bench = Bench()
    bench.add(tagged("a", "pond"))
    revision = bench.ledger.fetch("load_entries", ids=["a"])[0][9]

    bench.add(tagged("a", "pond"))
    assert bench.ledger.fetch("load_entries", ids=["a"])[0][9] == revision

    bench.add(tagged("a", "pond", "night"))
    assert bench.ledger.fetch("load_entries", ids=["a"])[0][9] > revision
