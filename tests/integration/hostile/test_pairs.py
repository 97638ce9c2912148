"""Pairs: the witnesses alone, and beside each hostile task. What came of them must be the same.

Confined, the kernel refuses the attack; unconfined, as the scheduler's own user, supervision alone
must keep the others from harm. What the scheduler's own user can do all the same is in `test_own`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.hostile.arena import Account, Arena, Hostile, expected, idle_accounts
from tests.integration.hostile.witnesses import WITNESSES

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="confinement and /proc are Linux's"
)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")

CONFINED: dict[str, Any] = {"user": "nobody", "network": "none", "no_new_privileges": True}
FORKER, KILLER = idle_accounts()

UNCONFINED = {
    "kills its supervisor": Hostile("kill_supervisor", outcome="lost"),
    "stops its supervisor": Hostile("stop_supervisor", shows="struck"),
    "kills the launcher": Hostile("kill_launcher", shows="struck"),
    "stops the launcher": Hostile("stop_launcher", shows="struck"),
    "writes without end": Hostile("write_without_end", outcome="timed_out", shows="struck"),
    "writes a large file": Hostile(
        "write_large_file",
        {"limits": {"file_size_bytes": 100_000}},
        outcome="failed",
        shows="file size limit",
        args=["junk"],
    ),
    "takes all memory": Hostile(
        "allocate",
        {"limits": {"memory_bytes": 300_000_000}},
        outcome="failed",
        shows="memory limit",
    ),
    "stops itself": Hostile("stop_self", outcome="timed_out", shows="struck"),
    "closes its descriptors": Hostile("close_descriptors", shows="struck"),
    "leaves its group": Hostile("leave_group", shows="struck"),
    "babbles at the sockets": Hostile("babble", shows="struck"),
}

REFUSED = {
    "strikes all above it": Hostile("strike_ancestors", CONFINED),
    "forges records": Hostile("forge", CONFINED),
    "pries": Hostile("pry", CONFINED),
    "commands": Hostile("talk", CONFINED),
}

BOUNDED = {
    "fills its disk": Hostile(
        "fill_disk", CONFINED, shows="struck: No space left", is_disk_own=True
    ),
    "forks without end": Hostile(
        "fork_without_end",
        {**CONFINED, "user": FORKER, "limits": {"processes": 30}},
        outcome="failed",
        shows="30 processes",
        args=[str(FORKER)],
    ),
    "kills everybody": Hostile(
        "kill_everybody", {**CONFINED, "user": KILLER}, shows="struck", args=[str(KILLER)]
    ),
}


def stand_beside(arena: Arena, hostile: Hostile, alone: dict[str, Account]) -> str:
    """Run the witnesses beside a hostile task and compare; return all that this one showed."""
    if hostile.is_disk_own:
        arena.mount_small_disk()
    arena.begin(hostile)
    if hostile.has_doors:
        arena.open_doors()
    arena.await_witnesses()
    arena.await_attack()
    arena.end()
    attacks = arena.attacks()
    shown = "\n".join(text for _, text in attacks)
    # Those that the stop of the scheduler has ended do not count.
    assert attacks[0][0] == hostile.outcome, attacks
    assert hostile.shows in shown
    assert arena.accounts() == alone
    return shown


def test_alone_every_witness_runs_as_arithmetic_says(alone: dict[str, Account]) -> None:
    assert alone == {witness.task_id: expected(witness) for witness in WITNESSES}


@pytest.mark.parametrize("kind", UNCONFINED)
def test_beside_a_hostile_task_of_the_same_user_nobody_is_harmed(
    arena: Arena, alone: dict[str, Account], kind: str
) -> None:
    shown = stand_beside(arena, UNCONFINED[kind], alone)

    daemons = [int(line.split()[1]) for line in shown.splitlines() if line.startswith("daemon")]
    assert [pid for pid in daemons if Path(f"/proc/{pid}").exists()] == []


@needs_root
@pytest.mark.parametrize("kind", REFUSED)
def test_what_a_confined_task_tries_is_refused(
    arena: Arena, alone: dict[str, Account], kind: str
) -> None:
    shown = stand_beside(arena, REFUSED[kind], alone)

    assert "refused" in shown
    assert "struck" not in shown


@needs_root
@pytest.mark.parametrize("kind", BOUNDED)
def test_what_a_confined_task_does_harms_itself_alone(
    arena: Arena, alone: dict[str, Account], kind: str
) -> None:
    stand_beside(arena, BOUNDED[kind], alone)


@needs_root
def test_another_user_who_can_reach_the_control_socket_is_not_heard(
    arena: Arena, alone: dict[str, Account]
) -> None:
    shown = stand_beside(arena, Hostile("talk", CONFINED, shows="unheard", has_doors=True), alone)

    assert "struck" not in shown


@needs_root
def test_a_number_of_processes_that_the_kernel_would_not_hold_root_to_is_no_start(
    arena: Arena, alone: dict[str, Account]
) -> None:
    unlimited = Hostile(
        "stop_self", {"limits": {"processes": 30}}, outcome="failed", shows="30 processes"
    )

    shown = stand_beside(arena, unlimited, alone)

    assert "struck" not in shown
