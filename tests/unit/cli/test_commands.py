"""What each command answers: exit codes, JSON, hints at what was meant."""

from __future__ import annotations

import json

import pytest

from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.errors import StoreUnavailableError
from task_scheduler.ledger_view import LedgerView
from tests.unit.cli.made_ledger import NOW, MadeLedger, at


def test_a_failed_task_is_first_to_be_seen(farm: MadeLedger) -> None:
    answer = farm.tsk("ls", "--failed")

    assert answer.code == ExitCode.FINE
    assert "✕  data_upload" in answer.out
    assert "heartbeat" not in answer.out
    assert "hidden by the filters: 2" in answer.err


def test_globs_choose_tasks(farm: MadeLedger) -> None:
    ids = [
        task["task_id"] for task in farm.tsk("--json", "ls", "*a*u*", "heartbeat").document["tasks"]
    ]

    assert ids == ["backup", "data_upload", "heartbeat"]


def test_a_status_filter_keeps_only_that_status(farm: MadeLedger) -> None:
    ids = [
        task["task_id"] for task in farm.tsk("ls", "--status", "paused", "--json").document["tasks"]
    ]

    assert ids == ["backup"]


def test_without_tasks_the_way_to_the_first_one_is_told(empty: MadeLedger) -> None:
    answer = empty.tsk("ls")

    assert (answer.code, answer.out) == (ExitCode.FINE, "")
    assert "tsk init" in answer.err


def test_declared_tasks_of_an_empty_ledger_are_told(empty: MadeLedger) -> None:
    empty.config.write_text(
        '{"entries": {"hello": {"type": "command", "command": ["true"], "every": "1h"}}}'
    )

    answer = empty.tsk("ls")

    assert "declares: 1" in answer.err
    assert "tsk up" in answer.err


def test_what_should_have_come_is_named_overdue(empty: MadeLedger) -> None:
    empty.task("late", {"type": "interval", "seconds": 3600}, next_due="05:50:00")

    answer = empty.tsk("ls")

    assert "overdue 10m" in answer.out
    assert "No scheduler runs" in answer.err


def test_a_task_between_two_attempts_shows_why(empty: MadeLedger) -> None:
    empty.task("flaky", {"type": "interval", "seconds": 3600}, last_error="exit code 4")
    empty.run(1, "flaky", "waiting", "05:59:00", due_at=at("06:00:30"), waiting_for="retry")

    answer = empty.tsk("ls")

    assert "↻  flaky" in answer.out
    assert "retrying" in answer.out
    assert "attempt 1: exit code 4" in answer.out


@pytest.mark.parametrize("line", ["--help --lang ja", "--lang=ja --help", "ls --help --lang ja"])
def test_the_language_holds_wherever_it_stands(empty: MadeLedger, line: str) -> None:
    assert empty.tsk(*line.split()).out.startswith("使い方: tsk")


def test_quiet_leaves_only_the_data(farm: MadeLedger) -> None:
    answer = farm.tsk("ls", "-q")

    assert "heartbeat" in answer.out
    assert answer.err == ""


def test_a_zone_changes_only_how_times_are_shown(farm: MadeLedger) -> None:
    answer = farm.tsk("--tz", "UTC", "show", "heartbeat")

    assert "2026-11-23 21:00:30" in answer.out
    assert "UTC+0000" in answer.out


def test_a_name_that_commands_the_terminal_is_only_shown(empty: MadeLedger) -> None:
    empty.task("evil", name="\x1b[2Jgone\x07", last_error="line\x1b]0;title\x07")

    answer = empty.tsk("show", "evil")

    assert "\x1b" not in answer.out
    assert "\x07" not in answer.out


