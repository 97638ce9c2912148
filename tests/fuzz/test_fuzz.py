"""The short tier: every reader answers what nobody means well."""

from __future__ import annotations

import pytest

from tests.fuzz.campaign import fuzz
from tests.fuzz.targets import TARGETS

_INPUTS = {"config": 150, "row": 120, "control": 200}


@pytest.mark.parametrize("target", TARGETS)
def test_every_input_is_answered(target: str) -> None:
    tally = fuzz(target, seed=20261125, first=0, count=_INPUTS.get(target, 400))

    crashes = [finding for finding in tally.findings if "of CPU" not in finding]
    assert crashes == []
    assert 0 < tally.refused <= tally.inputs or target in ("exit_record", "control", "row")
