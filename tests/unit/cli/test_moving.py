"""`tsk import` and `tsk export`: nothing is lost, nothing runs twice, nothing is guessed."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.exported_entries import entry_of
from task_scheduler.importing.crontab import Account, Crontab, read_crontab
from task_scheduler.importing.found import Ids
from tests.unit.cli.made_ledger import MadeLedger

CRONTAB = """\
CRON_TZ=Asia/Tokyo
0 3 * * 1-5 /bin/true --full
*/5 * * * * cd /tmp && true
#0 4 * * * /bin/false
@reboot /bin/start
"""


@pytest.fixture
def crontab(empty: MadeLedger, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(empty.folder)
    path = empty.folder / "mine"
    path.write_text(CRONTAB)
    path.chmod(0o640)
    return path


def states(ledger: MadeLedger) -> dict[str, str]:
    return {
        task["task_id"]: task["status"] for task in ledger.tsk("ls", "--json").document["tasks"]
    }


def test_at_first_it_only_shows_and_says_what_to_type_next(
    empty: MadeLedger, crontab: Path
) -> None:
    answer = empty.tsk("import", "crontab", str(crontab))

    assert answer.code == ExitCode.FINE
    assert "weekdays at 03:00" in answer.out
    assert "@reboot /bin/start" in answer.out
    assert "3 can be taken over, 1 cannot" in answer.out
    assert f"tsk import crontab {crontab} --held" in answer.err
    assert states(empty) == {}
    assert crontab.read_text() == CRONTAB


def test_held_tasks_are_paused_and_the_other_goes_on(empty: MadeLedger, crontab: Path) -> None:
    answer = empty.tsk("import", "crontab", str(crontab), "--held")

    assert answer.code == ExitCode.FINE
    assert states(empty) == dict.fromkeys(("true", "true-2", "false"), "paused")
    assert crontab.read_text() == CRONTAB
    again = empty.tsk("import", "crontab", str(crontab), "--held")
    assert "Added 0 tasks, paused; 3 were here already." in again.err


def test_a_takeover_switches_the_lines_off_and_lets_the_tasks_go_on(
    empty: MadeLedger, crontab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = empty.tsk("import", "crontab", str(crontab), "--takeover", "--lang", "en")

    assert answer.code == ExitCode.FINE, answer.err
    assert states(empty) == {"true": "idle", "true-2": "idle", "false": "paused"}
    assert crontab.read_text().splitlines() == [
        "CRON_TZ=Asia/Tokyo",
        "#held-by-tsk 0 3 * * 1-5 /bin/true --full",
        "#held-by-tsk */5 * * * * cd /tmp && true",
        "#0 4 * * * /bin/false",
        "@reboot /bin/start",
    ]
    assert crontab.stat().st_mode & 0o777 == 0o640
    (kept,) = (empty.folder / ".scheduler" / "imported").iterdir()
    assert kept.read_text() == CRONTAB


def test_while_a_minute_turns_it_waits(
    empty: MadeLedger, crontab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    naps: list[float] = []
    monkeypatch.setattr(time, "sleep", naps.append)
    for second, nap in ((0, 3), (2, 1), (58, 5)):
        monkeypatch.setattr(time, "localtime", _at(second))
        naps.clear()

        empty.tsk("import", "crontab", str(crontab), "--takeover")

        assert naps == [nap]


def _at(second: int) -> Callable[..., time.struct_time]:
    return lambda *_: time.struct_time((2026, 11, 24, 6, 0, second, 1, 328, 0))


def test_entries_can_be_written_for_a_configuration_that_declares_the_same(
    empty: MadeLedger, crontab: Path
) -> None:
    out = empty.folder / "entries.json"

    assert empty.tsk("import", "crontab", str(crontab), "--output", str(out)).code == ExitCode.FINE

    assert empty.tsk("check", str(out)).code == ExitCode.FINE
    entries = json.loads(out.read_text())["entries"]
    assert entries["true"]["cron"] == "0 3 * * 1-5"
    assert entries["false"]["enabled"] is False
    second = empty.tsk("import", "crontab", str(crontab), "--output", str(out))
    assert second.code == ExitCode.CONFLICT


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("crontab", "/nowhere"), ExitCode.NOT_FOUND),
        (("systemd", "/nowhere"), ExitCode.NOT_FOUND),
        (("apscheduler",), ExitCode.USAGE),
        (("apscheduler", "/nowhere"), ExitCode.NOT_FOUND),
        (("apscheduler", "mine"), ExitCode.INVALID),
        (("celery", "no_such_module_here"), ExitCode.NOT_FOUND),
        (("celery", "json"), ExitCode.NOT_FOUND),
        (("xxl-job", "mine"), ExitCode.INVALID),
        (("anacron",), ExitCode.USAGE),
        (("crontab", "mine", "--held", "--live"), ExitCode.USAGE),
        (("xxl-job", "mine", "--takeover"), ExitCode.USAGE),
    ],
)
def test_what_cannot_be_read_is_told_without_a_traceback(
    empty: MadeLedger, crontab: Path, arguments: tuple[str, ...], code: ExitCode
) -> None:
    answer = empty.tsk("import", *arguments)

    assert answer.code == code
    assert answer.err.startswith("error")
    assert "Traceback" not in answer.err
    assert states(empty) == {}


def test_a_job_store_that_is_open_elsewhere_is_only_read(empty: MadeLedger, crontab: Path) -> None:
    path = empty.folder / "jobs.sqlite"
    with sqlite3.connect(path) as jobs:
        jobs.execute("CREATE TABLE apscheduler_jobs (id, next_run_time, job_state)")
        jobs.execute("INSERT INTO apscheduler_jobs VALUES ('odd', 1, x'00ff')")
    jobs.close()
    before = path.read_bytes()

    answer = empty.tsk("import", "apscheduler", str(path), "--json")

    (refused,) = answer.document["refused"]
    assert (refused["where"], answer.code) == ("jobs.sqlite:odd", ExitCode.PROBLEM)
    assert path.read_bytes() == before


def test_what_was_exported_declares_the_same_tasks_again(empty: MadeLedger, crontab: Path) -> None:
    empty.tsk("import", "crontab", str(crontab), "--held")

    exported = empty.tsk("export")

    assert exported.code == ExitCode.FINE
    copy = empty.folder / "copy.json"
    copy.write_text(exported.out)
    assert empty.tsk("check", str(copy)).code == ExitCode.FINE
    task = empty.tsk("show", "true", "--json").document["task"]
    entry = json.loads(exported.out)["entries"]["true"]
    assert entry["command"] == task["definition"]["command"]
    assert entry["schedule"] == task["rules"]
    assert (entry["overlap"], entry["misfire"], entry["timeout"]) == ("allow", "skip", 0)


def test_an_exported_crontab_starts_the_same_and_names_what_it_cannot_say(
    empty: MadeLedger, crontab: Path
) -> None:
    empty.tsk("import", "crontab", str(crontab), "--held")
    empty.task("odd", {"type": "interval", "seconds": 7})

    answer = empty.tsk("export", "--as", "crontab")

    assert answer.code == ExitCode.PROBLEM
    assert "odd is left out" in answer.err
    again = read_crontab(Crontab(answer.out, "t", Account("a", "/"), runs_as="a"), Ids())
    assert again.refused == []
    crons = {task.entry["cron"] for task in again.tasks}
    assert crons == {"0 4 * * *", "0 3 * * 1-5", "*/5 * * * *"}
    assert {task.entry.get("timezone") for task in again.tasks} == {"Asia/Tokyo"}


def test_a_request_with_an_empty_document_is_exported_with_it() -> None:
    task = {
        "task_id": "beat",
        "name": "beat",
        "description": "",
        "kind": "http",
        "definition": {"url": "http://a/", "headers": {}, "body": None, "json": [], "auth": None},
        "policies": {},
        "rules": [],
    }

    assert entry_of(task) == {"type": "http", "url": "http://a/", "json": []}