def test_status_without_a_scheduler_is_never_green(farm: MadeLedger) -> None:
    answer = farm.tsk("status")

    assert answer.code == ExitCode.UNREACHABLE
    assert answer.out.startswith("✕ No scheduler runs")
    assert "tsk up" in answer.err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["ls"], 0),
        (["status"], 4),
        (["show", "nope"], 3),
        (["ls", "nope"], 3),
        (["ls", "x*"], 3),
        (["logs", "999"], 3),
        (["logs"], 2),
        (["logs", "117", "--attempt", "7"], 3),
        (["runs", "nope"], 3),
        (["next", "nope"], 3),
        (["run", "nope"], 3),
        (["run", "heartbeat", "--wait"], 4),
        (["down"], 4),
        (["kill", "117"], 6),
        (["kill", "999"], 3),
        (["rm", "heartbeat", "--no-input"], 2),
        (["nonsense"], 2),
        (["ls", "--nonsense"], 2),
        (["runs", "-n", "0"], 2),
        (["runs", "-n"], 2),
        (["show"], 2),
        (["show", "a", "b"], 2),
        (["runs", "--state", "bad"], 2),
        (["next", "--for", "soon"], 2),
        (["--lang", "fr", "ls"], 2),
        (["--tz", "Nowhere/City", "ls"], 2),
        (["check", "missing.json"], 7),
        (["help", "nonsense"], 2),
        (["help", "exit-codes"], 0),
        (["--help"], 0),
        (["--version"], 0),
        (["version"], 0),
        ([], 0),
    ],
)
def test_every_end_has_its_exit_code(farm: MadeLedger, arguments: list[str], code: int) -> None:
    answer = farm.tsk(*arguments)

    assert answer.code == code, answer.err
    assert "Traceback" not in answer.err
    assert (answer.err != "") if code in (2, 3, 4, 6) else True


def test_the_page_of_exit_codes_names_all_of_them(farm: MadeLedger) -> None:
    listed = farm.tsk("help", "exit-codes", "--json").document["exit_codes"]

    assert [int(code) for code in listed] == [*range(11), 130]
    assert all(listed.values())


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["lss"], "Did you mean 'ls'?"),
        (["statu"], "Did you mean 'status'?"),
        (["ls", "--faild"], "Did you mean '--failed'?"),
        (["ls", "--status", "pausd"], "Did you mean 'paused'?"),
        (["show", "hartbeat"], "heartbeat"),
        (["ls", "data_uplod"], "data_upload"),
        (["--tz", "Asia/Tokio", "ls"], "Asia/Tokyo"),
    ],
)
def test_what_was_meant_is_named(farm: MadeLedger, arguments: list[str], hint: str) -> None:
    assert hint in farm.tsk(*arguments).err


TASK_KEYS = {
    "task_id", "name", "kind", "description", "origin", "status", "schedule", "run_count",
    "success_count", "failure_count", "skip_count", "success_rate", "running_count",
    "last_run_time", "next_run_time", "last_error", "rule_error", "paused_at", "pause_reason",
    "paused_until",
    "last_duration_seconds", "average_duration_seconds", "max_duration_seconds",
    "p95_duration_seconds", "rules", "policies", "definition", "added_at", "tags",
}  # fmt: skip
RUN_KEYS = {
    "run_id", "task_id", "key", "origin", "state", "scheduled_at", "due_at", "waiting_for",
    "attempt", "started_at", "ended_at", "duration_seconds", "error", "reason", "retry_of",
    "cpu_seconds", "peak_memory_bytes", "read_bytes", "written_bytes",
}  # fmt: skip


@pytest.mark.parametrize(
    ("line", "schema", "keys"),
    [
        ("ls", "tsk.ls/1", {"tasks"}),
        ("show heartbeat", "tsk.show/1", {"task", "runs", "skips"}),
        ("runs", "tsk.runs/1", {"runs"}),
        ("runs --skips", "tsk.skips/1", {"skips", "runs"}),
        ("next", "tsk.next/1", {"occurrences", "is_cut", "not_planned"}),
        ("logs 117", "tsk.logs/1", {"run", "attempt", "output"}),
        (
            "check",
            "tsk.check/1",
            {"file", "is_valid", "code", "problems", "warnings", "task_ids"},
        ),
        (
            "status",
            "tsk.status/1",
            {
                "verdict", "sentence", "holder", "total_tasks", "running_tasks", "backlog",
                "problems", "next", "database", "config", "measures",
            },
        ),
        (
            "doctor clock",
            "tsk.doctor/1",
            {"verdict", "sentence", "bottleneck", "is_running", "checks", "database"},
        ),
        ("version", "tsk.version/1", {"version", "python", "sqlite", "system"}),
        ("show nope", "tsk.error/1", {"error"}),
    ],
)  # fmt: skip
def test_json_keeps_its_keys(farm: MadeLedger, line: str, schema: str, keys: set[str]) -> None:
    document = farm.tsk("--json", *line.split()).document

    assert document.pop("schema") == schema
    assert set(document) == keys


def test_tasks_and_runs_in_json_keep_their_keys(farm: MadeLedger) -> None:
    shown = farm.tsk("show", "data_upload", "--json").document
    listed = farm.tsk("ls", "--json").document["tasks"][0]

    assert set(shown["task"]) == TASK_KEYS
    assert set(listed) == TASK_KEYS | {"last_run"}
    assert set(shown["runs"][0]) == RUN_KEYS


