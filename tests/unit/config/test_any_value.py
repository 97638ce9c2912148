"""Whatever stands in a configuration, the answer is settings or one ConfigError."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from task_scheduler.config import Config
from task_scheduler.config.document import parse_document
from task_scheduler.config.settings import plain_defaults
from task_scheduler.errors import ConfigError

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from([10**400, -(10**400), 1e308, "9" * 5000, "\ud800", "a\0b", b"x"])
    | st.builds(object)
    | st.builds(lambda: 10**5000)  # too long for Hypothesis to print
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
KEYS = [(section, key) for section, keys in plain_defaults().items() for key in keys]
ENTRY_KEYS = [
    "type", "name", "every", "cron", "at", "schedule", "timezone", "start_at", "enabled", "args",
    "command", "script_path", "function", "kwargs", "env", "working_dir", "interpreter", "days",
    "patterns", "log_dir", "timeout", "overlap", "isolation", "description", "daily", "weekly",
    "monthly", "on_calendar", "rrule", "solar", "latitude", "end_at", "max_runs", "exclude", "roll",
    "include", "jitter_seconds", "anchor", "kind", "gap", "day_and",
]  # fmt: skip
RULES = st.dictionaries(
    st.sampled_from(["type", "seconds", "cron", "run_at", "gap", "rules", "exclude", "weekly"]),
    VALUES,
)
CALENDARS = st.dictionaries(
    st.sampled_from(
        ["country", "weekends", "days", "workdays", "windows", "timezone", "file", "x"]
    ),
    VALUES
    | st.text(max_size=12)
    | st.lists(st.dictionaries(st.sampled_from(["from", "to", "weekdays"]), st.text(max_size=8))),
)
ENTRIES = st.builds(
    lambda kind, keys, rule: {"type": kind, **rule, **keys},
    st.sampled_from(["script", "command", "function", "log_cleanup"]),
    st.dictionaries(st.sampled_from(ENTRY_KEYS), VALUES, max_size=4),
    st.just({"every": 5}) | st.builds(lambda rules: {"schedule": rules}, st.lists(RULES)),
)


def load(values: Any) -> None:
    """Load a mapping; only our own error may come of it, and it can be shown."""
    found: ConfigError | None = None
    try:
        Config.load(values, environ={}, folder=Path("/nowhere"))
    except ConfigError as error:
        found = error
    assert found is None or str(found)


@given(st.sampled_from(KEYS), VALUES)
def test_any_value_of_any_key(path: tuple[str, str], value: Any) -> None:
    section, key = path

    load({section: {key: value}})


@given(st.dictionaries(st.sampled_from(list(plain_defaults())), VALUES))
def test_any_value_as_a_section(values: dict[str, Any]) -> None:
    load(values)


@given(ENTRIES)
def test_any_value_in_an_entry(entry: dict[str, Any]) -> None:
    load({"entries": {"it": entry}})


@given(CALENDARS)
def test_any_value_in_a_calendar(calendar: dict[str, Any]) -> None:
    load({"calendars": {"it": calendar}})


@given(st.sampled_from(KEYS), st.text(max_size=50) | st.just("9" * 5000))
def test_any_text_in_the_environment(path: tuple[str, str], text: str) -> None:
    name = "TASK_SCHEDULER__" + "__".join(path).upper()

    with contextlib.suppress(ConfigError):
        Config.load({}, environ={name: text}, folder=Path("/nowhere"))


@given(st.text(alphabet="{}[]\",:/* \n\\ab01.-e+'u", max_size=30))
def test_any_text_as_a_file(text: str) -> None:
    with contextlib.suppress(ConfigError):
        parse_document(text, "c.json")
