"""Policies as users write them: keys, allowed values, and one error for all that is wrong."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from typing import Any

import pytest

from task_scheduler.core.model import (
    AfterMode,
    Backoff,
    ChainOn,
    Isolation,
    Link,
    MisfirePolicy,
    OnLost,
    OverlapPolicy,
    Policies,
)
from task_scheduler.core.policies import POLICY_KEYS, from_plain, policies_from, to_plain
from task_scheduler.errors import DefinitionError, PolicyError

ALL_OPTIONS: dict[str, Any] = {
    "timeout": 20,
    "max_retries": 5,
    "retry_delay": 10,
    "backoff": "exponential",
    "retry_jitter": 0.25,
    "retry_max_delay_seconds": 60,
    "misfire": "run_all",
    "misfire_grace_seconds": 5,
    "catch_up_window_seconds": 3600,
    "catch_up_limit": 7,
    "overlap": "queue",
    "overlap_limit": 2,
    "on_lost": "at_most_once",
    "kill_grace_seconds": 3,
    "isolation": "process",
    "priority": -4,
    "pool": "serial",
    "rate_limit": "10/1m",
    "after": ["a", {"task": "b", "on": "failure"}],
    "after_mode": "any",
}
ALL_POLICIES = Policies(
    timeout_seconds=20.0,
    max_retries=5,
    retry_delay_seconds=10.0,
    backoff=Backoff.EXPONENTIAL,
    retry_jitter=0.25,
    retry_max_delay_seconds=60.0,
    misfire=MisfirePolicy.RUN_ALL,
    misfire_grace_seconds=5.0,
    catch_up_window_seconds=3600.0,
    catch_up_limit=7,
    overlap=OverlapPolicy.QUEUE,
    overlap_limit=2,
    on_lost=OnLost.AT_MOST_ONCE,
    kill_grace_seconds=3.0,
    isolation=Isolation.PROCESS,
    priority=-4,
    pool="serial",
    rate_limit="10/1m",
    after=(Link("a"), Link("b", ChainOn.FAILURE)),
    after_mode=AfterMode.ANY,
)


def test_every_key_sets_its_policy() -> None:
    assert set(ALL_OPTIONS) == set(POLICY_KEYS)
    assert len(POLICY_KEYS) == len(fields(Policies))
    assert policies_from(ALL_OPTIONS, Policies()) == ALL_POLICIES


def test_what_is_not_given_comes_from_the_defaults() -> None:
    defaults = Policies(max_retries=1, priority=9)

    policies = policies_from({"max_retries": 2}, defaults)

    assert (policies.max_retries, policies.priority) == (2, 9)
    assert policies_from({}, defaults) is defaults


def test_the_original_word_for_the_timeout_is_understood() -> None:
    assert policies_from({"default_timeout": 12}, Policies()).timeout_seconds == 12.0


@pytest.mark.parametrize("nothing", [None, 0, 0.0])
def test_none_or_zero_means_no_timeout(nothing: float | None) -> None:
    assert policies_from({"timeout": nothing}, Policies()).timeout_seconds is None


def test_enums_are_as_good_as_their_words() -> None:
    assert policies_from({"overlap": OverlapPolicy.ALLOW}, Policies()).overlap == "allow"


WRONG: list[tuple[str, Any]] = [
    ("timeout", -1),
    ("timeout", math.nan),
    ("timeout", math.inf),
    ("timeout", True),
    ("timeout", "300"),
    ("timeout", 1e-9),
    ("timeout", 10**400),
    ("max_retries", -1),
    ("max_retries", 2.5),
    ("max_retries", 3.0),
    ("max_retries", True),
    ("max_retries", None),
    ("max_retries", 10**400),
    ("retry_delay", -0.1),
    ("retry_delay", math.nan),
    ("retry_delay", math.inf),
    ("retry_delay", 10**400),
    ("retry_delay", False),
    ("retry_jitter", 1.01),
    ("retry_jitter", math.nan),
    ("retry_max_delay_seconds", "60"),
    ("misfire_grace_seconds", None),
    ("catch_up_window_seconds", -5),
    ("catch_up_limit", 0),
    ("overlap_limit", -1),
    ("kill_grace_seconds", math.inf),
    ("priority", 1.5),
    ("backoff", "linear"),
    ("misfire", None),
    ("overlap", 3),
    ("on_lost", ["at_least_once"]),
    ("isolation", "fibre"),
]


@pytest.mark.parametrize(("key", "value"), WRONG, ids=repr)
def test_a_wrong_value_is_named_with_its_key(key: str, value: Any) -> None:
    with pytest.raises(PolicyError) as caught:
        policies_from({key: value}, Policies())

    assert isinstance(caught.value, DefinitionError)
    assert key in str(caught.value)
    assert repr(value)[:20] in str(caught.value)


def test_a_wrong_word_comes_with_the_allowed_ones_and_the_nearest() -> None:
    with pytest.raises(PolicyError) as caught:
        policies_from({"overlap": "que"}, Policies())

    text = str(caught.value)
    assert "did you mean 'queue'?" in text
    assert "'skip', 'queue', 'allow', 'replace'" in text


def test_an_unknown_key_comes_with_the_nearest() -> None:
    with pytest.raises(PolicyError, match=r"'max_retrys' \(did you mean 'max_retries'\?\)"):
        policies_from({"max_retrys": 3}, Policies())


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(PolicyError) as caught:
        policies_from({"timeout": -1, "colour": "red", "misfire": "run"}, Policies())

    told = ("timeout is -1", "there is no policy 'colour'", "misfire is 'run'")
    assert [problem for problem in told if problem not in str(caught.value)] == []


def test_the_two_words_for_the_timeout_may_not_disagree() -> None:
    with pytest.raises(PolicyError, match="timeout and default_timeout mean the same"):
        policies_from({"timeout": 1, "default_timeout": 2}, Policies())


@pytest.mark.parametrize("policies", [Policies(), Policies(timeout_seconds=None), ALL_POLICIES])
def test_policies_survive_the_store(policies: Policies) -> None:
    plain = json.loads(json.dumps(to_plain(policies), allow_nan=False))

    assert from_plain(plain) == policies


def test_stored_policies_of_another_release_fall_back_to_the_defaults_key_by_key() -> None:
    stored = {"max_retries": 8, "overlap": "a word of tomorrow", "new_key": 1, "priority": None}

    assert from_plain(stored) == Policies(max_retries=8)


def test_no_options_at_all_are_the_defaults() -> None:
    assert from_plain({}) == Policies()
