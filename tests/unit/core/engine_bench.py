"""The engine at the workbench: the real store in memory, a clock and hands that tests move.

Responsible for: short stories about the engine. Long and random ones live in tests/simulation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from task_scheduler.bindings import Bindings
from task_scheduler.core.engine import Engine
from task_scheduler.core.events import Event
from task_scheduler.core.inbox import AddEntries, Command, Started
from task_scheduler.core.limits import EngineLimits
from task_scheduler.core.model import SECOND, Claim, Completion, Entry, Outcome, Policies
from task_scheduler.errors import StoreUnavailableError
from task_scheduler.executors.marks import MemoryMarks
from task_scheduler.stores.sqlite import MEMORY, SqliteStore

__all__ = ["T0", "Bench", "entry", "interval"]

T0 = 1_800_000_000 * SECOND


def interval(seconds: float) -> dict[str, Any]:
    """Return the plain form of an interval."""
    return {"type": "interval", "seconds": seconds}


def entry(
    task_id: str = "pump",
    *,
    seconds: float = 10,
    rules: Sequence[dict[str, Any]] = (),
    executor: str = "thread",
    **policies: Any,
) -> Entry:
    """Return an entry, by default one that is due every ten seconds."""
    return Entry(
        task_id=task_id,
        name=task_id.title(),
        kind="custom",
        executor=executor,
        definition={},
        rules=tuple(rules) or (interval(seconds),),
        policies=Policies(**policies),
    )


class Clock:
    """Wall and boot clock."""

    def __init__(self) -> None:
        self.wall = T0
        self.stepped = 0

    def now(self) -> int:
        return self.wall

    def boottime(self) -> int:
        return self.wall - T0 - self.stepped


class Hands:
    """A gate, and a list of what was asked."""

    def __init__(self) -> None:
        self.gate: dict[int, Claim] = {}
        self.started: dict[int, Claim] = {}
        self.cancelled: list[int] = []

    def hand_over(self, claims: Sequence[tuple[Claim, Entry]]) -> None:
        self.gate |= {claim.run_id: claim for claim, _ in claims}

    def revoke(self, run_id: int) -> bool:
        return self.gate.pop(run_id, None) is not None

    def cancel(self, claim: Claim, reason: str) -> bool:
        self.cancelled.append(claim.run_id)
        return True

    def forget(self, claims: Sequence[Claim]) -> None:
        pass


class CountingStore:
    """The real store; it counts steps, and may fail around the commit."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.steps: list[str] = []
        self.fails: str | None = None
        """``before`` or ``after`` the next commit."""

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.steps = []
        with self.store.transaction():
            yield
            self._fail("before")
        self._fail("after")

    def fetch(self, statement: str, **parameters: Any) -> Any:
        self.steps.append(statement)
        return self.store.fetch(statement, **parameters)

    def execute(self, statement: str, **parameters: Any) -> int:
        self.steps.append(statement)
        return self.store.execute(statement, **parameters)

    def _fail(self, where: str) -> None:
        if self.fails == where:
            self.fails = None
            raise StoreUnavailableError("errors.store_full", path=MEMORY)


class Bench:
    """An engine with everything around it."""

    def __init__(self, *, workers: int = 10, pools: Mapping[str, int] | None = None) -> None:
        self.clock = Clock()
        self.hands = Hands()
        self.ledger = SqliteStore(MEMORY)
        self.store = CountingStore(self.ledger)
        self.marks = MemoryMarks()
        self.bindings = Bindings()
        self.events: list[Event] = []
        self.engine = Engine(
            store=self.store,
            clock=self.clock,
            catalog=self.bindings,
            hands=self.hands,
            marks=self.marks,
            emit=self.events.append,
            limits=EngineLimits(workers=workers, pools=pools or {}),
        )
        self.engine.open(epoch=1, last_run_id=0)

    def command(self, command: Command) -> Any:
        """Give a command, tick, and return its answer or raise its refusal."""
        answers: list[Any] = []
        object.__setattr__(command, "resolve", answers.append)
        object.__setattr__(command, "reject", answers.append)
        self.engine.inbox.put(command)
        self.engine.tick()
        (answer,) = answers
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def add(self, *entries: Entry) -> None:
        self.command(AddEntries(entries=entries))

    def tick(self, *, after: float = 0) -> int | None:
        """Let seconds pass and tick."""
        self.clock.wall += round(after * SECOND)
        return self.engine.tick()

    def set_clock(self, by: float) -> None:
        """Set the wall clock by seconds and tick."""
        self.clock.wall += round(by * SECOND)
        self.clock.stepped += round(by * SECOND)
        self.engine.tick()

    def start(self, run_id: int | None = None) -> Claim:
        """Let a worker begin the claim of a run, or the only one there is."""
        if run_id is None:
            (run_id,) = self.hands.gate
        claim = self.hands.gate.pop(run_id)
        assert claim.due_at <= self.clock.wall
        self.hands.started[run_id] = claim
        self.engine.inbox.put(Started(run_id, claim.token, self.clock.wall))
        return claim

    def end(
        self, claim: Claim, outcome: Outcome = Outcome.SUCCEEDED, *, is_still_running: bool = False
    ) -> None:
        """Report the end of an attempt."""
        self.engine.inbox.put(
            Completion(
                run_id=claim.run_id,
                task_id=claim.task_id,
                attempt=claim.attempt,
                token=claim.token,
                outcome=outcome,
                started_at=self.clock.wall,
                ended_at=self.clock.wall,
                error=None if outcome is Outcome.SUCCEEDED else "no water",
                is_still_running=is_still_running,
            )
        )

    def rows(self, query: str, *values: Any) -> list[Any]:
        return self.ledger._connection.execute(query, values).fetchall()

    def runs(self, columns: str = "state", task_id: str = "pump") -> list[Any]:
        """Return columns of the runs of a task, oldest first."""
        query = f"SELECT {columns} FROM runs WHERE task_id = ? ORDER BY run_id"
        found = self.rows(query, task_id)
        return [row[0] if len(row) == 1 else row for row in found]

    def skips(self, columns: str = "reason, count", task_id: str = "pump") -> list[Any]:
        return self.rows(f"SELECT {columns} FROM skips WHERE task_id = ? ORDER BY 1", task_id)

    def free_slots(self) -> int:
        """Return how many marks may be taken."""
        return len(self.marks._free)
