"""The hold: what proves a rollback, and what becomes of a held ledger when it goes on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from task_scheduler.core.events import LedgerReleased
from task_scheduler.core.hold import (
    HoldReason,
    Mileage,
    Witness,
    is_given_up,
    is_rolled_back,
)
from task_scheduler.core.inbox import (
    AddEntries,
    PauseEntry,
    ReleaseLedger,
    RequestRun,
    ResumeEntry,
)
from task_scheduler.core.model import SECOND, MisfirePolicy, Outcome, OverlapPolicy
from task_scheduler.errors import DefinitionError, StoreUnavailableError
from tests.unit.core.engine_bench import T0, Bench, entry

OURS, OTHER = "a" * 32, "b" * 32


@pytest.mark.parametrize(
    ("witness", "attempts", "is_behind"),
    [
        (None, 0, False),
        (None, 99, False),
        (Witness(OURS, Mileage(7)), 0, False),
        (Witness(OURS, Mileage(6)), 7, False),
        (Witness(OURS, Mileage(8)), 0, True),
        (Witness(OURS, Mileage(0)), 8, True),
        (Witness(OTHER, Mileage(8)), 0, False),
        (Witness(OTHER, Mileage(8)), 9, False),
    ],
    ids=[
        "nothing is known",
        "folders of nobody knows whom",
        "as far as the ledger",
        "behind it, as after a power cut",
        "ahead of it",
        "the folders are ahead of it",
        "another ledger was here",
        "another ledger was here, with folders",
    ],
)
def test_a_ledger_is_rolled_back_where_its_own_witness_is_ahead_of_it(
    witness: Witness | None, attempts: int, is_behind: bool
) -> None:
    own = Mileage(token=7, run_id=3)

    assert is_rolled_back(OURS, own, witness, Mileage(token=attempts)) == is_behind


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("is_asked_since", [True, False])
def test_a_planned_run_is_given_up_by_its_moment_alone(keep: bool, is_asked_since: bool) -> None:
    def decide(at: int, since: int | None) -> bool:
        return is_given_up(
            is_planned=True,
            scheduled_at=at,
            since=since,
            is_asked_since=is_asked_since,
            keep_waiting=keep,
        )

    assert [decide(at, 10) for at in (9, 10, 11)] == [True, False, False]
    assert not decide(9, None)


@pytest.mark.parametrize(
    ("keep", "is_asked_since", "is_over"),
    [(False, False, True), (False, True, False), (True, False, False), (True, True, False)],
)
def test_any_other_run_is_given_up_unless_somebody_wants_it(
    keep: bool, is_asked_since: bool, is_over: bool
) -> None:
    for since in (None, 5, 50):
        assert is_over == is_given_up(
            is_planned=False,
            scheduled_at=10,
            since=since,
            is_asked_since=is_asked_since,
            keep_waiting=keep,
        )


@pytest.fixture
def bench() -> Bench:
    return Bench()


def hold(bench: Bench) -> None:
    """Hold the ledger as a restart finds it: with nothing in hand."""
    row = bench.ledger.fetch("ledger_row")
    bench.ledger.execute(
        "hold_ledger",
        at=bench.clock.wall,
        reason=HoldReason.RESTORED,
        token=row["last_token"],
        moment=bench.clock.wall,
    )
    bench.engine.is_held = True


def release(bench: Bench, since: int | None, *, keep_waiting: bool = False) -> dict[str, int]:
    answer: dict[str, int] = bench.command(ReleaseLedger(since=since, keep_waiting=keep_waiting))
    return answer


def rest(bench: Bench) -> None:
    """Let everything that was claimed end well, and nothing be claimed ahead."""
    bench.engine.limits.look_ahead = 0
    for run_id in sorted(bench.hands.gate):
        bench.end(bench.start(run_id))
    bench.tick()


def test_a_held_ledger_plans_and_starts_nothing_and_does_not_wake(bench: Bench) -> None:
    bench.add(entry())
    rest(bench)
    before = bench.runs("run_id, state")
    hold(bench)

    for _ in range(3):
        bench.clock.wall += 60 * SECOND
        assert bench.engine.tick() is None

    assert bench.runs("run_id, state") == before
    assert bench.skips("reason") == []


def test_a_held_ledger_accepts_edits_and_requests_which_wait(bench: Bench) -> None:
    bench.add(entry())
    rest(bench)
    hold(bench)

    bench.command(AddEntries(entries=[entry("other")]))
    bench.command(PauseEntry(task_id="pump"))
    bench.command(ResumeEntry(task_id="pump"))
    run_id = bench.command(RequestRun(task_id="other", request_id="now"))

    assert bench.hands.gate == {}
    assert bench.rows("SELECT state FROM runs WHERE run_id = ?", run_id) == [("waiting",)]


def test_what_was_due_before_the_point_is_skipped_and_what_comes_from_it_on_is_late(
    bench: Bench,
) -> None:
    bench.add(entry(misfire=MisfirePolicy.RUN_ALL, overlap=OverlapPolicy.ALLOW))
    rest(bench)
    hold(bench)
    bench.clock.wall = T0 + 65 * SECOND

    counts = release(bench, T0 + 40 * SECOND)
    bench.tick()

    assert counts == {"entries": 1, "skipped": 3, "given_up": 0, "kept": 0}
    assert bench.skips("reason, first_at, last_at, count") == [
        ("restored", T0 + 10 * SECOND, T0 + 30 * SECOND, 3)
    ]
    started = [claim.scheduled_at for claim in bench.hands.gate.values()]
    assert started == [T0 + 40 * SECOND, T0 + 50 * SECOND, T0 + 60 * SECOND]
    assert LedgerReleased(T0 + 40 * SECOND, 3, 0) in bench.events


def test_from_now_on_nothing_of_the_past_runs(bench: Bench) -> None:
    bench.add(entry(misfire=MisfirePolicy.RUN_ALL), entry("paused"))
    bench.command(PauseEntry(task_id="paused", until=T0 + 30 * SECOND))
    rest(bench)
    hold(bench)
    bench.clock.wall = T0 + 65 * SECOND

    release(bench, bench.clock.wall)
    bench.tick()

    # The pause ended by itself at +30 s: what came after that may have run as well.
    assert bench.hands.gate == {}
    bench.tick(after=5)
    started = {c.task_id: c.scheduled_at for c in bench.hands.gate.values()}
    assert started == {"pump": T0 + 70 * SECOND, "paused": T0 + 70 * SECOND}


def test_from_the_backup_on_everything_is_late_and_nothing_is_passed_over(bench: Bench) -> None:
    bench.add(entry())
    rest(bench)
    hold(bench)
    bench.clock.wall = T0 + 35 * SECOND

    counts = release(bench, None)
    bench.tick()

    assert counts["skipped"] == 0
    assert [claim.scheduled_at for claim in bench.hands.gate.values()] == [T0 + 30 * SECOND]
    assert bench.skips("reason, count") == [("coalesced", 2)]


@pytest.mark.parametrize(
    ("keep_waiting", "states"),
    [(False, {"skipped", "cancelled"}), (True, {"waiting"})],
)
def test_requests_and_retries_of_the_backup_start_only_if_they_are_kept(
    bench: Bench, keep_waiting: bool, states: set[str]
) -> None:
    bench.add(entry("asked", rules=({"type": "once", "at": "2099-01-01T00:00:00+00:00"},)))
    bench.add(entry("failed", retry_delay_seconds=30))
    rest(bench)
    bench.tick(after=10)
    bench.end(bench.start(next(iter(bench.hands.gate))), Outcome.FAILED)
    bench.engine.is_held = True
    bench.command(RequestRun(task_id="asked", request_id="before"))
    hold(bench)
    late = bench.command(RequestRun(task_id="asked", request_id="since"))

    release(bench, bench.clock.wall, keep_waiting=keep_waiting)

    old = bench.rows(
        "SELECT state, reason FROM runs WHERE run_id < ? AND state <> 'succeeded'", late
    )
    assert {state for state, _ in old} == states
    assert {reason for _, reason in old} == ({None} if keep_waiting else {"restored"})


def test_what_was_asked_for_since_it_is_held_starts(bench: Bench) -> None:
    bench.add(entry("asked", rules=({"type": "once", "at": "2099-01-01T00:00:00+00:00"},)))
    hold(bench)
    run_id = bench.command(RequestRun(task_id="asked", request_id="since"))

    release(bench, bench.clock.wall)
    bench.tick()

    assert list(bench.hands.gate) == [run_id]


def test_a_rule_that_raises_is_passed_over_uncounted_and_asked_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.add(entry())
    rest(bench)
    hold(bench)
    bench.clock.wall = T0 + 35 * SECOND
    known = bench.engine.flights.known("pump", 1)
    assert known is not None
    works = known.occurrences

    def fail(*_: object) -> int:
        raise RuntimeError("no calendar")

    monkeypatch.setattr(type(works), "last_until", fail)
    release(bench, bench.clock.wall)
    monkeypatch.undo()
    bench.tick()

    assert bench.skips("reason, first_at, count") == [("restored", T0 + 10 * SECOND, None)]
    bench.tick(after=5)
    assert [c.scheduled_at for c in bench.hands.gate.values()] == [T0 + 40 * SECOND]


@pytest.mark.parametrize(
    ("prepare", "since", "key"),
    [
        (lambda _: None, None, "errors.not_held"),
        (hold, T0 + 3600 * SECOND, "errors.resume_point_ahead"),
    ],
    ids=["not held", "in the future"],
)
def test_what_cannot_be_is_refused(
    bench: Bench, prepare: Callable[[Bench], None], since: int | None, key: str
) -> None:
    prepare(bench)

    with pytest.raises(DefinitionError) as raised:
        release(bench, since)

    assert raised.value.key == key


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_release_whose_commit_failed_is_known_from_the_ledger(bench: Bench, where: str) -> None:
    bench.add(entry())
    rest(bench)
    hold(bench)
    bench.clock.wall = T0 + 35 * SECOND
    bench.store.fails = where
    with pytest.raises(StoreUnavailableError):
        release(bench, bench.clock.wall)

    if where == "after":
        with pytest.raises(DefinitionError):
            release(bench, bench.clock.wall)
    else:
        release(bench, bench.clock.wall)

    assert not bench.engine.is_held
    bench.tick(after=5)
    assert [c.scheduled_at for c in bench.hands.gate.values()] == [T0 + 40 * SECOND]


def test_the_ledger_knows_its_greatest_token_before_anything_beside_it_does(bench: Bench) -> None:
    noted: list[tuple[int, int, int]] = []

    def note(token: int, run_id: int) -> None:
        noted.append((token, run_id, bench.ledger.fetch("ledger_row")["last_token"]))

    bench.marks.note_claims = note  # type: ignore[method-assign]
    bench.add(entry(), entry("other", seconds=7))
    for _ in range(4):
        rest(bench)
        bench.tick(after=10)

    assert len(noted) >= 4
    assert all(token == in_ledger for token, _, in_ledger in noted)
    assert [token for token, _, _ in noted] == sorted({token for token, _, _ in noted})
