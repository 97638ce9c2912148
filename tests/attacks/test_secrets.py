"""Canary secrets: pushed through every channel, and looked for in every other."""

from __future__ import annotations

import base64
import html
import json
import logging
import os
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from task_scheduler import CommandTask, FunctionTask, ScriptTask, TaskScheduler
from task_scheduler.control import ask
from task_scheduler.core.model import LaunchSpec
from task_scheduler.errors import DefinitionError
from task_scheduler.executors.launch_order import order_of
from task_scheduler.launch_guard import LaunchGuard, SecurityRules
from task_scheduler.masking import MASK, Masker, StreamMasker
from task_scheduler.observe.log_lines import JsonLines, TextLines
from task_scheduler.vault import SecretSource, Vault
from tests.attacks.places import open_to_all
from tests.integration.facade.bench import eventually, settled
from tests.unit.cli.made_ledger import MadeLedger

NOBODY = 65_534
CANARY = 'c4n"ary/+9f8e&7d <6c>'
"""Every encoding changes something of it."""

FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64-without-end": lambda text: base64.b64encode(text.encode()).decode().rstrip("="),
    "base64-url": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "base64-in-the-middle-1": lambda text: base64.b64encode(f"u{text}tail".encode()).decode(),
    "base64-in-the-middle-2": lambda text: base64.b64encode(f"us{text}tail".encode()).decode(),
    "basic-authorization": lambda text: base64.b64encode(f"user:{text}".encode()).decode(),
    "hex": lambda text: text.encode().hex(),
    "hex-upper": lambda text: text.encode().hex().upper(),
    "url": lambda text: urllib.parse.quote(text, safe=""),
    "url-path": urllib.parse.quote,
    "url-form": urllib.parse.quote_plus,
    "json": json.dumps,
    "html": html.escape,
    "repr": repr,
    "in-a-url": lambda text: f"https://u:{urllib.parse.quote(text, safe='')}@host/",
    "in-a-traceback": lambda text: f"ValueError: bad password {text!r}\n",
    "twice": lambda text: text + text,
    "in-json": lambda text: json.dumps({"env": {"P": text}}),
}


