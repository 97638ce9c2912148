"""`add`, `edit`, `enable`, `disable`, `retry`, `gc` without a scheduler: straight to the ledger."""

from __future__ import annotations

import json
import logging
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from task_scheduler.cli.exit_codes import ExitCode
from tests.unit.cli.made_ledger import MadeLedger, at

EVERY = {"type": "interval", "seconds": 3600}


def stored(ledger: MadeLedger, task_id: str) -> dict[str, Any]:
    task: dict[str, Any] = ledger.tsk("show", task_id, "--json").document["task"]
    return task


def editor(ledger: MadeLedger, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    """Let the editor be a program that changes the text, as a person would."""
    script = ledger.folder / "editor.py"
    script.write_text(
        f"#!{sys.executable}\nimport sys\nfrom pathlib import Path\n"
        "path = Path(sys.argv[1])\ntext = path.read_text()\n"
        f"{change}\npath.write_text(text)\nimport os\nos.utime(path, (1, 1))\n"
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("VISUAL", str(script))


# -- add ------------------------------------------------------------------------------------------


def test_a_command_is_added_with_its_time_and_the_next_runs_are_told(empty: MadeLedger) -> None:
    answer = empty.tsk("add", "hello", "--every", "10s", "--", "echo", "hi pond")

    assert answer.code == ExitCode.FINE, answer.err
    assert "added hello: every 10 seconds" in answer.err
    assert "next: 06:00 now · 06:00 in 10s · 06:00 in 20s" in answer.err
    assert "tsk up" in answer.err
    task = stored(empty, "hello")
    assert task["definition"]["command"] == ["echo", "hi pond"]
    assert task["definition"]["working_dir"] == str(Path.cwd())
    assert task["origin"] == "cli"


def test_the_command_alone_says_what_it_did_and_the_log_is_kept_in_its_file(
    empty: MadeLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty.config.write_text("{}", encoding="utf-8")
    monkeypatch.setattr(logging.getLogger(), "handlers", [])

    answer = empty.tsk("add", "hello", "--every", "10s", "--script", "none.py")

    assert answer.code == ExitCode.FINE, answer.err
    assert answer.err.count("there is no script") == 1
    assert " - INFO - " not in answer.err
    log = (empty.config.parent / "logs" / "scheduler.log").read_text(encoding="utf-8")
    assert "Task added or changed: hello" in log


def test_every_kind_of_task_can_be_added(empty: MadeLedger) -> None:
    lines = {
        "script": ["--daily", "08:00", "--script", "report.py", "--", "-v"],
        "http": ["--cron", "*/5 * * * *", "--url", "https://example.org/a", "--method", "POST"],
        "function": ["--every", "4h", "--function", "click:echo", "--", "/tmp"],
        "log_cleanup": ["--weekly", "mon 03:00", "--set", "type=log_cleanup", "--set", "days=3"],
    }

    for kind, line in lines.items():
        answer = empty.tsk("add", kind, *line)
        assert answer.code == ExitCode.FINE, answer.err
        assert stored(empty, kind)["kind"] == kind

    assert stored(empty, "script")["definition"]["script_path"] == str(Path.cwd() / "report.py")
    assert stored(empty, "function")["definition"]["args"] == ["/tmp"]
    assert stored(empty, "http")["definition"]["method"] == "POST"


def test_without_a_time_it_runs_on_request(empty: MadeLedger) -> None:
    answer = empty.tsk("add", "once", "--run-now", "true", "--json")

    assert answer.document["next"] == []
    run = empty.tsk("runs", "once", "--json").document["runs"][0]
    assert (run["run_id"], run["state"]) == (answer.document["run_id"], "waiting")


def test_a_task_that_is_there_is_not_overwritten_unless_asked(farm: MadeLedger) -> None:
    refused = farm.tsk("add", "heartbeat", "--every", "1h", "true")
    assert refused.code == ExitCode.CONFLICT
    assert "tsk edit heartbeat" in refused.err

    assert farm.tsk("add", "heartbeat", "--every", "1h", "--replace", "true").code == 0
    task = stored(farm, "heartbeat")
    assert (task["rules"], task["run_count"]) == ([EVERY], 720)


def test_one_that_is_added_paused_is_never_due(empty: MadeLedger) -> None:
    assert empty.tsk("add", "later", "--every", "10s", "--paused", "true").code == 0

    task = stored(empty, "later")
    assert task["status"] == "paused"
    assert task["rules"] == [{"type": "interval", "seconds": 10}]


def test_a_dry_run_only_shows(empty: MadeLedger) -> None:
    answer = empty.tsk("add", "hello", "--every", "10s", "--dry-run", "true")

    assert '+  "type": "command",' in answer.out
    assert empty.tsk("show", "hello").code == ExitCode.NOT_FOUND


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["x"], 2, "--script FILE"),
        (["x", "--every", "soon", "true"], 7, "every"),
        (["x", "--cron", "0 25 * * *", "true"], 7, "cron"),
        (["x", "--set", "max_retrys=1", "true"], 7, "max_retries"),
        (["x", "--timezone", "Asia/Tokio", "--daily", "08:00", "true"], 7, "Asia/Tokyo"),
        (["x", "--every", "5m", "--daily", "08:00", "true"], 7, "daily"),
        (["x", "--set", "pool=net", "true"], 7, "pool"),
        (["x", "--function", "os:getcwd"], 7, "security.function_modules"),
    ],
)
def test_what_is_wrong_is_told_with_what_was_meant(
    empty: MadeLedger, arguments: list[str], code: int, told: str
) -> None:
    answer = empty.tsk("add", *arguments)

    assert answer.code == code, answer.err
    assert told in answer.err
    assert empty.tsk("ls", "--json").document["tasks"] == []


