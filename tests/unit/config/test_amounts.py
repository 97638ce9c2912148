"""Amounts: sizes and durations as users write them."""

from __future__ import annotations

import re

import pytest

from task_scheduler.config.amounts import (
    DURATION_PATTERN,
    SIZE_PATTERN,
    parse_duration,
    parse_size,
)
from task_scheduler.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (0, 0),
        (4096, 4096),
        ("10MB", 10_000_000),
        ("10MiB", 10 * 1024**2),
        ("1.5k", 1500),
        (" 2 GB ", 2 * 10**9),
        ("7b", 7),
        ("12", 12),
    ],
)
def test_a_size_is_a_number_of_bytes_or_text_with_a_unit(text: object, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "value", ["", "MB", "-1MB", "10 XB", "1i", "256IB", True, -1, 1.5, None, "9" * 50]
)
def test_anything_else_is_no_size(value: object) -> None:
    with pytest.raises(ConfigError, match="10MB"):
        parse_size(value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [(5, 5), (0.5, 0.5), ("30s", 30), ("1h30m", 5400), ("250ms", 0.25), ("1 d 2 h", 93_600)],
)
def test_a_duration_is_a_number_of_seconds_or_text_with_units(text: object, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("value", ["", "  ", "5", "m", "1x", "-5m", False, None, [5]])
def test_anything_else_is_no_duration(value: object) -> None:
    with pytest.raises(ConfigError, match="1h30m"):
        parse_duration(value)


@pytest.mark.parametrize("text", ["10MB", "1GiB", "5", "1.5 k", "1i", "256IB", "x"])
def test_the_pattern_of_sizes_in_the_schema_says_the_same_as_the_reader(text: str) -> None:
    assert (re.search(SIZE_PATTERN, text) is not None) == _reads(parse_size, text)


@pytest.mark.parametrize("text", ["5m", "1h 30m", "5", "ms", "250ms", ""])
def test_the_pattern_of_durations_in_the_schema_says_the_same_as_the_reader(text: str) -> None:
    assert (re.search(DURATION_PATTERN, text) is not None) == _reads(parse_duration, text)


def _reads(parse, text: str) -> bool:  # type: ignore[no-untyped-def]
    try:
        parse(text)
    except ConfigError:
        return False
    return True