def revealed(form: str) -> str:
    """Return what must not be left of a form: its middle, which is the secret's alone."""
    return form[len(form) // 4 : -len(form) // 4]


@pytest.fixture
def masker() -> Masker:
    made = Masker()
    made.learn([CANARY])
    return made


@pytest.mark.parametrize("name", FORMS)
def test_a_form_of_a_secret_is_masked(name: str, masker: Masker) -> None:
    form = FORMS[name](CANARY)

    masked = masker.mask(f"before {form} after")

    assert MASK.decode() in masked
    assert revealed(form) not in masked
    assert masked.startswith("before ")
    assert masked.endswith(" after")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("name", FORMS)
def test_a_form_that_arrives_in_pieces_is_masked(name: str, size: int, masker: Masker) -> None:
    form = FORMS[name](CANARY)
    data = f"before {form} after\n".encode()
    stream = StreamMasker(masker.forms)

    pieces = [stream.feed(data[at : at + size]) for at in range(0, len(data), size)]
    masked = b"".join([*pieces, stream.flush()]).decode()

    assert masked == masker.mask(data.decode())
    assert revealed(form) not in masked


@pytest.mark.parametrize("lines", [TextLines, JsonLines])
@pytest.mark.parametrize("name", FORMS)
def test_a_log_line_has_no_form_of_it(
    name: str, lines: type[logging.Formatter], masker: Masker
) -> None:
    form = FORMS[name](CANARY)
    record = logging.makeLogRecord({"name": "TaskScheduler", "msg": "x %s", "args": (form,)})

    assert revealed(form) not in masker.mask(lines().format(record))


@pytest.mark.parametrize(
    "secret", ["line one\nline two is long", "tab\there", "\u2028sep", "ключ-секрет", "a" * 5_000]
)
def test_a_secret_of_any_letters_is_masked(secret: str) -> None:
    masker = Masker()
    masker.learn([secret])

    for form in (secret, json.dumps(secret), repr(secret), secret.replace("\n", "\r\n")):
        assert secret.split("\n", maxsplit=1)[0][:200] not in masker.mask(form)


@pytest.mark.parametrize("place", ["command", "program", "script-args"])
@pytest.mark.parametrize("reference", ["${secret:DB}", "${secret-file:DB}", "--p=${secret:DB}"])
def test_in_arguments_a_reference_is_refused(place: str, reference: str) -> None:
    makers: dict[str, Callable[[], object]] = {
        "script-args": lambda: ScriptTask("t", None, "/x.py", [reference]),
        "program": lambda: CommandTask("t", None, [reference]),
        "command": lambda: CommandTask("t", None, ["true", reference]),
    }
    with pytest.raises(DefinitionError, match="argument"):
        makers[place]()


@pytest.mark.parametrize(
    "name",
    [
        "",
        "../../etc/passwd",
        "/etc/shadow",
        "a/b",
        "..",
        "a\nb",
        "a\0b",
        "x" * 101,
        "-x",
        ".x",
        "a b",
        "${X}",
    ],
)
def test_a_name_of_a_secret_is_no_path(name: str, tmp_path: Path) -> None:
    vault = Vault(environ={"CREDENTIALS_DIRECTORY": str(tmp_path)})

    with pytest.raises(DefinitionError):
        vault.read(name)


@pytest.mark.parametrize("kind", ["pipe", "folder", "nothing", "nul", "large", "device"])
def test_a_place_of_a_secret_that_has_none_is_told_at_once(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "nul":
        path.write_bytes(b"a\0b")
    elif kind == "large":
        path.write_bytes(b"x" * 1_100_000)
    elif kind == "device":
        path = Path("/dev/zero")
    vault = Vault({"DB": SecretSource("file", str(path))})

    if kind == "pipe":
        # Nobody writes to it: an empty secret, which is not waited for.
        assert vault.read("DB") == ""
        return
    with pytest.raises(DefinitionError) as found:
        vault.read("DB")
    assert "DB" in str(found.value)


def test_a_secret_is_not_looked_for_in_what_a_secret_says() -> None:
    environ = {"A": "${secret:B}", "B": CANARY}
    sources = {name: SecretSource("env", name) for name in environ}

    filled, _ = Vault(sources, environ).fill({"X": "${secret:A}"})

    assert filled == {"X": "${secret:B}"}


def spec_with_secret(monkeypatch: pytest.MonkeyPatch) -> LaunchSpec:
    monkeypatch.setenv("POND_DB", CANARY)
    rules = SecurityRules(secrets={"DB": SecretSource("env", "POND_DB")})
    wish = LaunchSpec(argv=("true",), working_dir="/", env={"P": "${secret:DB}"})
    return LaunchGuard(rules).guard(wish)


def test_an_order_has_it_in_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = spec_with_secret(monkeypatch)
    order = order_of(spec, folder=b"/x/1-1", bell=b"/x/bell", output_limit_bytes=9)

    assert order.env[b"P"] == CANARY.encode()
    assert b"POND_DB" not in order.env
    assert CANARY not in repr([order.argv, order.texts, order.confinement, order.folder])


def test_a_process_with_a_secret_leaves_no_core(monkeypatch: pytest.MonkeyPatch) -> None:
    # A confined process has no core dumps; so one with a secret must be confined.
    assert spec_with_secret(monkeypatch).confinement


# -- through a whole scheduler --------------------------------------------------------------------

SPILL = """\
import base64, os, sys, urllib.parse, json, logging, traceback
secret = os.environ["PASSWORD"]
print(secret, repr(secret), json.dumps(secret), urllib.parse.quote(secret, safe=""))
print(secret.encode().hex(), base64.b64encode(b"user:" + secret.encode()).decode())
for letter in secret:
    sys.stdout.write(letter)
    sys.stdout.flush()
logging.error("cannot log in with %s", secret)
raise ValueError("wrong password " + secret)
"""


@pytest.fixture
def spilled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[TaskScheduler, list[Any]]]:
    """A scheduler after a task, and a function, have said their secret everywhere."""
    monkeypatch.setenv("POND_DB", CANARY)
    events: list[Any] = []
    config = tmp_path / "scheduler_config.json"
    settings: dict[str, Any] = {
        "security": {"secrets": {"DB": {"env": "POND_DB"}}},
        "storage": {"path": str(tmp_path / ".scheduler" / "scheduler.db")},
        "scheduler": {"log_level": "DEBUG"},
        "logging": {"log_dir": str(tmp_path / "logs"), "console": False},
        "tasks": {"max_retries": 0},
    }
    config.write_text(json.dumps(settings))
    with TaskScheduler(str(config), language="en") as made:
        made._runtime.listeners.append(events.append)
        command = ["python3", "-c", SPILL]
        made.add_task(CommandTask("spill", None, command, env={"PASSWORD": "${secret:DB}"}))

        def careless() -> None:
            logging.getLogger("TaskScheduler.task").warning("it is %s", CANARY)
            raise RuntimeError(f"wrong password {CANARY}")

        settled(made, made.run_task("spill"))
        made.add_task(FunctionTask("careless", None, careless))
        settled(made, made.run_task("careless"))
        yield made, events


def leaks_in(text: str) -> list[str]:
    return [
        name
        for name in ("plain", "hex", "base64", "url", "json", "repr")
        if revealed(FORMS[name](CANARY)) in text
    ]


def test_no_channel_has_it(
    spilled: tuple[TaskScheduler, list[Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scheduler, events = spilled
    found: dict[str, list[str]] = {}
    for path in tmp_path.rglob("*"):
        if path.is_file() and not path.is_socket():
            found[str(path)] = leaks_in(path.read_bytes().decode("utf-8", "replace"))
    found["events"] = leaks_in(repr(events))
    found["status"] = leaks_in(repr(scheduler.view.tasks()) + repr(scheduler.view.runs()))
    farm = MadeLedger.__new__(MadeLedger)
    farm.config, farm._capsys = tmp_path / "scheduler_config.json", capsys
    for words in (
        ("show", "spill"),
        ("show", "careless"),
        ("ls",),
        ("runs",),
        ("audit",),
        ("status",),
        ("why", "spill"),
        ("logs", "1"),
        ("next",),
        ("alerts",),
        ("doctor",),
    ):
        for form in ((), ("--json",)):
            answer = farm.tsk(*words, *form)
            found[" ".join([*words, *form])] = leaks_in(answer.out + answer.err)
    for kind in ("json", "crontab"):
        answer = farm.tsk("export", "--as", kind)
        found[f"export {kind}"] = leaks_in(answer.out + answer.err)
    backup = tmp_path.parent / "backup.db"
    answer = farm.tsk("backup", str(backup))
    assert answer.code == 0, answer.err
    found["backup"] = leaks_in(backup.read_bytes().decode("utf-8", "replace"))

    assert {place: leaks for place, leaks in found.items() if leaks} == {}
    assert len(found) > 30
    outputs = [path.read_text() for path in scheduler.files.runs.glob("*/output")]
    assert "***" in "".join(outputs)


def test_no_figure_and_no_diagnosis_has_it(
    spilled: tuple[TaskScheduler, list[Any]], tmp_path: Path
) -> None:
    scheduler, _ = spilled
    metrics = scheduler.metrics().decode()
    path = scheduler.files.socket
    # In a process of its own, as every diagnosis of an operator is.
    tsk = [sys.executable, "-m", "task_scheduler", "-c", str(tmp_path / "scheduler_config.json")]
    told = {
        "metrics": metrics,
        "measures": repr(scheduler.measures()),
        "diagnosis": repr([finding.plain() for finding in scheduler.examine(limit_seconds=1)]),
        "threads": "\n".join(thread.name for thread in threading.enumerate()),
        **{op: json.dumps(ask(path, op, timeout_seconds=30)) for op in ("hello", "measures")},
        **{
            f"another process: {words}": subprocess.run(
                [*tsk, *words.split(), "--json"], capture_output=True, text=True, check=False
            ).stdout
            for words in ("status", "doctor")
        },
    }

    assert {place: leaks_in(text) for place, text in told.items() if leaks_in(text)} == {}
    # There was something to look at.
    assert 'task="spill"' in metrics
    assert all(len(text) > 20 for text in told.values()), told


def test_a_request_that_fails_because_of_it_does_not_answer_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret"
    secret.write_text(CANARY)
    settings = {"security": {"secrets": {"DB": {"file": str(secret)}}}}
    options: dict[str, Any] = {
        "storage": str(tmp_path / "state" / "scheduler.db"),
        "logging": {"log_dir": str(tmp_path / "logs"), "console": False},
        "tasks": {"max_retries": 0},
    }
    with TaskScheduler(settings, language="en", **options) as made:
        made.add_task(CommandTask("t", None, ["no-such-program"], env={"P": "${secret:DB}"}))
        errors = [settled(made, made.run_task("t"))["attempts"][-1]["error"]]
        # Once too large: what is said of it names the place, not the content.
        secret.write_text(CANARY + "x" * 1_100_000)
        errors.append(settled(made, made.run_task("t"))["attempts"][-1]["error"])

    assert all(errors)
    assert [leaks_in(error) for error in errors] == [[], []]


def test_no_argument_of_a_process_has_it_and_no_other_user_reads_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POND_DB", CANARY)
    open_to_all(tmp_path)
    started = tmp_path / "started"
    with TaskScheduler(
        {"security": {"secrets": {"DB": {"env": "POND_DB"}}}},
        language="en",
        storage=str(tmp_path / "state" / "scheduler.db"),
        logging={"log_dir": str(tmp_path / "logs"), "console": False},
    ) as made:
        command = ["/bin/sh", "-c", f"echo $$ > {started}; exec sleep 60"]
        made.add_task(CommandTask("t", None, command, env={"P": "${secret:DB}"}))
        run_id = made.run_task("t")
        eventually("the task runs", lambda: started.exists() and started.read_text().strip())
        pid = int(started.read_text())
        lines = [
            path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if readable(path)
        ]
        own = Path(f"/proc/{pid}/environ").read_bytes()
        seen = as_nobody(lambda: Path(f"/proc/{pid}/environ").read_bytes())
        lineage = [pid, parent_of(pid), parent_of(parent_of(pid)), os.getpid()]
        open_files = as_nobody(lambda: all_that_is_open(lineage))
        made.cancel_run(run_id)
        settled(made, run_id)

    assert CANARY.encode() in own
    assert not [line for line in lines if CANARY.encode() in line]
    assert seen == b"PermissionError"
    # Supervisor, launcher and scheduler too, in whatever of theirs another user may read.
    assert open_files.startswith(b"read:")
    counted, _, leaking = open_files[5:].partition(b" ")
    assert int(counted) > 20
    assert leaking == b""


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def all_that_is_open(pids: list[int]) -> bytes:
    """Return how many files of these processes can be read, and those that have the secret."""
    readable, leaking = 0, []
    for path in [path for pid in pids for path in Path(f"/proc/{pid}").rglob("*")]:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            try:
                content = os.read(descriptor, 1_000_000)
            finally:
                os.close(descriptor)
        except OSError:
            continue
        readable += 1
        if CANARY.encode() in content:
            leaking.append(str(path))
    return f"{readable} {' '.join(leaking)}".encode()


def readable(path: Path) -> bool:
    try:
        path.read_bytes()
    except OSError:
        return False
    return True


def as_nobody(read: Callable[[], bytes]) -> bytes:
    """Read something as another user; return it, or the name of the error."""
    if os.geteuid() != 0:
        pytest.skip("only root may become another user")
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            os.write(writing, b"read:" + read()[:1_000])
        except OSError as error:
            os.write(writing, type(error).__name__.encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(pid, 0)
    answer = os.read(reading, 2_000)
    os.close(reading)
    return answer
