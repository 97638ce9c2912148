"""How an attempt ends by itself, and how that is told."""

from __future__ import annotations

import json
import os
import signal
import sys

import pytest

from task_scheduler.core.model import Outcome
from tests.integration.supervision.bench import Bench


def test_a_program_that_exits_with_zero_has_succeeded(bench: Bench) -> None:
    claim = bench.launch(["sh", "-c", "echo hello"])

    end = bench.end_of(claim)

    assert (end.outcome, end.exit_code, end.error) == (Outcome.SUCCEEDED, 0, None)
    assert end.output_path == str(bench.executor.output_path(claim))
    assert bench.output_of(claim) == b"hello\n"
    assert 0 < end.started_at <= end.ended_at


def test_another_exit_code_fails_with_the_last_line_of_the_output(bench: Bench) -> None:
    end = bench.run(
        ["sh", "-c", "echo first; printf 'the \\033[31mpump\\033[0m is dry\\n\\n' >&2; exit 3"]
    )

    assert (end.outcome, end.exit_code) == (Outcome.FAILED, 3)
    assert end.error == "exit code 3: the pump is dry"


@pytest.mark.parametrize("name", ["KILL", "SEGV", "TERM", "HUP", "PIPE", "XFSZ", "USR1"])
def test_the_end_by_a_signal_is_told_by_its_name(bench: Bench, name: str) -> None:
    end = bench.run(["sh", "-c", f"ulimit -c 0; kill -{name} $$"])

    assert (end.outcome, end.error) == (Outcome.FAILED, f"killed by SIG{name}")
    assert end.exit_code is not None
    assert end.exit_code < 0


def test_a_missing_program_is_named(bench: Bench) -> None:
    end = bench.run(["no-such-program"])

    assert (end.outcome, end.exit_code) == (Outcome.FAILED, 127)
    assert end.error is not None
    assert "'no-such-program'" in end.error
    assert "install it" in end.error


def test_a_file_that_may_not_be_executed_is_told_from_a_missing_one(bench: Bench) -> None:
    path = bench.folder / "script"
    path.write_text("#!/bin/sh\n")

    end = bench.run([str(path)])

    assert (end.outcome, end.exit_code) == (Outcome.FAILED, 126)
    assert end.error is not None
    assert "chmod +x" in end.error


@pytest.mark.parametrize(
    ("first_line", "shown"),
    [("#!/no/such/interpreter -x", "'/no/such/interpreter'"), ("#!/bin/sh\r", "'/bin/sh\\r'")],
)
def test_a_missing_interpreter_is_named(bench: Bench, first_line: str, shown: str) -> None:
    path = bench.folder / "script"
    path.write_bytes(f"{first_line}\necho hello\n".encode())
    path.chmod(0o755)

    end = bench.run([str(path)])

    assert (end.outcome, end.exit_code) == (Outcome.FAILED, 127)
    assert end.error is not None
    assert shown in end.error


@pytest.mark.parametrize("content", ["", "echo no first line\n"])
def test_no_shell_guesses_what_a_file_without_a_first_line_is(bench: Bench, content: str) -> None:
    path = bench.folder / "script"
    path.write_text(content)
    path.chmod(0o755)

    end = bench.run([str(path)])

    assert (end.outcome, end.exit_code) == (Outcome.FAILED, 126)
    assert end.error is not None
    assert "#!/usr/bin/env python3" in end.error


def test_a_program_is_found_on_the_path_of_its_own_environment(bench: Bench) -> None:
    tools = bench.folder / "tools"
    tools.mkdir()
    (tools / "measure").write_text("#!/bin/sh\necho measured\n")
    (tools / "measure").chmod(0o755)

    claim = bench.launch(["measure"], env={"PATH": f"/nowhere:{tools}"})

    assert bench.end_of(claim).outcome is Outcome.SUCCEEDED
    assert bench.output_of(claim) == b"measured\n"


def test_a_missing_working_folder_is_named(bench: Bench) -> None:
    end = bench.run(["true"], working_dir=str(bench.folder / "gone"))

    assert end.outcome is Outcome.FAILED
    assert end.error is not None
    assert "gone" in end.error
    assert "working_dir" in end.error


def test_long_arguments_arrive_whole(bench: Bench) -> None:
    # 128 KiB is the most that Linux takes as one argument.
    arguments = ["x" * 100_000] * 15
    argv = bench.program("import sys; print(sum(map(len, sys.argv[1:])))")

    claim = bench.launch([*argv, *arguments])

    assert bench.end_of(claim).outcome is Outcome.SUCCEEDED
    assert bench.output_of(claim) == b"1500000\n"


