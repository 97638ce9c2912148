"""`tsk simulate`: the plan before it happens, as a person, a script and a calendar see it."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from task_scheduler.cli.display_width import width_of
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.icalendar import CalendarEvent, calendar_bytes
from task_scheduler.i18n import LANGUAGES
from tests.unit.cli.made_ledger import NOW, MadeLedger, at

GOLDEN = Path(__file__).with_name("golden")
PAGES = (
    "simulate --for 20m -n 24",
    "simulate --from 2026-11-24T06:59:50 --for 20m --duration data_upload=90s --crowd 3 -n 10",
    "simulate --from 2026-12-01 --to 2026-12-01T03:30 --task backup",
    "simulate --for 1h --task pump* -n 3",
    "simulate --from tomorrow",
    "simulate --to 2020-01-01",
    "simulate --duration data_upload",
    "simulate --for 9000d",
    "simulate --help",
)
BUSY = {
    "scheduler": {"max_workers": 1},
    "logging": {"console": False},
    "entries": {
        name: {"type": "command", "command": ["true"], "cron": "*/10 * * * *"}
        for name in ("air", "feed", "pump", "valve")
    },
}


@pytest.fixture
def busy(farm: MadeLedger) -> MadeLedger:
    """The night's ledger beside a configuration with four tasks at once and one worker."""
    farm.config.write_text(json.dumps(BUSY), encoding="utf-8")
    farm.execute("UPDATE entries SET origin = 'api'")
    return farm


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_reads_as_it_was_approved(busy: MadeLedger, language: str) -> None:
    pages = []
    for line in PAGES:
        answer = busy.tsk("--lang", language, *line.split())
        pages.append(f"$ tsk {line}\n{answer.out}-- stderr, exit {answer.code}\n{answer.err}")
    text = "\n".join(pages).replace(str(busy.folder), "/farm")
    text = "\n".join(line.rstrip() for line in text.split("\n"))
    path = GOLDEN / f"simulate.{language}.txt"
    if os.environ.get("TASK_SCHEDULER_RENEW_GOLDEN"):
        path.write_text(text, encoding="utf-8")

    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_line_is_wider_than_the_terminal(busy: MadeLedger, language: str) -> None:
    answer = busy.tsk("--lang", language, "simulate", "--for", "70m", "--crowd", "2")

    assert [line for line in answer.out.splitlines() if width_of(line) > 80] == []


def test_a_task_of_the_ledger_goes_on_from_its_anchor(farm: MadeLedger) -> None:
    farm.execute("UPDATE entries SET origin = 'api'")

    document = farm.tsk("simulate", "--json", "--for", "1m").document

    assert [(o["task_id"], o["at"]) for o in document["occurrences"]] == [
        ("heartbeat", "2026-11-24T06:00:30+09:00"),
        ("heartbeat", "2026-11-24T06:01:00+09:00"),
    ]
    assert document["not_planned"] == ["backup"]
    assert document["schema"] == "tsk.simulate/1"


def test_the_usual_duration_is_that_of_the_ledger_unless_one_is_given(farm: MadeLedger) -> None:
    farm.execute("UPDATE entries SET origin = 'api'")

    measured = farm.tsk("simulate", "--json", "--for", "1m").document
    given = farm.tsk("simulate", "--json", "--for", "1m", "--duration", "heart*=2s").document

    assert measured["durations"] == {"data_upload": 1.0, "heartbeat": 0.2}
    assert given["durations"] == {"data_upload": 1.0, "heartbeat": 2.0}
    assert given["occurrences"][0]["ends_at"] == "2026-11-24T06:00:32+09:00"


def test_what_the_file_no_longer_declares_is_not_simulated(farm: MadeLedger) -> None:
    document = farm.tsk("simulate", "--json", "--for", "2h").document

    assert document["occurrences"] == []


def test_collisions_waits_and_overlaps_are_in_the_lines_of_json(busy: MadeLedger) -> None:
    options = ("--for", "15m", "--duration", "air=11m", "--crowd", "4", "--task", "[afpv]*")
    answer = busy.tsk("simulate", "--jsonl", "-n", "100", *options)

    *occurrences, summary = [json.loads(line) for line in answer.out.splitlines()]
    first = [o for o in occurrences if o["at"] == "2026-11-24T06:10:00+09:00"]
    assert [o["tasks_at_second"] for o in first] == [4] * 4
    assert [o["waits_for"] for o in first] == [None, "worker", "worker", "worker"]
    assert first[0]["is_timed_out"]
    assert summary["schema"] == "tsk.simulation/1"
    assert (summary["runs"], summary["crowded_seconds"], summary["peak_workers"]) == (4, 1, 1)


