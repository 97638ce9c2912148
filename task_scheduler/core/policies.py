"""Policies as a user writes them: keywords in, `Policies` out, and back for the store.

Responsible for: the policy keys, their allowed values, and one error that names everything that is
wrong at once. Does not know where the options come from (keywords of a task, the config file).
"""

from __future__ import annotations

import difflib
import functools
import math
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any, NamedTuple

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
from task_scheduler.core.rates import MOST_STARTS, rate_of
from task_scheduler.errors import PolicyError
from task_scheduler.i18n import translate

__all__ = ["ALIASES", "POLICY_KEYS", "from_plain", "policies_from", "to_plain", "to_sparse"]

_LONGEST = 100 * 365.25 * 86_400
"""Seconds in a hundred years: moments stay far inside 64 bits of microseconds."""
_SHORTEST_TIMEOUT = 0.001
"""Seconds. Anything below is a slip of units, and would round to no time at all."""


class _Number(NamedTuple):
    """A key whose value is a number between two bounds, both included."""

    field: str
    low: float
    high: float
    is_whole: bool = False


class _Timeout(NamedTuple):
    """A key whose value is a duration; None or 0 mean none."""

    field: str


class _Choice(NamedTuple):
    """A key whose value is one of a few words."""

    field: str
    words: type[StrEnum]


class _Name(NamedTuple):
    """A key whose value is a name that the user chose, or None."""

    field: str


class _Rate(NamedTuple):
    """A key whose value is a number of starts in a time, or None."""

    field: str


class _After(NamedTuple):
    """A key whose value is a task, or several, each perhaps with how it has to end."""

    field: str


_Spec = _Number | _Timeout | _Choice | _Name | _Rate | _After

_KEYS: dict[str, _Spec] = {
    "timeout": _Timeout("timeout_seconds"),
    "max_retries": _Number("max_retries", 0, 1_000_000, is_whole=True),
    "retry_delay": _Number("retry_delay_seconds", 0, _LONGEST),
    "backoff": _Choice("backoff", Backoff),
    "retry_jitter": _Number("retry_jitter", 0, 1),
    "retry_max_delay_seconds": _Number("retry_max_delay_seconds", 0, _LONGEST),
    "misfire": _Choice("misfire", MisfirePolicy),
    "misfire_grace_seconds": _Number("misfire_grace_seconds", 0, _LONGEST),
    "catch_up_window_seconds": _Number("catch_up_window_seconds", 0, _LONGEST),
    "catch_up_limit": _Number("catch_up_limit", 1, 1_000_000, is_whole=True),
    "overlap": _Choice("overlap", OverlapPolicy),
    "overlap_limit": _Number("overlap_limit", 0, 1_000_000, is_whole=True),
    "on_lost": _Choice("on_lost", OnLost),
    "kill_grace_seconds": _Number("kill_grace_seconds", 0, 86_400),
    "isolation": _Choice("isolation", Isolation),
    "priority": _Number("priority", -1_000_000, 1_000_000, is_whole=True),
    "pool": _Name("pool"),
    "rate_limit": _Rate("rate_limit"),
    "after": _After("after"),
    "after_mode": _Choice("after_mode", AfterMode),
}

POLICY_KEYS: tuple[str, ...] = tuple(_KEYS)
"""The keys, as keywords of tasks and in the config's `tasks` section."""

ALIASES: Mapping[str, str] = {"default_timeout": "timeout"}
"""Other names of keys: the original's word in its `tasks` section."""


def policies_from(options: Mapping[str, Any], defaults: Policies) -> Policies:
    """Return `defaults` with the options in their place.

    Raises PolicyError, which names every wrong key and value at once.
    """
    if not options:
        return defaults
    changes: dict[str, Any] = {}
    problems: list[str] = []
    given: dict[str, str] = {}
    for name, value in options.items():
        key = ALIASES.get(name, name)
        spec = _KEYS.get(key)
        if spec is None:
            problems.append(_unknown(name))
            continue
        if key in given:
            problems.append(translate("policies.given_twice", key=given[key], other=name))
            continue
        given[key] = name
        problem = _problem(spec, name, value)
        if problem is None:
            changes[spec.field] = _converted(spec, value)
        else:
            problems.append(problem)
    if problems:
        raise PolicyError("policies.invalid", problems="; ".join(problems))
    return replace(defaults, **changes)


def to_plain(policies: Policies) -> dict[str, Any]:
    """Return the policies as JSON data under their keys."""
    return dict(_plain_of(policies))


@functools.lru_cache(maxsize=1_024)
def _plain_of(policies: Policies) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for key, spec in _KEYS.items():
        value = getattr(policies, spec.field)
        if isinstance(spec, _After):
            # None and no empty list: a value that can be hashed is read but once.
            value = [{"task": link.task_id, "on": str(link.on)} for link in value] or None
        plain[key] = str(value) if isinstance(spec, _Choice) else value
    return plain