# -- edit -----------------------------------------------------------------------------------------


def test_options_change_a_task_and_the_difference_is_shown(farm: MadeLedger) -> None:
    answer = farm.tsk("edit", "heartbeat", "--timeout", "90s", "--", "echo", "beat")

    assert answer.code == ExitCode.FINE, answer.err
    assert '-  "timeout": 60.0' in answer.out
    assert '+  "timeout": 90.0' in answer.out
    task = stored(farm, "heartbeat")
    assert task["policies"]["timeout"] == 90.0
    assert task["definition"]["command"] == ["echo", "beat"]
    assert task["run_count"] == 720
    assert "taken" not in answer.out
    change = farm.tsk("audit", "--json").document["changes"][0]
    assert (change["action"], change["task_id"]) == ("edit", "heartbeat")


def test_what_was_not_named_stays_as_it_is(farm: MadeLedger) -> None:
    before = stored(farm, "data_upload")

    assert farm.tsk("edit", "data_upload", "--name", "Upload").code == 0

    after = stored(farm, "data_upload")
    for key in ("rules", "policies", "next_run_time", "origin", "run_count"):
        assert after[key] == before[key]
    assert after["name"] == "Upload"


def test_policies_of_its_own_stay_under_a_configuration_that_has_others(
    empty: MadeLedger,
) -> None:
    assert empty.tsk("add", "x", "--retries", "3", "--every", "1h", "true").code == 0
    empty.config.write_text('{"tasks": {"max_retries": 0}, "logging": {"console": false}}')

    assert empty.tsk("edit", "x", "--name", "y").code == 0

    assert stored(empty, "x")["policies"]["max_retries"] == 3


def test_one_that_the_configuration_declares_stays_its_own_and_that_is_told(
    farm: MadeLedger,
) -> None:
    answer = farm.tsk("edit", "heartbeat", "--every", "1m")

    assert "is declared in the configuration" in answer.err
    assert stored(farm, "heartbeat")["origin"] == "config"


def test_nothing_is_written_where_nothing_changes(empty: MadeLedger) -> None:
    empty.tsk("add", "hello", "--every", "30s", "true")

    answer = empty.tsk("edit", "hello", "--every", "0.5m", "--json")

    assert (answer.document["is_saved"], answer.document["changes"]) == (False, [])
    assert [c["action"] for c in empty.tsk("audit", "--json").document["changes"]] == ["add"]


def test_a_dry_run_of_an_edit_only_shows(empty: MadeLedger) -> None:
    empty.tsk("add", "hello", "--every", "30s", "true")

    answer = empty.tsk("edit", "hello", "--every", "1m", "--dry-run", "--json")

    (change,) = answer.document["changes"]
    assert change["key"] == "schedule"
    assert change["after"] == [{"type": "interval", "seconds": 60}]
    assert stored(empty, "hello")["rules"] == [{"type": "interval", "seconds": 30}]


