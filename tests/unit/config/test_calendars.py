"""The section `calendars`: what it holds, the files it names, and where something is wrong."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from task_scheduler.config import Config
from task_scheduler.errors import ConfigError
from task_scheduler.schedules.instants import datetime_at, instant_of
from task_scheduler.schedules.rule import occurrences_of
from tests.unit.config.conftest import Load, Problems

TOKYO = ZoneInfo("Asia/Tokyo")
ENTRY = {
    "type": "command",
    "command": ["x"],
    "daily": "08:00",
    "timezone": "Asia/Tokyo",
    "exclude": "it",
}
ICS = """BEGIN:VCALENDAR
BEGIN:VEVENT
DTSTART;VALUE=DATE:20260813
DTEND;VALUE=DATE:20260816
END:VEVENT
END:VCALENDAR
"""
YAML = """# The harbour is closed.
days: [2026-08-13, 2026-08-14]
windows:
  - {weekdays: sat, from: 06:00, to: 22:00}
weekends: no
"""


NIGHT = {"from": "22:00", "to": "06:00"}
ALIASES = "".join(
    f"{following}: &{following} [{', '.join([f'*{name}'] * 10)}]\n"
    for name, following in zip("abcdefg", "bcdefgh", strict=True)
)


def text_of(calendar: dict[str, Any]) -> str:
    return json.dumps({"calendars": {"it": calendar}, "entries": {"feed": ENTRY}})


def mornings(config: Config, count: int = 3) -> list[str]:
    """Return the days on which the entry runs, from 12 August 2026 on."""
    (declared,) = config.declared()
    occurrences = occurrences_of(declared.rules[0], config.calendars)
    moment, found = instant_of(datetime(2026, 8, 12), TOKYO), []
    for _ in range(count):
        moment = occurrences.next_after(moment, moment)
        found.append(datetime_at(moment, TOKYO).strftime("%m-%d"))
    return found


def test_a_calendar_is_written_in_the_configuration(load: Load) -> None:
    calendar = {
        "country": "JP",
        "days": ["2026-08-13"],
        "windows": [{"weekdays": "fri", "from": "06:00", "to": "09:00"}],
    }

    assert mornings(load(text_of(calendar))) == ["08-12", "08-15", "08-16"]


@pytest.mark.parametrize(
    ("name", "content", "days"),
    [
        ("closed.ics", ICS, ["08-12", "08-16", "08-17"]),
        ("closed.yaml", YAML, ["08-12", "08-16", "08-17"]),
        ("closed.yml", "{weekends: true}", ["08-12", "08-13", "08-14"]),
        (
            "closed.json",
            '{"days": ["2026-08-12/2026-08-14"], /* ! */}',
            ["08-15", "08-16", "08-17"],
        ),
    ],
)
def test_a_calendar_is_read_from_a_file_beside_the_configuration(
    name: str, content: str, days: list[str], load: Load, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(content, "utf-8")

    assert mornings(load(text_of({"file": name}))) == days


def test_the_zone_beside_a_file_is_that_of_its_local_times(load: Load, tmp_path: Path) -> None:
    (tmp_path / "x.ics").write_text(ICS, "utf-8")

    config = load(text_of({"file": "x.ics", "timezone": "America/New_York"}))

    # Midnight to midnight in New York is 13:00 to 13:00 in Tokyo.
    assert mornings(config) == ["08-12", "08-13", "08-17"]


@pytest.mark.parametrize(
    ("calendar", "key", "what"),
    [
        ({"country": "JAPAN"}, "country", "ISO 3166"),
        ({"country": 5}, "country", "text"),
        ({"weekends": 5}, "weekends", "true or false"),
        ({"days": ["2026-13-01"]}, "days[0]", "2026-13-01"),
        ({"windows": [{"from": "22:00", "to": "x"}]}, "windows[0].to", "x"),
        ({"windows": [{"from": "22:00"}]}, "windows[0].to", "missing"),
        ({"windows": [{**NIGHT, "weekday": 1}]}, "windows[0].weekday", "'weekdays'"),
        ({"day": []}, "day", "'days'"),
        ({"timezone": "Asia/Tokio"}, "timezone", "Asia/Tokyo"),
        ({"file": "missing.ics"}, "file", "No such file"),
        ({"file": "x.txt"}, "file", ".yaml"),
        ({"file": "x.ics", "days": []}, "days", "second calendar"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_calendar_is_told_at_its_key_and_only_there(
    calendar: dict[str, Any], key: str, what: str, problems: Problems
) -> None:
    (problem,) = problems(text_of(calendar))

    assert problem["key"] == f"calendars.it.{key}"
    assert what in problem["message"]
    assert problem["line"] == 1


@pytest.mark.parametrize(
    ("name", "content", "line", "what"),
    [
        ("x.ics", ICS.replace("20260816", "2026x"), 4, "2026x"),
        ("x.ics", "<html>", 1, "VCALENDAR"),
        ("x.yaml", "days:\n  - 2026-08-13\n  - 2026-08-32\n", 3, "2026-08-32"),
        ("x.yaml", "days: [\n", 2, "YAML"),
        ("x.yaml", "- 1", 1, "object"),
        ("x.yaml", "", None, "object"),
        ("x.yaml", "days: []\nday: []\n", None, "days"),
        ("x.yaml", "days: []\ndays: []\n", 2, "second time"),
        ("x.yaml", "windows: [{from: 22:00, to: 6h}]", 1, "6h"),
        ("x.json", '{"days": [5]}', 1, "text"),
        ("x.json", '{"days": [', None, "value"),
    ],
)
def test_what_is_wrong_in_a_file_is_told_at_its_line(
    name: str, content: str, *, line: int | None, what: str, problems: Problems, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(content, "utf-8")

    (problem,) = problems(text_of({"file": name}))

    assert problem["key"] == "calendars.it.file"
    assert what in problem["message"]
    if line is not None:
        assert (problem["file"], problem["line"]) == (str(tmp_path / name), line)


@pytest.mark.parametrize(
    "content",
    [
        "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + ALIASES,
        "[" * 5_000,
        "days: " + "{x: " * 100 + "}" * 100,
    ],
)  # fmt: skip
def test_a_file_that_grows_without_end_is_refused(
    content: str, problems: Problems, tmp_path: Path
) -> None:
    (tmp_path / "x.yaml").write_text(content, "utf-8")

    assert len(problems(text_of({"file": "x.yaml"}))) == 1


def test_a_file_that_is_wrong_later_leaves_the_last_good_calendar(
    load: Load, tmp_path: Path
) -> None:
    file = tmp_path / "closed.ics"
    file.write_text(ICS, "utf-8")
    config = load(text_of({"file": "closed.ics"}))
    file.unlink()

    with pytest.raises(ConfigError, match=r"closed\.ics"):
        config.reload()
    # Another change does not read it again.
    config.config["scheduler"]["max_workers"] = 3

    assert mornings(config) == ["08-12", "08-16", "08-17"]


def test_a_file_that_changed_is_taken_up_and_told_to_subscribers(
    load: Load, tmp_path: Path
) -> None:
    file = tmp_path / "closed.ics"
    file.write_text(ICS, "utf-8")
    config = load(text_of({"file": "closed.ics"}))
    told: list[object] = []
    config.subscribe(told.append)
    file.write_text(ICS.replace("20260816", "20260820"), "utf-8")

    config.reload()

    assert mornings(config) == ["08-12", "08-20", "08-21"]
    assert len(told) == 1


def test_files_can_be_read_again_without_the_rest(load: Load, tmp_path: Path) -> None:
    file = tmp_path / "closed.ics"
    file.write_text(ICS, "utf-8")
    config = load(text_of({"file": "closed.ics"}))
    told: list[object] = []
    config.subscribe(told.append)

    assert config.reread_calendars() == []
    file.write_text(ICS.replace("20260816", "20260820"), "utf-8")
    assert config.reread_calendars() == []
    assert mornings(config) == ["08-12", "08-20", "08-21"]
    assert len(told) == 1
    file.write_text("<html>", "utf-8")
    (sentence,) = config.reread_calendars()

    assert f"{file}:1: calendars.it.file: " in sentence
    assert mornings(config) == ["08-12", "08-20", "08-21"]
    assert len(told) == 1


def test_calendars_can_be_added_changed_and_removed_while_it_runs(load: Load) -> None:
    config = load(text_of({"days": ["2026-08-13"]}))

    config.config["calendars"]["it"]["days"] = ["2026-08-12"]

    assert mornings(config) == ["08-13", "08-14", "08-15"]
    with pytest.raises(ConfigError, match="there is no calendar 'it'"):
        del config.config["calendars"]["it"]
    config.config["entries"]["feed"]["exclude"] = ["japan"]
    del config.config["calendars"]["it"]
    assert config.calendars.names() == ("china", "japan", "weekends")


def test_calendars_do_not_come_from_the_environment(problems: Problems) -> None:
    (problem,) = problems("{}", environ={"TASK_SCHEDULER__CALENDARS__X": "1"})

    assert "calendars cannot be given by the environment" in problem["message"]