def test_arguments_that_the_system_does_not_take_fail_with_the_remedy(bench: Bench) -> None:
    end = bench.run(["true", "x" * 200_000])

    assert (end.outcome, end.exit_code) == (Outcome.FAILED, 126)
    assert end.error is not None
    assert "put the data into a file" in end.error


def test_arguments_and_environment_may_hold_any_bytes(bench: Bench) -> None:
    odd = os.fsdecode(b"\xff\xfe \xe4\xbd\xa0")
    argv = bench.program(
        """
        import os, sys
        sys.stdout.buffer.write(os.fsencode(sys.argv[1]) + os.environb[b"ODD"])
        """
    )

    claim = bench.launch([*argv, odd], env={"ODD": odd})

    assert bench.end_of(claim).outcome is Outcome.SUCCEEDED
    assert bench.output_of(claim) == os.fsencode(odd) * 2


def test_a_program_starts_with_a_clean_slate(bench: Bench) -> None:
    # Its input is empty, its session is its own, no signal is ignored or blocked, and it has no
    # descriptors but the three.
    argv = bench.program(
        """
        import json, os, signal, sys
        status = dict(line.split(":", 1) for line in open("/proc/self/status"))
        print(json.dumps({
            "stdin": sys.stdin.read(),
            "is_leader": os.getsid(0) == os.getpid(),
            "blocked": int(status["SigBlk"], 16),
            "descriptors": sorted(int(fd) for fd in os.listdir("/proc/self/fd"))[:4],
            "oom": int(open("/proc/self/oom_score_adj").read()),
            "notify": os.environ.get("NOTIFY_SOCKET"),
        }))
        """
    )
    os.environ["NOTIFY_SOCKET"] = "/run/of/the/scheduler"
    try:
        claim = bench.launch(argv)
        assert bench.end_of(claim).outcome is Outcome.SUCCEEDED
    finally:
        del os.environ["NOTIFY_SOCKET"]

    seen = json.loads(bench.output_of(claim))
    # The fourth is the listing's own.
    assert seen == {
        "stdin": "",
        "is_leader": True,
        "blocked": 0,
        "descriptors": [0, 1, 2, 3],
        "oom": 500,
        "notify": None,
    }


def test_no_signal_is_ignored_in_a_program(bench: Bench) -> None:
    # As under nohup.
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        claim = bench.launch(["grep", "SigIgn", "/proc/self/status"])
        bench.end_of(claim)
    finally:
        signal.signal(signal.SIGHUP, before)

    assert int(bench.output_of(claim).split()[1], 16) == 0


def test_the_environment_is_never_on_disk(bench: Bench) -> None:
    secret = "s3cr3t-" + "x" * 20
    claim = bench.launch(["sleep", "60"], env={"API_KEY": secret})
    bench.supervisor_of(claim)

    while_running = b"".join(p.read_bytes() for p in bench.runs.rglob("*") if p.is_file())
    bench.executor.cancel(claim, "enough")
    bench.end_of(claim)
    afterwards = b"".join(p.read_bytes() for p in bench.runs.rglob("*") if p.is_file())

    assert secret.encode() not in while_running + afterwards


def test_files_and_folders_are_for_their_owner_alone(bench: Bench) -> None:
    claim = bench.launch(["true"])
    bench.end_of(claim)

    for path in [bench.runs, *bench.runs.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_the_record_tells_what_the_attempt_cost(bench: Bench) -> None:
    claim = bench.launch(
        [sys.executable, "-I", "-S", "-c", "sum(range(3_000_000)); print('x' * 9)"]
    )
    bench.end_of(claim)

    folder = bench.executor.output_path(claim).parent
    record = json.loads((folder / "exit.json").read_text())

    assert record["format"] == 1
    assert record["cpu_seconds"] > 0.01
    assert record["max_rss_bytes"] > 1_000_000
    assert record["output_bytes"] == 10
    assert record["leftover_count"] == 0


def test_after_forgetting_only_the_output_is_left(bench: Bench) -> None:
    claim = bench.launch(["echo", "kept"])
    bench.end_of(claim)

    bench.executor.forget([claim])

    folder = bench.executor.output_path(claim).parent
    assert [path.name for path in folder.iterdir()] == ["output"]
    assert bench.output_of(claim) == b"kept\n"


def test_pruning_deletes_whole_runs_and_no_others(bench: Bench) -> None:
    first, second = bench.launch(["true"]), bench.launch(["true"])
    bench.end_of(first)
    bench.end_of(second)

    bench.executor.prune([f"{first.run_id}-{first.token}"])

    assert [path.name for path in bench.runs.iterdir()] == [f"{second.run_id}-{second.token}"]