def test_the_editor_gets_the_entry_and_what_it_leaves_is_saved(
    farm: MadeLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor(farm, monkeypatch, "text = text.replace('\"seconds\": 30', '\"seconds\": 45')")

    answer = farm.tsk("edit", "heartbeat", "--yes")

    assert answer.code == ExitCode.FINE, answer.err
    assert stored(farm, "heartbeat")["rules"] == [{"type": "interval", "seconds": 45}]


def test_an_editor_that_changes_nothing_saves_nothing(
    farm: MadeLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor(farm, monkeypatch, "pass")

    answer = farm.tsk("edit", "heartbeat", "--yes")

    assert answer.code == ExitCode.FINE
    assert "nothing of heartbeat was changed" in answer.err


def test_what_is_wrong_in_the_editor_is_told_with_its_line_and_kept(
    farm: MadeLedger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    editor(
        farm, monkeypatch, 'text = text.replace(\'"type": "interval"\', \'"type": "intervall"\')'
    )

    answer = farm.tsk("edit", "heartbeat", "--yes")

    assert answer.code == ExitCode.INVALID
    line = next(
        number for number, text in enumerate(_kept(tmp_path).splitlines(), 1) if "intervall" in text
    )
    assert f"heartbeat:{line}:" in answer.err
    assert "interval" in answer.err
    assert stored(farm, "heartbeat")["rules"] == [{"type": "interval", "seconds": 30}]


def _kept(folder: Path) -> str:
    (path,) = folder.glob("tsk-edit-*.json")
    return path.read_text(encoding="utf-8")


def test_without_a_terminal_and_without_options_nobody_edits(farm: MadeLedger) -> None:
    answer = farm.tsk("edit", "heartbeat")

    assert answer.code == ExitCode.USAGE
    assert "--yes" in answer.err


# -- enable and disable ---------------------------------------------------------------------------


def test_a_disabled_task_is_not_planned_until_it_is_enabled(farm: MadeLedger) -> None:
    answer = farm.tsk("disable", "heartbeat", "--reason", "winter")
    assert answer.code == ExitCode.FINE
    assert "tsk enable heartbeat" in answer.err
    task = stored(farm, "heartbeat")
    assert (task["status"], task["pause_reason"], task["paused_until"]) == (
        "paused",
        "winter",
        None,
    )

    assert farm.tsk("enable", "heartbeat", "--json").document["task_ids"] == ["heartbeat"]
    assert stored(farm, "heartbeat")["status"] == "idle"
    again = farm.tsk("enable", "heartbeat")
    assert "is enabled already" in again.err


def test_what_the_configuration_switched_off_can_be_enabled_too(empty: MadeLedger) -> None:
    entry = {"type": "command", "command": ["true"], "every": "1h", "enabled": False}
    config = {"logging": {"console": False}, "entries": {"off": entry}}
    empty.config.write_text(json.dumps(config))
    empty.task("off", name="off")

    answer = empty.tsk("enable", "off")

    assert answer.code == ExitCode.FINE, answer.err
    assert "is disabled in the configuration" in answer.err
    assert stored(empty, "off")["rules"] == [EVERY]


# -- retry ----------------------------------------------------------------------------------------


def test_a_failed_run_is_done_again_as_a_new_one_that_names_it(farm: MadeLedger) -> None:
    answer = farm.tsk("retry", "117", "--json")

    (new,) = answer.document["runs"]
    assert (new["retry_of"], new["task_id"]) == (117, "data_upload")
    run = farm.tsk("runs", "data_upload", "--json").document["runs"][0]
    assert (run["run_id"], run["retry_of"], run["state"]) == (new["run_id"], 117, "waiting")


def test_asked_twice_while_it_lives_it_is_one_run(farm: MadeLedger) -> None:
    first, second = (farm.tsk("retry", "data_upload", "-q").out for _ in range(2))

    assert first == second


def test_one_that_failed_again_is_done_again_once_more(farm: MadeLedger) -> None:
    first = farm.tsk("retry", "117", "-q").out.strip()
    farm.execute(f"UPDATE runs SET state = 'failed' WHERE run_id = {first}")

    second = farm.tsk("retry", "117", "-q").out.strip()

    assert first != second
    assert farm.tsk("runs", "--json").document["runs"][0]["retry_of"] == 117


def test_all_that_failed_lately_are_done_again_after_asking(farm: MadeLedger) -> None:
    farm.task("old")
    farm.run(3, "old", "lost", "00:10:00", started_at=at("00:10:00"), ended_at=at("00:10:09"))

    planned = farm.tsk("retry", "--failed", "--dry-run")
    assert "#117  data_upload  failed  exit code 1" in planned.out
    assert "#3  old  lost" in planned.out
    assert farm.tsk("retry", "--failed").code == ExitCode.USAGE

    answer = farm.tsk("retry", "--failed", "--since", "1h", "--json")

    assert [run["retry_of"] for run in answer.document["runs"]] == [117]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], 2),
        (["117", "--since", "1h"], 2),
        (["118"], 6),
        (["heartbeat"], 6),
        (["backup"], 3),
        (["999"], 3),
        (["nope"], 3),
        (["117", "--wait"], 4),
    ],
)
def test_what_cannot_be_done_again_is_refused(
    farm: MadeLedger, arguments: list[str], code: int
) -> None:
    answer = farm.tsk("retry", *arguments)

    assert answer.code == code, answer.err
    assert answer.err


# -- gc -------------------------------------------------------------------------------------------


def test_old_runs_go_at_once_with_their_room(empty: MadeLedger) -> None:
    empty.config.write_text('{"storage": {"retention_runs": 5}, "logging": {"console": false}}')
    empty.task("busy", run_count=40)
    for number in range(1, 41):
        empty.run(number, "busy", "succeeded", "05:00:00", ended_at=at("05:00:01"))

    answer = empty.tsk("gc", "--vacuum", "--json")

    assert answer.code == ExitCode.FINE, answer.err
    assert (answer.document["runs"], answer.document["is_vacuumed"]) == (35, True)
    assert answer.document["free"] == 0
    left = empty.tsk("runs", "busy", "-n", "50", "--json").document["runs"]
    assert [run["run_id"] for run in left] == [40, 39, 38, 37, 36]
    change = empty.tsk("audit", "--json").document["changes"][0]
    assert (change["action"], change["after"]) == ("collect", {"is_vacuuming": True})


def test_a_collection_tells_what_went_and_what_is_free(farm: MadeLedger) -> None:
    answer = farm.tsk("gc")

    assert answer.code == ExitCode.FINE, answer.err
    assert "0 runs, 0 skips" in answer.out
