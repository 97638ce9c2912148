"""Jumps of the clock, both ways, up to eighty years: no early start, no duplicate, no stall."""

from __future__ import annotations

import os

import pytest

from tests.simulation.clock_jumps import JumpingWorld

JUMPS = 200
"""The campaign: CLOCK_JUMPS=2000."""
_GROUPS = 4


@pytest.mark.parametrize("group", range(_GROUPS))
def test_forty_schedules_survive_every_jump(group: int) -> None:
    world = JumpingWorld(group)
    for number in range(int(os.environ.get("CLOCK_JUMPS", JUMPS)) // _GROUPS):
        try:
            world.jump()
        except AssertionError as error:
            error.add_note(f"jump {number} of group {group}")
            raise
