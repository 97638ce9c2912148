"""A ledger whose truth is known: rows as the engine leaves them, at moments that a test chooses."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from task_scheduler.core.json_text import json_text
from task_scheduler.insights.insight import Insight, InsightKind
from task_scheduler.insights.survey import survey
from task_scheduler.rollups import RollUps
from task_scheduler.stores.sqlite import MEMORY, SqliteStore

S = 1_000_000
MINUTE, HOUR, DAY = 60 * S, 3_600 * S, 86_400 * S
TOKYO = ZoneInfo("Asia/Tokyo")
NOW = int(datetime(2026, 11, 24, 12, 0, tzinfo=TOKYO).timestamp()) * S
"""A Tuesday, at noon where the machine is."""


class Seeded:
    """A ledger in memory."""

    def __init__(self) -> None:
        self.store = SqliteStore(MEMORY)
        self.workers = 10
        self.pools: dict[str, int] = {}

    def task(self, task_id: str, *, pool: str | None = None, **progress: Any) -> None:
        """Add a task, by default one that was added a month ago and has run."""
        self._insert(
            "entries",
            task_id=task_id,
            name=task_id,
            kind="command",
            executor="process",
            definition=json_text(progress.pop("definition", {})),
            rules=json_text(progress.pop("rules", [{"type": "interval", "seconds": 60}])),
            policies=json_text(progress.pop("policies", {})),
            origin="api",
            is_code_bound=0,
            added_at=progress.pop("added_at", NOW - 30 * DAY),
            updated_at=NOW - 30 * DAY,
            pool=pool,
        )
        values = {"run_count": 1, "next_due_at": NOW + MINUTE, "is_resolved": 1, **progress}
        self._insert("progress", task_id=task_id, revision=1, anchor=0, **values)

    def run(
        self,
        task_id: str,
        at: int,
        took: int = S,
        *,
        late: int = 0,
        state: str = "succeeded",
        attempt: int = 1,
    ) -> int:
        """Add a run that was due at a moment and ended, and return its id; `took` None: it runs."""
        return self._insert(
            "runs",
            task_id=task_id,
            key=f"{at}",
            origin="schedule",
            state=state,
            scheduled_at=at,
            due_at=at,
            priority=0,
            executor="process",
            attempt=attempt,
            started_at=at + late,
            ended_at=at + late + took,
        )

    def attempt(
        self, run_id: int, number: int, started_at: int, took: int, *, memory: int | None = None
    ) -> None:
        """Add an attempt of a run that had more than one, or of which was measured what it used."""
        self._insert(
            "attempts",
            run_id=run_id,
            attempt=number,
            token=number,
            outcome="failed",
            started_at=started_at,
            ended_at=started_at + took,
            peak_memory_bytes=memory,
        )

    def unfinished(self, task_id: str, at: int, *, started_at: int | None = None) -> None:
        """Add a run that waits, or runs since a moment."""
        self._insert(
            "runs",
            task_id=task_id,
            key=f"{at}",
            origin="schedule",
            state="waiting" if started_at is None else "running",
            scheduled_at=at,
            due_at=at,
            priority=0,
            executor="process",
            attempt=0,
            started_at=started_at,
        )

    def count(self) -> None:
        """Let the roll-ups count what there is."""
        last = self.store.fetch("last_run_id")
        rollups = RollUps(self.store, last_run_id=lambda: last)
        while rollups.step():
            pass

    def insights(self, kind: InsightKind | None = None) -> list[Insight]:
        """Return what a survey finds, of a kind or all."""
        found = survey(self.store.fetch, now=NOW, workers=self.workers, pools=self.pools)
        for insight in found:
            json.dumps(insight.plain())
        return [of for of in found if kind is None or of.kind is kind]

    def _insert(self, table: str, **values: Any) -> int:
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        cursor = self.store._connection.execute(
            f"INSERT INTO {table} ({names}) VALUES ({marks})", list(values.values())
        )
        return int(cursor.lastrowid or 0)