def to_sparse(policies: Policies) -> dict[str, Any]:
    """Return what of the policies is not as `Policies()` has it: the form in which they are stored.

    Most entries have hardly any of their own, and there may be a million. So a default is a part of
    the ledger's format: a release that changes one writes the old value into the entries.
    """
    return {key: value for key, value in to_plain(policies).items() if value != _USUAL[key]}


def from_plain(plain: Mapping[str, Any]) -> Policies:
    """Return the policies that `to_plain` or `to_sparse` wrote.

    A key that is missing, or holds what this release does not know, has its default: an entry of
    another release must not stop the engine.
    """
    try:
        # Most entries of a ledger have the same few policies, and a tick reads many.
        return _read(tuple(plain.items()))
    except TypeError:  # a value that cannot be hashed, and is none of ours
        return _read.__wrapped__(tuple(plain.items()))


@functools.lru_cache(maxsize=1_024)
def _read(items: tuple[tuple[str, Any], ...]) -> Policies:
    plain = dict(items)
    changes = {
        spec.field: _converted(spec, plain[key])
        for key, spec in _KEYS.items()
        if key in plain and _problem(spec, key, plain[key]) is None
    }
    return Policies(**changes)


def _converted(spec: _Spec, value: Any) -> Any:
    """Return a checked value as the core holds it."""
    if isinstance(spec, _Choice):
        return spec.words(value)
    if isinstance(spec, _Timeout):
        return float(value) if value else None
    if isinstance(spec, _Name | _Rate):
        return value
    if isinstance(spec, _After):
        return _links(value)
    return int(value) if spec.is_whole else float(value)


def _problem(spec: _Spec, key: str, value: Any) -> str | None:
    """Say what is wrong with a value; None if nothing is."""
    if isinstance(spec, _Choice):
        return _choice_problem(spec, key, value)
    if isinstance(spec, _Timeout):
        if value is None or (_is_number(value) and value == 0):
            return None
        if _is_number(value) and _SHORTEST_TIMEOUT <= value <= _LONGEST:
            return None
        return translate(
            "policies.timeout", key=key, value=value, low=_SHORTEST_TIMEOUT, high=_plain(_LONGEST)
        )
    if isinstance(spec, _Name):
        is_name = value is None or (
            isinstance(value, str) and value.isprintable() and value.strip()
        )
        return None if is_name else translate("policies.name", key=key, value=value)
    if isinstance(spec, _After):
        return (
            None if _links(value) is not None else translate("policies.after", key=key, value=value)
        )
    if isinstance(spec, _Rate):
        is_rate = value is None or (isinstance(value, str) and rate_of(value) is not None)
        return (
            None if is_rate else translate("policies.rate", key=key, value=value, most=MOST_STARTS)
        )
    # A comparison, not isfinite: NaN fails it too, and an int of a thousand digits is welcome.
    if spec.is_whole:
        is_fit = _is_number(value) and isinstance(value, int) and spec.low <= value <= spec.high
        sentence = "policies.whole_number"
    else:
        is_fit = _is_number(value) and spec.low <= value <= spec.high
        sentence = "policies.number"
    if is_fit:
        return None
    return translate(sentence, key=key, value=value, low=_plain(spec.low), high=_plain(spec.high))


def _links(value: Any) -> tuple[Link, ...] | None:
    """Return the parents that a value names, each once; None if it is no such value."""
    items = value if isinstance(value, list | tuple) else [] if value is None else [value]
    links: dict[str, Link] = {}
    for item in items:
        given = item if isinstance(item, Mapping) else {"task": item}
        task_id, on = given.get("task"), given.get("on", str(ChainOn.SUCCESS))
        is_known = isinstance(on, str) and on in list(ChainOn) and set(given) <= {"task", "on"}
        if not isinstance(task_id, str) or not task_id or not is_known or task_id in links:
            return None
        links[task_id] = Link(task_id, ChainOn(on))
    return tuple(links.values())


def _choice_problem(spec: _Choice, key: str, value: Any) -> str | None:
    words = [str(word) for word in spec.words]
    if isinstance(value, str) and value in words:
        return None
    allowed = ", ".join(repr(word) for word in words)
    hint = _hint(value, words)
    return translate("policies.choice", key=key, value=value, allowed=allowed, hint=hint)


def _unknown(name: Any) -> str:
    hint = _hint(name, [*POLICY_KEYS, *ALIASES])
    return translate("policies.unknown", key=name, hint=hint, known=", ".join(POLICY_KEYS))


def _hint(value: Any, words: list[str]) -> str:
    close = difflib.get_close_matches(value.lower(), words, n=1) if isinstance(value, str) else []
    return translate("policies.did_you_mean", word=close[0]) if close else ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _plain(bound: float) -> str:
    return str(math.trunc(bound)) if bound == math.trunc(bound) else str(bound)


_USUAL = to_plain(Policies())
