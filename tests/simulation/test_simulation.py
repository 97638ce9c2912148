"""The engine through crashes, clock steps, failing stores and busy operators, seed by seed."""

from __future__ import annotations

import os

import pytest

from tests.simulation.world import World

SEEDS = 100
HOURS = 1.5
_GROUPS = 20


def live(seed: int) -> World:
    """Let one world live, and tell how to live it again if something is wrong in it."""
    world = World(seed)
    try:
        world.live(HOURS)
    except BaseException as error:
        story = "\n".join(world.story[-25:])
        error.add_note(
            f"seed {seed}; again: SIM_SEED={seed} scripts/test tests/simulation\n{story}"
        )
        raise
    return world


def seeds_of(group: int) -> list[int]:
    """Return the seeds of one test: those of the group, or the one that was asked for."""
    asked = os.environ.get("SIM_SEED")
    if asked is not None:
        return [int(asked)] if group == 0 else []
    count = int(os.environ.get("SIM_SEEDS", SEEDS))
    return list(range(group, count, _GROUPS))


@pytest.mark.parametrize("group", range(_GROUPS))
def test_every_promise_is_kept_in_every_world(group: int) -> None:
    for seed in seeds_of(group):
        live(seed)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_same_seed_gives_the_same_ledger_byte_for_byte(seed: int) -> None:
    assert live(seed).dump() == live(seed).dump()
