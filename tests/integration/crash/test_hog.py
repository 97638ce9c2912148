"""A function that computes all the time keeps no other from starting."""

from __future__ import annotations

import pytest

from tests.integration.crash import hog


@pytest.mark.parametrize("switch", [hog.FOREGROUND, 0.0])
@pytest.mark.parametrize("apart", [0.005, 0.0])
def test_all_functions_start_beside_a_hog(apart: float, switch: float) -> None:
    late = hog.measure(count=200, apart=apart, switch=switch)

    assert len(late) == 200
    assert late[0] >= 0
    # Generous: other tests run beside this one. scripts/crash --hog tells the real figures.
    assert late[int(len(late) * 0.99)] < 5
