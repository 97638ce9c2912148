"""`tsk why` as a person sees it, letter by letter."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.i18n import LANGUAGES
from tests.unit.cli.made_ledger import MadeLedger, at

GOLDEN = Path(__file__).with_name("golden")
LINES = (
    "why data_upload",
    "why data_upload --at 05:30",
    "why heartbeat --at 06:00:30",
    "why backup --at 03:15",
    "why temp_pond7 --at 05:50",
    "why temp_pond7",
)


@pytest.fixture
def pond(farm: MadeLedger) -> MadeLedger:
    """A thermometer that hangs."""
    farm.task("temp_pond7", {"type": "interval", "seconds": 300}, next_due="06:05:00")
    farm.run(
        116, "temp_pond7", "running", "05:45:00", started_at=at("05:45:00"), token=1, attempt=0
    )
    farm._insert(
        "skips",
        task_id="temp_pond7",
        reason="overlap",
        first_at=at("05:50:00"),
        last_at=at("06:00:00"),
        count=3,
        blocker_run_id=116,
        at=at("06:00:00"),
    )
    return farm


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_answer_reads_as_it_was_approved(pond: MadeLedger, language: str) -> None:
    pages = []
    for line in LINES:
        answer = pond.tsk("--lang", language, *line.split())
        pages.append(f"$ tsk {line}\n{answer.out}-- stderr, exit {answer.code}\n{answer.err}")
    text = "\n".join(pages)
    path = GOLDEN / f"why.{language}.txt"
    if os.environ.get("TASK_SCHEDULER_RENEW_GOLDEN"):
        path.write_text(text, encoding="utf-8")

    assert text == path.read_text(encoding="utf-8")


def test_the_same_as_json(pond: MadeLedger) -> None:
    found = pond.tsk("why", "temp_pond7", "--at", "2026-11-24T05:50", "--json").document

    assert (found["schema"], found["verdict"], found["decided_by"]) == (
        "tsk.why/1",
        "not_started",
        "overlap",
    )
    assert found["checks"][-1]["run_id"] == 116
    assert found["next"] == "tsk logs 116"


@pytest.mark.parametrize("moment", ["25:00", "yesterday", "", "2026-13-01", "0001-01-01"])
def test_what_is_no_moment_is_refused(pond: MadeLedger, moment: str) -> None:
    assert pond.tsk("why", "backup", "--at", moment).code == ExitCode.USAGE