def test_another_configuration_can_be_named(busy: MadeLedger, tmp_path: Path) -> None:
    other = tmp_path / "other" / "scheduler_config.json"
    other.parent.mkdir()
    entry = {"type": "command", "command": ["true"], "every": "1h"}
    other.write_text(json.dumps({"entries": {"mine": entry}}), encoding="utf-8")

    document = busy.tsk("simulate", str(other), "--json", "--for", "90m").document

    assert [o["task_id"] for o in document["occurrences"]] == ["mine", "mine"]


# -- iCalendar --------------------------------------------------------------------------------


def unfolded(data: bytes) -> list[str]:
    """Return the content lines, as RFC 5545 3.1 unfolds them."""
    assert data.endswith(b"\r\n")
    assert b"\n" not in data.replace(b"\r\n", b"")
    assert all(len(line) <= 75 for line in data.split(b"\r\n"))
    # Each physical line is whole UTF-8.
    assert all(line.decode("utf-8") is not None for line in data.split(b"\r\n"))
    return data.replace(b"\r\n ", b"").decode("utf-8").removesuffix("\r\n").split("\r\n")


def test_a_calendar_file_has_an_event_a_run(busy: MadeLedger, tmp_path: Path) -> None:
    path = tmp_path / "plan.ics"

    answer = busy.tsk("simulate", "--for", "20m", "--task", "air", "--ics", str(path))

    lines = unfolded(path.read_bytes())
    assert answer.code == 0
    assert lines[:2] == ["BEGIN:VCALENDAR", "VERSION:2.0"]
    assert lines[-1] == "END:VCALENDAR"
    assert lines.count("BEGIN:VEVENT") == lines.count("END:VEVENT") == 2
    # 06:10 in Tokyo.
    assert "DTSTART:20261123T211000Z" in lines
    assert "DTEND:20261123T211001Z" in lines
    assert lines.count("DTSTAMP:20261123T210012Z") == 2
    uids = [line for line in lines if line.startswith("UID:")]
    assert len(set(uids)) == 2


def test_a_calendar_holds_more_than_is_shown_unless_less_is_asked_for(
    busy: MadeLedger, tmp_path: Path
) -> None:
    path = tmp_path / "plan.ics"

    busy.tsk("simulate", "--for", "40m", "--task", "heartbeat", "--ics", str(path))
    whole = unfolded(path.read_bytes()).count("BEGIN:VEVENT")
    busy.tsk("simulate", "--for", "40m", "--task", "heartbeat", "-n", "3", "--ics", str(path))

    assert whole == 80
    assert unfolded(path.read_bytes()).count("BEGIN:VEVENT") == 3


def test_a_calendar_without_an_event_is_not_written(busy: MadeLedger, tmp_path: Path) -> None:
    path = tmp_path / "plan.ics"

    answer = busy.tsk("simulate", "--for", "1m", "--task", "air", "--ics", str(path))

    assert not path.exists()
    assert "plan.ics" in answer.err


def test_text_is_escaped_and_folded_between_characters() -> None:
    summary = "水やり, 朝; C:\\pump\nsecond line\x07" + "灌" * 60
    event = CalendarEvent("a/1", NOW, NOW + 1_500_000, summary)

    lines = unfolded(calendar_bytes([event], stamp=at("06:00:00")))

    (found,) = [line for line in lines if line.startswith("SUMMARY:")]
    assert found == "SUMMARY:水やり\\, 朝\\; C:\\\\pump\\nsecond line" + "灌" * 60


def test_an_event_of_no_length_has_no_end() -> None:
    lines = unfolded(calendar_bytes([CalendarEvent("a", NOW, NOW + 10, "a")], stamp=NOW))

    assert not [line for line in lines if line.startswith("DTEND")]
    start = datetime(1970, 1, 1) + timedelta(microseconds=NOW)
    assert f"DTSTART:{start:%Y%m%dT%H%M%SZ}" in lines


def test_a_pool_is_simulated_as_the_configuration_has_it(empty: MadeLedger) -> None:
    task = {"type": "command", "command": ["true"], "every": "10m", "pool": "serial"}
    content = {"pools": {"serial": 1}, "entries": {"a": task, "b": task}}
    path = empty.folder / "pooled.json"
    path.write_text(json.dumps(content), encoding="utf-8")

    lines = ("--for", "20m", "--duration", "a=60", "--duration", "b=60")
    answer = empty.tsk("simulate", str(path), *lines)

    assert answer.code == ExitCode.FINE, answer.err
    assert "waits 1m for a place in its pool" in answer.out
