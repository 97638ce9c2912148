"""A ledger as a night on the farm left it, and the command line in front of it.

Everything happens at one fixed moment, 06:00:12 in Tokyo, so that what is printed can be compared
letter by letter.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from task_scheduler.cli import main
from task_scheduler.core.model import Policies
from task_scheduler.core.policies import to_plain
from task_scheduler.stores.sqlite import SqliteStore

TOKYO = ZoneInfo("Asia/Tokyo")
MOMENT = datetime(2026, 11, 24, 6, 0, 12, tzinfo=TOKYO)
NOW = int(MOMENT.timestamp() * 1_000_000)
POLICIES = to_plain(Policies())


def at(text: str) -> int:
    """Return a time of this morning in Tokyo, ``HH:MM:SS``, in microseconds."""
    time = datetime.strptime(text, "%H:%M:%S").time()
    return int(datetime.combine(MOMENT.date(), time, TOKYO).timestamp() * 1_000_000)


@dataclass
class Answer:
    """What one call of the command line gave."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict:
        return json.loads(self.out)


class MadeLedger:
    """Rows in the tables of a ledger in a folder that has a config too."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys
        self.config = folder / "scheduler_config.json"
        self.config.write_text('{"logging": {"console": false}}', encoding="utf-8")
        self.database = folder / ".scheduler" / "scheduler.db"
        self.runs_folder = folder / ".scheduler" / "scheduler.runs"
        self.runs_folder.mkdir(parents=True)
        SqliteStore(self.database).close()

    def tsk(self, *arguments: str) -> Answer:
        """Call the command line as a shell would."""
        code = main(["-c", str(self.config), *arguments])
        out, err = self._capsys.readouterr()
        return Answer(code, out, err)

    def task(
        self,
        task_id: str,
        *rules: dict,
        next_due: str | None = None,
        name: str | None = None,
        **progress: object,
    ) -> None:
        """Add a task with what became of it until now."""
        self._insert(
            "entries",
            task_id=task_id,
            name=name or task_id,
            kind="command",
            executor="process",
            definition=json.dumps({"command": ["true"]}),
            rules=json.dumps(rules),
            policies=json.dumps({**POLICIES, "timeout": 60.0}),
            origin="config",
            is_code_bound=0,
            added_at=at("00:00:00"),
            updated_at=at("00:00:00"),
        )
        moment = None if next_due is None else at(next_due)
        values = {"anchor": at("00:00:00"), "cursor": at("00:00:00"), **progress}
        self._insert(
            "progress",
            task_id=task_id,
            revision=1,
            is_resolved=values.pop("is_resolved", 1),
            next_due_at=moment,
            plan_at=moment,
            **values,
        )

    def run(self, run_id: int, task_id: str, state: str, scheduled: str, **values: object) -> None:
        """Add a run."""
        scheduled_at = at(scheduled)
        self._insert(
            "runs",
            **{
                "run_id": run_id,
                "task_id": task_id,
                "key": str(run_id),
                "origin": "schedule",
                "state": state,
                "scheduled_at": scheduled_at,
                "due_at": scheduled_at,
                "priority": 0,
                "executor": "process",
                "attempt": 1,
                **values,
            },
        )

    def attempt(self, run_id: int, attempt: int, outcome: str, output: bytes | None) -> None:
        """Add an attempt that has ended, with the output that it left."""
        path = self.runs_folder / f"{run_id}-{attempt}" / "output"
        if output is not None:
            path.parent.mkdir()
            path.write_bytes(output)
        self._insert(
            "attempts",
            run_id=run_id,
            attempt=attempt,
            token=attempt,
            outcome=outcome,
            started_at=at("05:05:00"),
            ended_at=at("05:05:12"),
            error=None if outcome == "succeeded" else "exit code 1",
            exit_code=0 if outcome == "succeeded" else 1,
            output_path=None if output is None else str(path),
        )

    def skip(self, task_id: str, reason: str, first: str, last: str, count: int) -> None:
        """Add a skip."""
        self._insert(
            "skips",
            task_id=task_id,
            reason=reason,
            first_at=at(first),
            last_at=at(last),
            count=count,
            blocker_run_id=None,
            at=at(last),
        )

    def execute(self, statement: str) -> None:
        """Change a row."""
        with sqlite3.connect(self.database) as connection:
            connection.execute(statement)
        connection.close()

    def _insert(self, table: str, **values: object) -> None:
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        with sqlite3.connect(self.database) as connection:
            connection.execute(
                f"INSERT INTO {table} ({names}) VALUES ({marks})", list(values.values())
            )
        connection.close()


def fill(ledger: MadeLedger) -> MadeLedger:
    """Tell the story: the upload fails, the heart beats, the backup rests."""
    second = timedelta(seconds=1) // timedelta(microseconds=1)
    ledger.task(
        "data_upload",
        {"type": "interval", "seconds": 3600},
        next_due="06:05:00",
        name="数据上传",
        run_count=6,
        success_count=5,
        failure_count=1,
        duration_total=250 * second,
        duration_max=60 * second,
        duration_last=12 * second,
        last_run_at=at("05:05:00"),
        last_error="exit code 1",
    )
    ledger.task(
        "heartbeat",
        {"type": "interval", "seconds": 30},
        next_due="06:00:30",
        run_count=720,
        success_count=720,
        duration_last=200_000,
        last_run_at=at("06:00:00"),
    )
    ledger.task(
        "backup",
        {"type": "cron", "cron": "15 3 * * *", "timezone": "Asia/Tokyo"},
        next_due="03:15:00",
        paused_at=at("03:00:00"),
        pause_reason="disk swap",
        skip_count=1,
    )
    ledger.run(
        117,
        "data_upload",
        "failed",
        "05:05:00",
        started_at=at("05:05:00"),
        ended_at=at("05:05:12"),
        error="exit code 1",
    )
    ledger.run(
        118,
        "heartbeat",
        "succeeded",
        "06:00:00",
        started_at=at("06:00:00"),
        ended_at=at("06:00:00") + 200_000,
    )
    ledger.attempt(117, 1, "failed", b"connecting 203.0.113.9:443 ...\nConnection refused\n")
    ledger.skip("backup", "paused", "03:15:00", "03:15:00", 1)
    return ledger
