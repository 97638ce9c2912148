"""`tsk diff` and `tsk apply`: the plan first, then all of it as one change; edits are told."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from task_scheduler.cli.exit_codes import ExitCode
from tests.unit.cli.made_ledger import Answer, MadeLedger

PUMP: dict[str, Any] = {"type": "command", "command": ["echo", "pump"], "every": "1h"}
FEED: dict[str, Any] = {"type": "command", "command": ["echo", "feed"], "daily": "06:00"}


@pytest.fixture
def ledger(empty: MadeLedger, monkeypatch: pytest.MonkeyPatch) -> MadeLedger:
    monkeypatch.chdir(empty.folder)
    return empty


def declare(ledger: MadeLedger, **entries: Any) -> None:
    values = {"logging": {"console": False}, "entries": entries}
    ledger.config.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def apply(ledger: MadeLedger, **entries: Any) -> Answer:
    declare(ledger, **entries)
    answer = ledger.tsk("apply", "--yes")
    assert answer.code == ExitCode.FINE, answer.err
    return answer


def edit(ledger: MadeLedger, task_id: str, **changes: Any) -> None:
    """Edit a task as a person does, in the ledger."""
    from task_scheduler import CommandTask, TaskScheduler

    options = {"command": ["echo", task_id], "every": "1h", **changes}
    times = {name: options.pop(name) for name in ("every", "daily") if name in options}
    if "daily" in changes:
        times.pop("every")
    values = {"storage": {"path": str(ledger.database)}, "logging": {"console": False}}
    with_edit = TaskScheduler(values)
    task = CommandTask(
        task_id, task_id, options.pop("command"), working_dir=ledger.folder, **options
    )
    with_edit.add_task(task, **times)
    with_edit.stop(0)


def tasks(ledger: MadeLedger) -> dict[str, Any]:
    found = ledger.tsk("ls", "--json").document["tasks"]
    return {task["task_id"]: task for task in found}


def test_a_plan_shows_what_comes_with_its_first_run(ledger: MadeLedger) -> None:
    declare(ledger, pump=PUMP, feed=FEED)

    answer = ledger.tsk("diff")

    assert answer.code == ExitCode.PROBLEM
    assert "+ feed  new" in answer.out
    assert "every day at 06:00" in answer.out
    assert "first run" in answer.out
    assert "scheduler_config.json: 2 new\n" in answer.err
    assert "tsk apply" in answer.err
    assert tasks(ledger) == {}


def test_what_was_taken_up_differs_no_more(ledger: MadeLedger) -> None:
    answer = apply(ledger, pump=PUMP)

    assert "Taken up: 1 new, 0 back, 0 changed, 0 archived; 1 tasks are declared" in answer.err
    assert list(tasks(ledger)) == ["pump"]
    again = ledger.tsk("diff")
    assert (again.code, again.out) == (ExitCode.FINE, "")
    assert "nothing to change" in again.err


def test_a_change_is_shown_field_by_field_and_made(ledger: MadeLedger) -> None:
    apply(ledger, pump=PUMP, feed=FEED)
    declare(ledger, pump={**PUMP, "every": "2h", "timeout": "10m", "env": {"A": "1"}})

    answer = ledger.tsk("diff")

    assert "timeout: 300 → 600" in answer.out
    assert "schedule: every hour → every 2 hours" in answer.out
    assert 'env.A: - → "1"' in answer.out
    assert "- feed  not declared any more: archived with its history" in answer.out
    assert ledger.tsk("apply", "-y").code == ExitCode.FINE
    assert list(tasks(ledger)) == ["pump"]
    assert tasks(ledger)["pump"]["policies"]["timeout"] == 600


def test_an_archived_task_is_back_with_what_it_was(ledger: MadeLedger) -> None:
    apply(ledger, pump=PUMP)
    added = tasks(ledger)["pump"]["added_at"]
    apply(ledger)

    declare(ledger, pump=PUMP)
    shown = ledger.tsk("diff")
    apply(ledger, pump=PUMP)

    assert "+ pump  back from the archive, with its history" in shown.out
    assert tasks(ledger)["pump"]["added_at"] == added


def test_nothing_is_done_without_a_yes_where_nobody_can_be_asked(ledger: MadeLedger) -> None:
    declare(ledger, pump=PUMP)

    answer = ledger.tsk("apply")

    assert answer.code == ExitCode.USAGE
    assert "tsk apply --yes" in answer.err
    assert tasks(ledger) == {}


def test_a_dry_run_only_shows(ledger: MadeLedger) -> None:
    declare(ledger, pump=PUMP)

    answer = ledger.tsk("apply", "--dry-run", "--yes")

    assert answer.code == ExitCode.PROBLEM
    assert tasks(ledger) == {}


def test_an_edit_is_told_with_who_made_it_and_undone_by_apply(ledger: MadeLedger) -> None:
    apply(ledger, pump=PUMP)
    edit(ledger, "pump", command=["echo", "faster"])

    shown = ledger.tsk("diff")
    kept = ledger.tsk("apply", "--yes", "--keep-edits")
    still = tasks(ledger)["pump"]["definition"]["command"]
    ledger.tsk("apply", "--yes")

    assert shown.code == ExitCode.PROBLEM
    assert "! pump  edited since it was declared" in shown.out
    assert "edited by " in shown.out
    assert 'command: ["echo", "faster"], declared as ["echo", "pump"]' in shown.out
    assert "tsk diff --patch" in shown.err
    assert kept.code == ExitCode.FINE
    assert still == ["echo", "faster"]
    assert tasks(ledger)["pump"]["definition"]["command"] == ["echo", "pump"]


@pytest.mark.parametrize("suffix", ["json", "toml", "yaml"])
def test_an_edit_goes_into_the_file_as_a_patch(ledger: MadeLedger, suffix: str) -> None:
    from task_scheduler.config.written import document_text

    ledger.config.unlink()
    ledger.config = ledger.folder / f"scheduler_config.{suffix}"
    values = {"logging": {"console": False}, "entries": {"pump": PUMP, "feed": FEED, "old": FEED}}
    ledger.config.write_text(document_text(values, suffix), encoding="utf-8")
    assert ledger.tsk("apply", "--yes").code == ExitCode.FINE
    edit(ledger, "pump", command=["echo", "schneller"], daily="07:30", max_retries=7)
    ledger.tsk("rm", "old", "--yes")

    answer = ledger.tsk("diff", "--patch")

    assert answer.code == ExitCode.PROBLEM
    patch = shutil.which("patch")
    if patch is None:
        assert f"--- a/scheduler_config.{suffix}" in answer.out
        return
    subprocess.run([patch, "-p1"], input=answer.out, text=True, cwd=ledger.folder, check=True)
    assert "schneller" in ledger.config.read_text(encoding="utf-8")
    again = ledger.tsk("diff")
    assert again.code == ExitCode.FINE, again.out + ledger.config.read_text()


def test_without_edits_there_is_no_patch(ledger: MadeLedger) -> None:
    apply(ledger, pump=PUMP)
    declare(ledger, pump={**PUMP, "every": "2h"})

    answer = ledger.tsk("diff", "--patch")

    assert (answer.code, answer.out) == (ExitCode.FINE, "")
    assert "Nothing was edited" in answer.err


def test_a_wrong_file_is_told_with_its_lines_and_changes_nothing(ledger: MadeLedger) -> None:
    apply(ledger, pump=PUMP)
    declare(ledger, pump={**PUMP, "every": "soon"})

    for command in (["diff"], ["apply", "--yes"]):
        answer = ledger.tsk(*command)
        assert answer.code == ExitCode.INVALID
        assert "scheduler_config.json:" in answer.err
        assert "entries.pump.every" in answer.err
    assert list(tasks(ledger)) == ["pump"]


def test_what_a_reference_stands_for_is_not_shown(
    ledger: MadeLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", "hush-1")
    secret = {**PUMP, "env": {"KEY": "${env:KEY}"}}
    apply(ledger, pump=secret)
    monkeypatch.setenv("KEY", "hush-2")

    shown = ledger.tsk("diff")
    document = ledger.tsk("diff", "--json")

    assert shown.code == ExitCode.PROBLEM
    assert '"${env:KEY}"' in shown.out
    assert "hush" not in shown.out + document.out


def test_the_plan_is_a_document_for_programs(ledger: MadeLedger) -> None:
    declare(ledger, pump=PUMP)

    document = ledger.tsk("diff", "--json").document
    applied = ledger.tsk("apply", "--yes", "--json").document

    assert document["schema"] == "tsk.diff/1"
    (change,) = document["changes"]
    assert (change["kind"], change["task_id"], change["edited"]) == ("add", "pump", None)
    assert change["first_runs"][0]["rule"] == "every hour"
    assert document["counts"]["add"] == 1
    assert applied["schema"] == "tsk.apply/1"
    assert applied["done"]["new"] == 1


def test_another_file_may_be_named(ledger: MadeLedger) -> None:
    other = ledger.folder / "farm.yaml"
    other.write_text("entries: {pump: {type: command, command: [x], every: 5m}}\n")

    assert ledger.tsk("apply", "farm.yaml", "--yes").code == ExitCode.FINE

    assert list(tasks(ledger)) == ["pump"]


def test_a_reload_needs_a_scheduler_that_runs(ledger: MadeLedger) -> None:
    answer = ledger.tsk("reload")

    assert answer.code == ExitCode.UNREACHABLE
    assert "tsk up" in answer.err


def test_a_task_that_was_removed_by_hand_is_told_so(ledger: MadeLedger) -> None:
    apply(ledger, pump=PUMP, feed=FEED)
    ledger.tsk("rm", "pump", "--yes")

    answer = ledger.tsk("diff", "--json").document

    (change,) = answer["changes"]
    assert change["kind"] == "restore"
    assert change["edited"]["actor"]


def test_a_mapping_given_by_a_program_archives_nothing(tmp_path: Path) -> None:
    from task_scheduler import TaskScheduler

    storage = {"storage": {"path": str(tmp_path / "s.db")}, "logging": {"console": False}}
    with_both = TaskScheduler({**storage, "entries": {"a": PUMP, "b": FEED}})
    with_both.apply_declared()
    with_both.stop(0)

    with_one = TaskScheduler({**storage, "entries": {"a": PUMP}})
    with_one.apply_declared()
    with_one.stop(0)

    assert [task["task_id"] for task in with_one.view.tasks()] == ["a", "b"]


def test_every_kind_of_task_and_time_is_as_it_was_declared_once_it_is_taken_up(
    ledger: MadeLedger,
) -> None:
    command = {"type": "command", "command": ["true", 1, 2.5]}
    times = [
        {"every": "90s", "start_at": "2026-11-01T00:00:00+09:00", "kind": "fixed_delay"},
        {"at": ["2026-12-01T08:00", "2026-12-02T08:00"]},
        {"cron": "*/5 8-18 * * mon-fri", "timezone": "Asia/Tokyo", "jitter_seconds": 5},
        {"weekly": "mon 08:00", "exclude": ["japan", "weekends"], "roll": "next"},
        {"monthly": "last 08:00", "max_runs": 3, "end_at": "2027-01-01"},
        {"on_calendar": "Mon..Fri 08:00"},
        {"rrule": "FREQ=WEEKLY;BYDAY=MO", "start_at": "2026-11-02T08:00"},
        {"solar": "sunset", "latitude": 35.7, "longitude": 139.7, "offset_seconds": -60},
        {"schedule": [{"type": "cron", "cron": "0 3 * * *"}, {"type": "daily", "daily": "08:00"}]},
        {"schedule": []},
        {"after": ["t0", {"task": "t1", "on": "failure"}], "after_mode": "any"},
    ]
    entries: dict[str, Any] = {f"t{n}": {**command, **time} for n, time in enumerate(times)}
    (ledger.folder / "feed.py").write_text("print(1)")
    entries["script"] = {
        "type": "script",
        "script_path": "feed.py",
        "args": ["-x", 3],
        "env": {"A": "1"},
        "limits": {"memory_bytes": "256MB"},
        "python": {"warm": True},
        "every": 5,
        "description": "feeds",
        "tags": ["pond"],
        "retry_jitter": 0.5,
        "rate_limit": "10/1m",
    }
    entries["function"] = {
        "type": "function",
        "function": "json:dumps",
        "args": [{"a": [1]}],
        "kwargs": {"indent": 2},
        "every": 5,
        "isolation": "process",
    }
    entries["http"] = {
        "type": "http",
        "url": "http://localhost:1/",
        "method": "post",
        "every": 5,
        "json": {},
        "headers": {"X-A": "b"},
        "expected_status": [200, "3xx"],
    }
    entries["logs"] = {"type": "log_cleanup", "days": 3, "every": "1d", "enabled": False}
    apply(ledger, **entries)

    answer = ledger.tsk("diff")

    assert answer.code == ExitCode.FINE, answer.out


def test_a_scheduler_whose_tasks_come_from_a_program_has_nothing_to_compare(
    ledger: MadeLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(ledger, pump=PUMP)
    monkeypatch.setattr("task_scheduler.cli.declared_plan.running_holder", lambda _: object())
    monkeypatch.setattr("task_scheduler.TaskScheduler.ask_config", lambda _: None)

    answer = ledger.tsk("diff")

    assert answer.code == ExitCode.CONFLICT
    assert "has its tasks from a program" in answer.err
    assert "tsk ls" in answer.err
