"""What a task can do that is the scheduler's own user, and what is promised all the same.

SECURITY.md: a task without a `user` of its own is the scheduler's user, from whom nothing protects.
It can kill the scheduler, write records, and command through the socket. These tests say how far
the harm goes; who does not want it gives the task a `user`.
"""

from __future__ import annotations

import os
import signal

import pytest

from tests.integration.hostile.arena import Account, Arena, Hostile

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a disk")

ENDED = {"succeeded", "failed", "lost"}


def test_who_kills_the_scheduler_loses_nothing_for_the_others(
    arena: Arena, alone: dict[str, Account]
) -> None:
    arena.begin(Hostile("kill_scheduler"))
    code = arena.died()
    arena.begin_again()
    arena.await_witnesses()
    arena.end()

    accounts = arena.accounts()
    # What ran inside the scheduler died with it, and may have been repeated.
    own = accounts.pop("function")
    assert code == -signal.SIGKILL
    assert accounts == {task: alone[task] for task in accounts}
    assert (own.moments, own.states) == (alone["function"].moments, alone["function"].states)


def test_who_forges_records_can_lie_about_the_others_and_start_none_of_them_twice(
    arena: Arena, alone: dict[str, Account]
) -> None:
    arena.begin(Hostile("forge"))
    arena.await_witnesses()
    arena.await_attack()
    arena.end()

    accounts = arena.accounts()
    assert any("struck" in text for _, text in arena.attacks())
    # It cannot reach what has no files.
    assert accounts["function"] == alone["function"]
    for task, account in accounts.items():
        assert account.moments == alone[task].moments
        assert account.skip_count == 0
        assert set(account.states) <= ENDED
        assert arena.double_lines(task) == []


@needs_root
def test_who_fills_the_disk_of_the_ledger_delays_the_others_and_costs_them_output_alone(
    arena: Arena, alone: dict[str, Account]
) -> None:
    arena.share_small_disk()
    arena.begin(Hostile("fill_disk_for_a_while", {"timeout": 10.0}))
    arena.await_witnesses()
    arena.end()

    accounts = arena.accounts()
    # Who was to start in that moment could not, and says so.
    assert [error for error in arena.errors() if "space" not in error] == []
    for task, account in accounts.items():
        assert account.moments == alone[task].moments
        assert account.skip_count == 0
        assert set(account.states) <= {"succeeded", "failed"}
        assert arena.double_lines(task) == []
    assert "disk of the ledger is full" in arena.log()
