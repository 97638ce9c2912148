"""`tsk explain`: letter by letter in three languages, and what a script can rely on."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from task_scheduler.cli.display_width import width_of
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.i18n import LANGUAGES
from tests.unit.cli.made_ledger import MadeLedger

GOLDEN = Path(__file__).with_name("golden")
COMMANDS = (
    "explain '*/5 9-17 * * 1-5'",
    "explain '0 9 1 * 1' --tz Asia/Shanghai -n 3",
    "explain '30 2 * * *' --tz Europe/Berlin -n 2",
    "explain '*/20 2 * 3 SUN' --tz Europe/Berlin -n 13",
    "explain '30 2 * 10 SUN' --tz Europe/Berlin -n 6",
    "explain 'every 5m' -n 2",
    "explain 'weekly mon,fri 08:00' -n 2",
    "explain 'Mon..Fri 08:00 UTC' -n 2",
    "explain 'FREQ=MONTHLY;BYDAY=-1FR' -n 2",
    "explain 'sunset-30m 35.68,139.69' -n 2",
    "explain '2020-01-31T09:00'",
    "explain @reboot",
    "explain 'H 3 * * *' --task backup -n 2",
    "explain backup -n 2",
    "explain heartbeat -n 2 --tz UTC",
    "explain --task tides",
    "explain --task idle",
    "explain '0 25 * * *'",
    "explain '0 9 * * MOM'",
    "explain 'H 3 * * *'",
    "explain hartbeat",
    "explain",
)


@pytest.fixture
def ledger(farm: MadeLedger) -> MadeLedger:
    farm.task(
        "tides", {"type": "user", "class": "Tides", "description": "by the rule Tides"},
        next_due="07:10:00",
    )  # fmt: skip
    farm.task("idle")
    return farm


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_reads_as_it_was_approved(ledger: MadeLedger, language: str) -> None:
    """Meant to change? ``TASK_SCHEDULER_RENEW_GOLDEN=1``, and read the difference."""
    pages = []
    for line in COMMANDS:
        answer = ledger.tsk("--lang", language, *shlex.split(line))
        pages.append(f"$ tsk {line}\n{answer.out}-- stderr, exit {answer.code}\n{answer.err}")
    text = "\n".join(pages)
    text = "\n".join(line.rstrip() for line in text.split("\n"))
    path = GOLDEN / f"explain.{language}.txt"
    if os.environ.get("TASK_SCHEDULER_RENEW_GOLDEN"):
        path.write_text(text, encoding="utf-8")

    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_table_is_not_wider_than_the_terminal(ledger: MadeLedger, language: str) -> None:
    line = ["explain", "30 2 * 10 SUN", "--tz", "Europe/Berlin"]

    answer = ledger.tsk("--lang", language, *line)

    table = [row for row in answer.out.splitlines() if "2027" in row][:3]
    assert [row for row in table if width_of(row) > 80] == []


def test_json_has_the_runs_in_both_zones(ledger: MadeLedger) -> None:
    answer = ledger.tsk("--json", "explain", "0 9 * * *", "--tz", "Europe/Berlin", "-n", "1")

    (rule,) = answer.document["rules"]
    assert answer.document["schema"] == "tsk.explain/1"
    assert rule["sentence"] == "every day at 09:00 (Europe/Berlin)"
    assert rule["zone"] == "Europe/Berlin"
    assert rule["runs"] == [
        {
            "at": "2026-11-24T09:00:00+01:00",
            "here": "2026-11-24T17:00:00+09:00",
            "clocks_changed_seconds": 0,
            "is_second_time": False,
        }
    ]


def test_json_tells_the_findings(ledger: MadeLedger) -> None:
    answer = ledger.tsk("--json", "explain", "0 9 1 * 1")

    (finding,) = answer.document["rules"][0]["findings"]
    assert (finding["key"], finding["level"], finding["place"]) == (
        "day_or", "warning", "day_of_week",
    )  # fmt: skip


def test_json_tells_the_place_of_an_error(ledger: MadeLedger) -> None:
    answer = ledger.tsk("--json", "explain", "0 25 * * *")

    assert answer.code == ExitCode.INVALID
    assert answer.document["is_valid"] is False
    error = answer.document["error"]
    assert (error["key"], error["column"], error["length"]) == ("schedules.cron_value", 3, 2)


def test_a_time_that_comes_twice_is_marked(ledger: MadeLedger) -> None:
    # The cron of every 15 minutes goes on through the hour that comes twice.
    answer = ledger.tsk(
        "--json", "explain", "*/30 2 31 10 *", "--tz", "Europe/Berlin", "-n", "6"
    )  # fmt: skip

    runs = answer.document["rules"][0]["runs"]
    assert [run["is_second_time"] for run in runs] == [False, False, True, True, False, False]
    assert [run["clocks_changed_seconds"] for run in runs][:3] == [3_600, 0, -3_600]


def test_an_hourly_crowd_is_told_with_a_better_slot(ledger: MadeLedger) -> None:
    for number in range(5):
        ledger.task(
            f"crowd_{number}", {"type": "cron", "cron": "0 * * * *"}, next_due="07:00:00"
        )  # fmt: skip

    answer = ledger.tsk("explain", "0 * * * *")

    assert "are due at the same second" in answer.out
    assert "at 07:01 there are fewer" in " ".join(answer.out.split())


def test_a_task_that_takes_longer_than_its_interval_is_told(ledger: MadeLedger) -> None:
    ledger.execute("UPDATE progress SET duration_total = 7200000000 WHERE task_id = 'heartbeat'")
    ledger.execute("UPDATE progress SET success_count = 10, run_count = 10")

    assert "a run usually takes" in ledger.tsk("explain", "heartbeat").out


def test_an_expression_is_explained_beside_a_broken_config(ledger: MadeLedger) -> None:
    ledger.config.write_text("{", encoding="utf-8")

    answer = ledger.tsk("explain", "0 9 * * *")

    assert answer.code == ExitCode.FINE
    assert answer.out.startswith("Every day at 09:00")


def test_neither_expression_nor_task_is_a_wrong_command_line(ledger: MadeLedger) -> None:
    assert ledger.tsk("explain").code == ExitCode.USAGE


def test_an_unknown_task_is_not_found(ledger: MadeLedger) -> None:
    assert ledger.tsk("explain", "--task", "nothing").code == ExitCode.NOT_FOUND