def test_a_stream_is_one_json_object_a_line(farm: MadeLedger) -> None:
    lines = [json.loads(line) for line in farm.tsk("runs", "--jsonl").out.splitlines()]

    assert [line["run_id"] for line in lines] == [118, 117]
    assert {line["schema"] for line in lines} == {"tsk.run_state/1"}


def test_next_merges_tasks_and_continues_each_from_its_anchor(farm: MadeLedger) -> None:
    found = farm.tsk("next", "--for", "10m", "-n", "100", "--json").document["occurrences"]

    times = [(item["at"][11:19], item["task_id"]) for item in found]
    assert times[0] == ("06:00:30", "heartbeat")
    assert ("06:05:00", "data_upload") in times
    assert times == sorted(times)
    assert len(times) == 21


def test_next_shows_a_retry_that_waits(farm: MadeLedger) -> None:
    farm.run(119, "data_upload", "waiting", "06:00:00", due_at=at("06:00:20"), waiting_for="retry")

    first = farm.tsk("next", "--json").document["occurrences"][0]

    assert (first["task_id"], first["waiting_for"]) == ("data_upload", "retry")


def test_next_steps_no_further_than_asked(empty: MadeLedger) -> None:
    empty.task("tick", {"type": "interval", "seconds": 0.001}, next_due="06:00:13")

    answer = empty.tsk("next", "--for", "365d", "-n", "3", "--json")

    assert len(answer.document["occurrences"]) == 3
    assert answer.document["is_cut"]


def test_logs_print_the_output_of_the_last_attempt(farm: MadeLedger) -> None:
    assert farm.tsk("logs", "data_upload").out == (
        "connecting 203.0.113.9:443 ...\nConnection refused\n"
    )
    assert farm.tsk("logs", "117", "-n", "1").out == "Connection refused\n"


def test_logs_of_a_running_run_are_found_by_its_token(farm: MadeLedger) -> None:
    farm.run(120, "heartbeat", "running", "06:00:00", token=77, started_at=NOW)
    folder = farm.runs_folder / "120-77"
    folder.mkdir()
    (folder / "output").write_bytes(b"half a line")

    assert farm.tsk("logs", "heartbeat").out == "half a line"


def test_logs_choose_an_attempt(farm: MadeLedger) -> None:
    farm.attempt(118, 1, "failed", b"first\n")
    farm.attempt(118, 2, "succeeded", b"second\n")

    assert farm.tsk("logs", "118").out == "second\n"
    assert farm.tsk("logs", "118", "--attempt", "1").out == "first\n"


def test_a_run_without_output_says_so_and_why_it_failed(farm: MadeLedger) -> None:
    farm.run(121, "heartbeat", "failed", "06:00:00", started_at=NOW, ended_at=NOW)
    farm.attempt(121, 1, "failed", None)

    answer = farm.tsk("logs", "121")

    assert answer.out == ""
    assert "attempt 1: exit code 1" in answer.err
    assert "no captured output" in answer.err


def test_a_task_whose_id_is_a_number_is_meant_before_the_run(farm: MadeLedger) -> None:
    farm.task("117")

    assert "has not run yet" in farm.tsk("logs", "117").err


def test_check_shows_every_problem_with_its_line(empty: MadeLedger) -> None:
    empty.config.write_text(
        '{\n    "scheduler": {"max_wokers": 3},\n    "tasks": {"max_retries": -1}\n}\n',
        encoding="utf-8",
    )

    answer = empty.tsk("check")

    assert answer.code == ExitCode.INVALID
    assert f"{empty.config}:2:" in answer.out
    assert f"{empty.config}:3:" in answer.out
    assert '    2 |     "scheduler": {"max_wokers": 3},' in answer.out
    assert "max_workers" in answer.out
    assert "problems: 2" in answer.err


def test_check_shows_where_the_text_is_no_json(empty: MadeLedger) -> None:
    empty.config.write_text('{\n  "scheduler": {"max_workers" 3}\n}\n', encoding="utf-8")

    answer = empty.tsk("check")

    lines = answer.out.splitlines()
    assert answer.code == ExitCode.INVALID
    assert lines[0].startswith(f"{empty.config}:2:")
    assert lines[-1].index("^") == lines[-2].index(" 3}") + 1


def test_check_names_every_declared_task(empty: MadeLedger) -> None:
    empty.config.write_text(
        '{"entries": {"hello": {"type": "command", "command": ["no-such-program"], "every": "1h"}}}'
    )

    answer = empty.tsk("check")

    assert answer.code == ExitCode.FINE
    assert "hello" in answer.out
    assert "every hour" in answer.out
    assert "no-such-program" in answer.err


