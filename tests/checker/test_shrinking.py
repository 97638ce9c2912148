"""A violation is shown by as few rows as it needs."""

from __future__ import annotations

import pytest

from tests.checker import shrink, sound, violations
from tests.checker.corruptions import CORRUPTIONS
from tests.checker.shrinking import rows_of
from tests.checker.spoiling import Spoiler


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("a begin is doubled", 4),
        ("a key has two runs", 2),
        ("a run is lost without a trace", 0),
        ("it began again, and the attempt before is recorded nowhere", 4),
        ("two attempts of a program overlap", 3),
        ("run_once gives the reason of skip", 1),
        ("a run that was over was opened again", 3),
    ],
)
def test_what_is_left_shows_the_same_violation(name: str, most: int) -> None:
    invariant, corrupt = CORRUPTIONS[name]
    spoiler = Spoiler(sound.day())
    corrupt(spoiler)
    violation = next(x for x in violations(spoiler.history) if x.invariant == invariant)

    least = shrink(spoiler.history, violation)

    assert [x for x in violations(least) if (x.invariant, x.row) == (invariant, violation.row)]
    assert len(least.tasks) == 1
    assert len(rows_of(least)) <= most
