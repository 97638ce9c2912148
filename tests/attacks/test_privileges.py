"""What a task may keep, gain or pass on of the scheduler's rights."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from task_scheduler import CommandTask
from task_scheduler.confinement import rights
from task_scheduler.confinement.plan import confine
from task_scheduler.confinement.refusal import StartRefusedError
from task_scheduler.core.model import LaunchSpec
from task_scheduler.errors import DefinitionError
from task_scheduler.executors.launch_order import order_of
from task_scheduler.launch_guard import SAFE_ENVIRONMENT, LaunchGuard, SecurityRules
from task_scheduler.supervision.orders import FOLDER_VARIABLE
from tests.integration.facade.bench import settled

NOBODY = 65_534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
AS_NOBODY = {"uid": NOBODY, "gid": NOBODY, "groups": []}


def within(work: Callable[[], Any]) -> Any:
    """Do something in a process of its own, and return its JSON answer."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        answer: Any
        try:
            answer = work()
        except BaseException as error:
            answer = [type(error).__name__, *map(str, error.args)]
        os.write(writing, json.dumps(answer).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as stream:
        said = stream.read()
    os.waitpid(pid, 0)
    return json.loads(said)


def confined(plan: dict[str, Any], attempt: Callable[[], Any]) -> Any:
    """Confine a process, try something in it, and return what came of it."""

    def work() -> Any:
        confine(plan, [])
        return attempt()

    return within(work)


ESCAPES: dict[str, Callable[[], Any]] = {
    "setuid": lambda: os.setuid(0),
    "seteuid": lambda: os.seteuid(0),
    "setreuid": lambda: os.setreuid(0, 0),
    "setresuid": lambda: os.setresuid(0, 0, 0),
    "setresuid-saved": lambda: os.setresuid(-1, -1, 0),
    "setuid-other": lambda: os.setuid(1),
    "setgid": lambda: os.setgid(0),
    "setegid": lambda: os.setegid(0),
    "setresgid": lambda: os.setresgid(0, 0, 0),
    "setgroups": lambda: os.setgroups([0]),
    "initgroups": lambda: os.initgroups("root", 0),
    "chroot": lambda: os.chroot("/"),
    "nice": lambda: os.setpriority(os.PRIO_PROCESS, 0, -20),
    "kill-parent": lambda: os.kill(os.getppid(), 9),
    "kill-first": lambda: os.kill(1, 9),
    "read-shadow": lambda: Path("/etc/shadow").read_bytes(),
    "write-root": lambda: Path("/owned").write_bytes(b"x"),
    "memory-of-parent": lambda: Path(f"/proc/{os.getppid()}/mem").read_bytes(),
    "environment-of-parent": lambda: Path(f"/proc/{os.getppid()}/environ").read_bytes(),
    "descriptors-of-parent": lambda: list(Path(f"/proc/{os.getppid()}/fd").iterdir()),
    "mknod": lambda: os.mknod("/tmp/owned-device", 0o20666, os.makedev(1, 1)),
    "hard-limit": lambda: resource.setrlimit(resource.RLIMIT_CORE, (1, 1)),
    "oom": lambda: Path(f"/proc/{os.getppid()}/oom_score_adj").write_text("1000"),
}


@needs_root
@pytest.mark.parametrize("name", ESCAPES)
def test_who_became_nobody_has_no_way_back(name: str) -> None:
    kind = confined(AS_NOBODY, ESCAPES[name])[0]

    assert kind in ("PermissionError", "ValueError", "OSError"), kind


@needs_root
@pytest.mark.parametrize("what", ["uids", "gids", "groups", "capabilities", "bounding-by-exec"])
def test_nothing_of_root_is_kept(what: str) -> None:
    def status(*names: str) -> list[list[str]]:
        lines = Path("/proc/self/status").read_text().splitlines()
        return [line.split(":", 1)[1].split() for line in lines if line.split(":")[0] in names]

    def look() -> Any:
        looks: dict[str, Callable[[], Any]] = {
            "uids": lambda: status("Uid"),
            "gids": lambda: status("Gid"),
            "groups": os.getgroups,
            "capabilities": lambda: status("CapEff", "CapPrm", "CapInh", "CapAmb"),
            "bounding-by-exec": lambda: (
                subprocess.run(
                    ["/bin/grep", "CapEff", "/proc/self/status"], capture_output=True, check=True
                )
                .stdout.decode()
                .split()[1:]
            ),
        }
        return looks[what]()

    def work() -> Any:
        os.setgroups([0, 1, 2, 3, 4, 27])
        confine(AS_NOBODY, [])
        return look()

    expected = {
        "uids": [[str(NOBODY)] * 4],
        "gids": [[str(NOBODY)] * 4],
        "groups": [],
        "capabilities": [["0" * 16]] * 4,
        "bounding-by-exec": ["0" * 16],
    }
    assert within(work) == expected[what]


@needs_root
def test_only_the_groups_of_the_plan_are_had() -> None:
    assert confined({**AS_NOBODY, "groups": [65_533]}, os.getgroups) == [65_533]


@pytest.mark.parametrize("failing", ["setgroups", "setresgid", "setresuid"])
def test_a_step_that_fails_is_a_refusal(failing: str) -> None:
    def work() -> Any:
        def fail(*_: object) -> None:
            raise PermissionError(1, "not permitted")

        setattr(os, failing, fail)
        confine(AS_NOBODY, [])
        return "started"

    assert within(work)[:2] == ["StartRefusedError", "user"]


@needs_root
@pytest.mark.parametrize("lying", ["setgroups", "setresgid", "setresuid"])
def test_a_step_that_does_nothing_and_says_nothing_is_found(lying: str) -> None:
    def work() -> Any:
        os.setgroups([0, 27])
        setattr(os, lying, lambda *_: None)
        confine(AS_NOBODY, [])
        return "started"

    assert within(work)[:2] == ["StartRefusedError", "user_kept"]


@needs_root
def test_who_kept_a_way_back_is_not_started() -> None:
    def work() -> Any:
        real = os.setresuid
        os.setresuid = lambda *ids: real(ids[0], ids[1], 0) if ids[0] else real(*ids)
        confine(AS_NOBODY, [])
        return "started"

    assert within(work)[:2] == ["StartRefusedError", "user_kept"]


LIMITS = {
    "cpu_seconds": (5, (5, 10)),
    "memory_bytes": (1 << 30, (1 << 30, 1 << 30)),
    "open_files": (40, (40, 40)),
    "processes": (4_000, (4_000, 4_000)),
    "file_size_bytes": (4_096, (4_096, 4_096)),
}


@needs_root
@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_is_hard_for_who_is_not_root(name: str) -> None:
    value, expected = LIMITS[name]
    number = rights.LIMITS[name]
    plan = {"limits": {name: value}, **AS_NOBODY}

    def raise_it() -> Any:
        before = resource.getrlimit(number)
        try:
            resource.setrlimit(number, (before[1] * 2, before[1] * 2))
        except (ValueError, PermissionError):
            return before
        return "raised"

    assert tuple(confined(plan, raise_it)) == expected


def test_a_confined_process_has_no_core() -> None:
    assert confined({"umask": 0o77}, lambda: resource.getrlimit(resource.RLIMIT_CORE)) == [0, 0]


EXHAUSTION: dict[str, tuple[dict[str, int], str]] = {
    "files": ({"open_files": 30}, "[open('/dev/null') for _ in range(99)]"),
    "memory": ({"memory_bytes": 200_000_000}, "bytearray(10 ** 9)"),
    "memory-in-pieces": (
        {"memory_bytes": 200_000_000},
        "x = []\nwhile 1: x.append(bytes(10 ** 7))",
    ),
    "a-large-file": ({"file_size_bytes": 1_000}, "open('large', 'wb').write(bytes(9_000))"),
    "computing": ({"cpu_seconds": 1}, "while 1: pass"),
    "computing-deaf": (
        {"cpu_seconds": 1},
        "import signal; signal.signal(signal.SIGXCPU, signal.SIG_DFL)\nwhile 1: pass",
    ),
}


@pytest.mark.parametrize("name", EXHAUSTION)
def test_who_wants_more_than_there_is_for_him_ends(name: str, tmp_path: Path) -> None:
    limits, code = EXHAUSTION[name]

    def preexec() -> None:
        confine({"limits": limits}, [])

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        preexec_fn=preexec,
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert done.returncode != 0
    assert all(path.stat().st_size <= 1_000 for path in tmp_path.iterdir())


@needs_root
def test_who_forks_without_end_is_stopped_by_the_number_of_his_processes() -> None:
    def fork_on() -> Any:
        children: list[int] = []
        try:
            while len(children) < 500:
                pid = os.fork()
                if pid == 0:
                    signal.alarm(20)
                    signal.pause()
                children.append(pid)
        except BlockingIOError:
            pass
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        return len(children)

    # A user of its own: the limit counts all processes of a user.
    count = confined({"limits": {"processes": 20}, "uid": 54_321, "gid": 54_321}, fork_on)

    assert 1 <= count < 25


HOSTILE_VARIABLES = (
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    "LD_AUDIT",
    "LD_DEBUG",
    "DYLD_INSERT_LIBRARIES",
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "PYTHONINSPECT",
    "PYTHONUSERBASE",
    "PYTHONBREAKPOINT",
    "IFS",
    "BASH_ENV",
    "ENV",
    "BASH_FUNC_ls%%",
    "PS4",
    "PERL5LIB",
    "PERL5OPT",
    "RUBYOPT",
    "RUBYLIB",
    "NODE_OPTIONS",
    "JAVA_TOOL_OPTIONS",
    "GIT_SSH_COMMAND",
    "EDITOR",
    "PAGER",
    "LESSOPEN",
    "GCONV_PATH",
    "LOCPATH",
    "NLSPATH",
    "MALLOC_CHECK_",
    "AWS_SECRET_ACCESS_KEY",
    "SSH_AUTH_SOCK",
    "DBUS_SESSION_BUS_ADDRESS",
    "XDG_RUNTIME_DIR",
    "http_proxy",
    "CREDENTIALS_DIRECTORY",
    "NOTIFY_SOCKET",
    "TASK_SCHEDULER_CALL",
    "TASK_SCHEDULER_CONFIG",
    "LC",
    "LCX_ALL",
    "PATHX",
    "path",
)


@pytest.mark.parametrize("name", HOSTILE_VARIABLES)
def test_what_is_not_on_the_list_is_not_inherited(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "/tmp/evil")
    spec = LaunchSpec(argv=("true",), working_dir="/")
    for rules in (SecurityRules(is_enforced=True), SecurityRules(environment=("PATH", "LC_*"))):
        guarded = LaunchGuard(rules).guard(spec)
        order = order_of(guarded, folder=b"/x", bell=b"/b", output_limit_bytes=9)

        assert name.encode() not in order.env
        assert b"PATH" in order.env
    assert name not in SAFE_ENVIRONMENT


@pytest.mark.parametrize("name", ["NOTIFY_SOCKET", "WATCHDOG_PID", "LISTEN_FDS", "FDSTORE"])
def test_what_the_service_manager_told_us_is_nobodys_even_where_nothing_is_enforced(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "1")
    spec = LaunchGuard().guard(LaunchSpec(argv=("true",), working_dir="/"))

    assert name.encode() not in order_of(spec, folder=b"/", bell=b"/", output_limit_bytes=9).env


@pytest.mark.parametrize("user", ["root; id", "../root", "root\n", "no-such", "0x0", "-1", ""])
def test_a_user_that_there_is_not_is_refused(user: str) -> None:
    with pytest.raises(DefinitionError):
        LaunchGuard().guard(LaunchSpec(argv=("true",), working_dir="/", confinement={"user": user}))


@pytest.mark.parametrize("refusal", [StartRefusedError("user", "x" * 9_000, "{what}{why}\x1b[2J")])
def test_a_refusal_travels_as_it_is(refusal: StartRefusedError) -> None:
    again = StartRefusedError.decode(refusal.encode())

    assert (again.reason, again.what, again.why) == (refusal.reason, refusal.what, refusal.why)


# -- through a whole scheduler --------------------------------------------------------------------

LOOK = """\
import json, os, resource
fds = sorted(int(n) for n in os.listdir("/proc/self/fd"))
links = {}
for n in fds:
    try:
        links[n] = os.readlink(f"/proc/self/fd/{n}")
    except OSError:
        pass
print(json.dumps({"fds": links, "uid": os.getuid(), "sid": os.getsid(0) == os.getpid()}))
"""


def looked(scheduler: Any, **options: Any) -> dict[str, Any]:
    scheduler.add_task(CommandTask("look", None, ["/usr/bin/python3", "-c", LOOK], **options))
    settled(scheduler, scheduler.run_task("look"))
    [output] = scheduler.files.runs.glob("*/output")
    found: dict[str, Any] = json.loads(output.read_text())
    return found


@pytest.mark.parametrize("options", [{}, {"umask": "077"}, {"working_dir": "/"}], ids=str)
def test_a_task_has_its_three_descriptors_and_no_other(make: Any, options: Any) -> None:
    scheduler = make()
    with Path("/etc/hostname").open("rb") as ours:
        # Even one that we let others inherit.
        os.set_inheritable(ours.fileno(), True)
        found = looked(scheduler, **options)

    places = {number: place for number, place in found["fds"].items() if place}
    assert set(places) == {"0", "1", "2"}, places
    assert places["0"] == "/dev/null"
    assert places["1"] == places["2"]
    assert found["sid"]


@needs_root
def test_a_task_of_another_user_reaches_neither_ledger_nor_socket_nor_other_outputs(
    make: Any, folder: Path
) -> None:
    scheduler = make()
    scheduler.add_task(CommandTask("other", None, ["echo", "private"]))
    settled(scheduler, scheduler.run_task("other"))
    state = folder / "state"
    code = f"""\
import os, socket
tried, through = 0, []
for name in ("scheduler.db", "scheduler.lock", "scheduler.marks", "scheduler.runs"):
    for how in (os.O_RDONLY, os.O_RDWR):
        tried += 1
        try:
            os.open(os.path.join({str(state)!r}, name), how); through.append(name)
        except OSError: pass
for name in ("scheduler.sock", "scheduler.bell"):
    tried += 1
    try:
        socket.socket(socket.AF_UNIX).connect(os.path.join({str(state)!r}, name))
        through.append(name)
    except OSError: pass
own = os.environ[{FOLDER_VARIABLE!r}]
for name in ("exit.json", "permit", "cancel"):
    for place in [own, {str(state)!r} + "/scheduler.runs/1-1"]:
        tried += 1
        try:
            open(os.path.join(place, name), "w"); through.append(name)
        except OSError: pass
print(tried, through)
"""
    scheduler.add_task(
        CommandTask("spy", None, ["/usr/bin/python3", "-c", code], working_dir="/", user="nobody")
    )

    run = settled(scheduler, scheduler.run_task("spy"))

    assert run["state"] == "succeeded", run
    outputs = [path.read_text() for path in scheduler.files.runs.glob("*/output")]
    assert "16 []\n" in outputs, outputs