def test_init_writes_what_check_accepts_and_keeps_what_is_there(empty: MadeLedger) -> None:
    folder = empty.folder / "new"

    first = empty.tsk("init", str(folder))
    config = (folder / "scheduler_config.json").read_text()
    second = empty.tsk("init", str(folder))

    assert "written" in first.out
    assert "kept" in second.out
    assert (folder / "scheduler_config.json").read_text() == config
    assert empty.tsk("check", str(folder / "scheduler_config.json")).code == ExitCode.FINE


def test_pause_and_resume_without_a_scheduler_change_the_ledger(farm: MadeLedger) -> None:
    paused = farm.tsk("pause", "heartbeat", "--reason", "cleaning")

    assert paused.code == ExitCode.FINE, paused.err
    assert farm.tsk("show", "heartbeat", "--json").document["task"]["pause_reason"] == "cleaning"
    assert farm.tsk("resume", "*").code == ExitCode.FINE
    statuses = {t["status"] for t in farm.tsk("ls", "--json").document["tasks"]}
    assert statuses == {"idle"}


def test_run_without_a_scheduler_waits_and_says_so(farm: MadeLedger) -> None:
    answer = farm.tsk("run", "heartbeat")

    assert answer.code == ExitCode.FINE, answer.err
    assert int(answer.out) > 118
    assert "waits until one starts" in answer.err


def test_a_request_beside_a_living_run_is_skipped_and_says_so(farm: MadeLedger) -> None:
    farm.run(120, "heartbeat", "waiting", "06:00:00", attempt=0)

    answer = farm.tsk("run", "heartbeat")

    assert answer.code == ExitCode.CONFLICT
    assert "was skipped: the previous run was still running" in answer.err


def test_the_same_request_is_the_same_run(farm: MadeLedger) -> None:
    first = farm.tsk("run", "heartbeat", "--request-id", "a")
    second = farm.tsk("run", "heartbeat", "--request-id", "a")

    assert first.out == second.out


def test_a_waiting_run_can_be_killed(farm: MadeLedger) -> None:
    run_id = farm.tsk("run", "heartbeat", "-q").out.strip()

    answer = farm.tsk("kill", run_id, "--wait", "--json")

    assert answer.code == ExitCode.FINE, answer.err
    assert answer.document["run"]["state"] == "cancelled"


def test_rm_removes_after_yes(farm: MadeLedger) -> None:
    answer = farm.tsk("rm", "heartbeat", "--yes")

    assert answer.code == ExitCode.FINE, answer.err
    assert farm.tsk("show", "heartbeat").code == ExitCode.NOT_FOUND


def test_a_damaged_ledger_is_an_invalid_file(farm: MadeLedger) -> None:
    farm.database.write_bytes(b"not a database" * 1_000)

    answer = farm.tsk("ls")

    assert answer.code == ExitCode.INVALID
    assert "damaged" in answer.err


def test_an_unexpected_failure_is_told_in_one_line_and_with_vv_whole(
    farm: MadeLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr("task_scheduler.ledger_view.LedgerView.tasks", fail)

    short, long = farm.tsk("ls"), farm.tsk("ls", "-vv")

    assert (short.code, long.code) == (ExitCode.PROBLEM, ExitCode.PROBLEM)
    assert "boom" in short.err
    assert "Traceback" not in short.err
    assert "Traceback" in long.err


def test_who_may_not_connect_is_not_told_that_nothing_runs(
    farm: MadeLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may everything: what another user meets is set up where it is asked for."""
    (farm.folder / ".scheduler" / "scheduler.sock").touch()
    monkeypatch.setattr("os.access", lambda *_, **__: False)

    for line in ("down", "status", "run heartbeat --wait"):
        answer = farm.tsk(*line.split())
        assert answer.code == ExitCode.NOT_ALLOWED, answer.err
        assert "permission denied" in answer.err
        assert "tsk up" not in answer.err
    assert "permission denied" in farm.tsk("ls").err


def test_the_system_is_quoted_without_its_number_and_without_the_path_again(
    farm: MadeLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        cause = PermissionError(13, "Permission denied", str(farm.database))
        raise StoreUnavailableError(
            "errors.store_unavailable", path=str(farm.database), reason=str(cause)
        ) from cause

    monkeypatch.setattr(LedgerView, "tasks", refuse)

    answer = farm.tsk("ls")

    assert answer.code == ExitCode.NOT_ALLOWED
    assert "Errno" not in answer.err
    assert "cannot be used: Permission denied." in answer.err
