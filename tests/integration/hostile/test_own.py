"""What a task can do that is the scheduler's own user, and what is promised all the same.

SECURITY.md: a task without a `user` of its own is the scheduler's user, from whom nothing protects.
It can kill the scheduler, write records, and command through the socket. These tests say how far
the harm goes; who does not want it gives the task a `user`.
"""

from __future__ import annotations

import signal

from tests.integration.hostile.arena import Account, Arena, Hostile

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
