"""What a confined program may do, tried by programs that try it."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from task_scheduler.confinement.network import LANDLOCK_TCP, landlock_version
from tests.integration.confinement.confined import REFUSED

ROOT = Path(__file__).parents[3]
NOBODY = 65_534
Run = Callable[..., subprocess.CompletedProcess[str]]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")


def confined(plan: dict[str, Any], *argv: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program under a plan and wait for its end."""
    return subprocess.run(
        [sys.executable, "-m", "tests.integration.confinement.confined", json.dumps(plan), *argv],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def refusal(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.returncode == REFUSED, (done.stdout, done.stderr)
    return list(json.loads(done.stdout))


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


@pytest.fixture
def script(tmp_path: Path) -> Path:
    tmp_path.chmod(0o755)
    file = tmp_path / "job.py"
    file.write_text("import sys\nprint(__file__, sys.argv, sys.path[0], __name__)\n")
    file.chmod(0o644)
    return file


def plan_of(script: Path, **more: Any) -> dict[str, Any]:
    return {"script": {"path": str(script), "place": 1, "is_python": True, **more}}


# -- scripts --------------------------------------------------------------------------------------


def test_a_checked_script_runs_under_its_own_name(script: Path) -> None:
    done = confined(plan_of(script, roots=[str(script.parent)]), sys.executable, script, "--now")

    plain = subprocess.run(
        [sys.executable, script, "--now"], capture_output=True, text=True, check=True
    )
    assert done.stdout == plain.stdout, done.stderr


def test_its_traceback_is_that_of_a_plain_start(script: Path) -> None:
    script.write_text("def deep():\n    raise ValueError('no tide')\n\n\ndeep()\n")

    done = confined(plan_of(script), sys.executable, script)

    plain = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (plain.returncode, plain.stderr)


def test_a_program_with_a_first_line_is_executed_by_its_descriptor(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    program = tmp_path / "job.sh"
    program.write_text("#!/bin/sh\necho ran $1\n")
    program.chmod(0o755)

    done = confined({"script": {"path": str(program), "place": 0}}, program, "once")

    assert done.stdout == "ran once\n", done.stderr


def test_a_script_outside_the_roots_is_refused(script: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "allowed"
    elsewhere.mkdir()

    done = confined(plan_of(script, roots=[str(elsewhere)]), sys.executable, script)

    assert refusal(done) == ["script_outside", str(script)]


def test_a_link_leads_to_what_lies_below_a_root_and_no_further(
    script: Path, tmp_path: Path
) -> None:
    inside = tmp_path / "allowed"
    inside.mkdir(mode=0o755)
    (inside / "way-out.py").symlink_to(script)
    (inside / "real.py").write_text("print('inside')\n")
    (inside / "real.py").chmod(0o644)
    (inside / "way-in.py").symlink_to(inside / "real.py")
    roots = [str(inside)]

    out = confined(plan_of(inside / "way-out.py", roots=roots), sys.executable, "x")
    into = confined(plan_of(inside / "way-in.py", roots=roots), sys.executable, "x")

    assert refusal(out) == ["script_outside", str(script)]
    assert into.stdout == "inside\n", into.stderr


@pytest.mark.parametrize("mode", [0o666, 0o646])
def test_a_script_that_others_may_write_to_is_refused(script: Path, mode: int) -> None:
    script.chmod(mode)

    assert refusal(confined(plan_of(script), sys.executable, script)) == [
        "script_writable",
        str(script),
    ]


def test_a_folder_on_the_way_that_others_may_write_to_is_refused(script: Path) -> None:
    script.parent.chmod(0o757)

    assert refusal(confined(plan_of(script), sys.executable, script)) == [
        "script_writable",
        str(script.parent),
    ]


@needs_root
def test_what_belongs_to_another_user_is_refused_unless_the_task_is_that_user(
    script: Path,
) -> None:
    os.chown(script, NOBODY, NOBODY)

    assert refusal(confined(plan_of(script), sys.executable, script)) == [
        "script_foreign",
        str(script),
    ]
    assert confined(plan_of(script, owners=[NOBODY]), sys.executable, script).returncode == 0


def test_a_pinned_script_runs_and_a_changed_one_does_not(script: Path) -> None:
    digest = hashlib.sha256(script.read_bytes()).hexdigest()
    assert confined(plan_of(script, sha256=digest), sys.executable, script).returncode == 0

    script.write_text("print('other')\n")

    assert refusal(confined(plan_of(script, sha256=digest), sys.executable, script)) == [
        "script_digest",
        str(script),
    ]


@pytest.mark.parametrize("what", ["folder", "pipe", "nothing"])
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, what: str) -> None:
    tmp_path.chmod(0o755)
    path = tmp_path / "job.py"
    if what == "folder":
        path.mkdir(mode=0o755)
    elif what == "pipe":
        os.mkfifo(path, 0o644)

    assert refusal(confined(plan_of(path), sys.executable, path)) == ["script_unopened", str(path)]


# -- rights ---------------------------------------------------------------------------------------


@needs_root
def test_another_user_is_taken_for_good() -> None:
    code = (
        "import os\n"
        "print(os.getresuid(), os.getresgid(), os.getgroups())\n"
        "try:\n os.setuid(0)\nexcept PermissionError:\n print('no way back')\n"
    )

    done = confined({"uid": NOBODY, "gid": NOBODY, "groups": []}, "/usr/bin/python3", "-c", code)

    ids = f"({NOBODY}, {NOBODY}, {NOBODY})"
    assert done.stdout == f"{ids} {ids} []\nno way back\n", done.stderr


def test_who_is_not_root_cannot_become_another() -> None:
    plan = {"uid": 12_345, "gid": 12_345}
    if os.geteuid() == 0:
        code = (
            "import os\n"
            "from task_scheduler.confinement.plan import confine\n"
            "from task_scheduler.confinement.refusal import StartRefusedError\n"
            f"os.setresgid(*[{NOBODY}] * 3)\nos.setresuid(*[{NOBODY}] * 3)\n"
            f"try:\n confine({plan!r}, [])\n"
            "except StartRefusedError as refusal:\n print(refusal.reason)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.stdout == "user\n", done.stderr
    else:
        assert refusal(confined(plan, "/bin/true"))[0] == "user"


def test_limits_hold_for_the_program_and_all_that_it_starts() -> None:
    limits = {
        "open_files": 32,
        "file_size_bytes": 4_096,
        "memory_bytes": 1 << 30,
    }
    code = (
        "import resource as r\n"
        "print([r.getrlimit(n) for n in (r.RLIMIT_NOFILE, r.RLIMIT_FSIZE, r.RLIMIT_AS,"
        " r.RLIMIT_CORE)])\n"
    )

    done = confined({"limits": limits}, "/bin/sh", "-c", f"{sys.executable} -c '{code}'")

    assert json.loads(done.stdout.replace("(", "[").replace(")", "]")) == [
        [32, 32], [4_096, 4_096], [1 << 30, 1 << 30], [0, 0],
    ]  # fmt: skip


def test_a_limit_of_processes_holds_for_all_but_root_who_is_refused() -> None:
    plan: dict[str, Any] = {"limits": {"processes": 4_000}}
    command = ["/bin/grep", "Max processes", "/proc/self/limits"]
    if os.geteuid() == 0:
        assert refusal(confined(plan, *command))[:2] == ["processes", "4000"]
        plan |= {"uid": 65_534, "gid": 65_534}

    done = confined(plan, *command)

    assert done.stdout.split()[2:4] == ["4000", "4000"], done.stderr


def test_a_limit_that_is_tighter_already_is_kept() -> None:
    inner = json.dumps({"limits": {"open_files": 1_000_000}})
    command = [sys.executable, "-m", "tests.integration.confinement.confined", inner]
    code = "import resource as r; print(r.getrlimit(r.RLIMIT_NOFILE)[1])"

    done = confined({"limits": {"open_files": 64}}, *command, *python(code))

    assert done.stdout == "64\n", done.stderr


def test_a_program_that_computes_beyond_its_time_is_ended() -> None:
    done = confined({"limits": {"cpu_seconds": 1}}, *python("while True: pass"))

    assert done.returncode == -24


def test_mask_and_niceness_are_set(tmp_path: Path) -> None:
    code = "import os; print(oct(os.umask(0)), os.getpriority(os.PRIO_PROCESS, 0))"

    assert confined({"umask": 0o077, "nice": 7}, *python(code)).stdout == "0o77 7\n"


def test_new_privileges_are_renounced() -> None:
    done = confined({"no_new_privileges": True}, "/bin/grep", "NoNewPrivs", "/proc/self/status")

    assert done.stdout.split() == ["NoNewPrivs:", "1"]


# -- network --------------------------------------------------------------------------------------

_CONNECT = (
    "import socket, sys\n"
    "try:\n socket.create_connection(('127.0.0.1', int(sys.argv[1])), 2); print('through')\n"
    "except OSError as error:\n print(type(error).__name__, error.errno)\n"
)


@pytest.fixture
def listening() -> Any:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("kind", ["none", "loopback"])
def test_a_network_of_its_own_leads_to_nobody(kind: str, listening: int) -> None:
    done = confined({"network": {"kind": kind}}, *python(_CONNECT), str(listening))

    assert "through" not in done.stdout
    assert done.returncode == 0, done.stderr


def test_over_a_loopback_of_its_own_a_program_reaches_itself() -> None:
    code = (
        "import socket\n"
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "socket.create_connection(server.getsockname(), 2)\nprint('through')\n"
    )

    assert confined({"network": {"kind": "loopback"}}, *python(code)).stdout == "through\n"


@pytest.mark.skipif(landlock_version() < LANDLOCK_TCP, reason="this kernel has no rules for ports")
@pytest.mark.may_skip(reason="Landlock knows ports from Linux 6.7 on")
def test_only_the_ports_of_the_rules_can_be_connected_to(listening: int) -> None:
    open_way = {"network": {"kind": "tcp", "connect": [listening]}}
    other_way = {"network": {"kind": "tcp", "connect": [1]}}

    assert confined(open_way, *python(_CONNECT), str(listening)).stdout == "through\n"
    assert confined(other_way, *python(_CONNECT), str(listening)).stdout == "PermissionError 13\n"
