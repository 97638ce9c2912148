"""References to functions in the hands of one who can write to the ledger: none runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from task_scheduler.bindings import Bindings
from task_scheduler.core.model import Entry, Policies
from task_scheduler.errors import DefinitionError, TaskSchedulerError
from task_scheduler.launch_guard import LaunchGuard, SecurityRules

FARM = """\
import os, subprocess, importlib, logging, functools, queue, shutil, ctypes, pathlib
from os import system
from subprocess import run as run_it, Popen
from pathlib import Path
shell = os
waiting = queue.Queue()
quiet = functools.partial(print, end="")

def feed():
    "The one function that is ours."

class Pond:
    path = Path("/")
    library = ctypes
    def clean(self):
        "Ours too."

    @classmethod
    def drain(cls):
        "And this."
"""

STDLIB = (
    "os:system",
    "os:execv",
    "os:popen",
    "os:remove",
    "posix:system",
    "subprocess:run",
    "subprocess:Popen",
    "subprocess:check_output",
    "builtins:exec",
    "builtins:eval",
    "builtins:__import__",
    "builtins:open",
    "builtins:compile",
    "importlib:import_module",
    "importlib:reload",
    "ctypes:CDLL",
    "ctypes.util:find_library",
    "shutil:rmtree",
    "pty:spawn",
    "runpy:run_path",
    "runpy:run_module",
    "pickle:loads",
    "marshal:loads",
    "code:interact",
    "os.path:exists",
    "socket:create_connection",
    "urllib.request:urlretrieve",
    "sys:exit",
    "webbrowser:open",
    "ensurepip:bootstrap",
    "pydoc:pipepager",
    "timeit:timeit",
    "cProfile:run",
    "pdb:run",
    "trace:Trace",
    "multiprocessing:Process",
    "asyncio:create_subprocess_shell",
    "platform:popen",
    "logging.config:listen",
    "wsgiref.simple_server:demo_app",
    "_posixsubprocess:fork_exec",
    "distutils.spawn:spawn" if "distutils" in sys.stdlib_module_names else "venv:create",
)

THROUGH = (
    "farm_of_attacks:os.system",
    "farm_of_attacks:shell.system",
    "farm_of_attacks:subprocess.run",
    "farm_of_attacks:importlib.import_module",
    "farm_of_attacks:system",
    "farm_of_attacks:run_it",
    "farm_of_attacks:Popen",
    "farm_of_attacks:Path",
    "farm_of_attacks:Path.write_text",
    "farm_of_attacks:Path.unlink",
    "farm_of_attacks:shutil.rmtree",
    "farm_of_attacks:ctypes.CDLL",
    "farm_of_attacks:Pond.library.CDLL",
    "farm_of_attacks:Pond.path.unlink",
    "farm_of_attacks:waiting.put",
    "farm_of_attacks:logging.FileHandler",
    "farm_of_attacks:feed.__globals__",
    "farm_of_attacks:feed.__class__",
    "farm_of_attacks:feed.__globals__.get",
    "farm_of_attacks:__loader__.get_data",
    "farm_of_attacks:__loader__.exec_module",
    "farm_of_attacks:__spec__.loader.load_module",
    "farm_of_attacks:__builtins__.get",
    "farm_of_attacks:Pond.__subclasses__",
    "farm_of_attacks:Pond.__init__",
    "farm_of_attacks:Pond.clean.__code__.replace",
    "farm_of_attacks:feed.__call__",
    "farm_of_attacks:os.path.os.system",
    "task_scheduler.control:os.remove",
    "task_scheduler.control:socket.socket",
    "task_scheduler.stores.sqlite:sqlite3.connect",
    "task_scheduler.tasks.call:importlib.import_module",
    "pytest:os.system",
    "pytest:sys.exit",
)

MALFORMED = (
    "",
    ":",
    "os",
    "os:",
    ":system",
    "os.system",
    "os:system:x",
    " os:system",
    "os :system",
    "os:system()",
    "../evil:run",
    "/tmp/evil.py:run",
    "evil;os:system",
    "os\n:system",
    "os:.system",
    "os:system.",
    ".os:system",
    "..:x",
    "\0:x",
    "os\0:system",
    "nt\u202eso:system",
    "О_s:system",
    "no_such_module_of_attacks:run",
    "farm_of_attacks:nothing",
    "farm_of_attacks:Pond.nothing",
    "x" * 10_000 + ":y",
    "a.b:c.d",
    "__main__:x",
)

OWN = (
    "farm_of_attacks:feed",
    "farm_of_attacks:Pond",
    "farm_of_attacks:Pond.clean",
    "farm_of_attacks:Pond.drain",
    "farm_of_attacks:quiet",
)


@pytest.fixture(autouse=True)
def farm(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module of the user, which has imported what modules import."""
    folder = tmp_path_factory.getbasetemp()
    (folder / "farm_of_attacks.py").write_text(FARM)
    monkeypatch.syspath_prepend(str(folder))
    import farm_of_attacks  # type: ignore[import-not-found]

    return farm_of_attacks


def bindings(*modules: str) -> Bindings:
    rules = SecurityRules(function_modules=modules or None)
    return Bindings(allows_function=LaunchGuard(rules).allows_function)


def entry(reference: Any, executor: str = "thread", **more: Any) -> Entry:
    """Return a row of the ledger as somebody wrote it by hand."""
    values = {
        "task_id": "t",
        "name": "t",
        "kind": "function",
        "executor": executor,
        "definition": {"function": reference, "args": [], "kwargs": {}},
        "rules": (),
        "policies": Policies(),
        "is_code_bound": False,
        "origin": "api",
        **more,
    }
    return Entry(**values)


@pytest.mark.parametrize("reference", STDLIB)
def test_a_function_of_python_is_not_even_imported(
    reference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Entry] = []
    monkeypatch.setattr("task_scheduler.bindings.restore_task", asked.append)

    with pytest.raises(DefinitionError, match="function_modules"):
        bindings().task_of(entry(reference))
    assert asked == []


@pytest.mark.parametrize("reference", [*STDLIB, *THROUGH, *MALFORMED])
def test_where_modules_are_named_no_other_function_is_found(reference: str) -> None:
    with pytest.raises(TaskSchedulerError):
        bindings("farm_of_attacks").task_of(entry(reference))


@pytest.mark.parametrize("reference", [*THROUGH, *MALFORMED])
def test_no_module_lends_what_it_has_imported(reference: str) -> None:
    with pytest.raises(TaskSchedulerError):
        bindings().task_of(entry(reference))


@pytest.mark.parametrize("reference", [*STDLIB, *THROUGH, *MALFORMED])
def test_the_holder_does_not_take_it_from_another_process(reference: str) -> None:
    assert bindings("farm_of_attacks").missing_functions([reference]) == [reference]


@pytest.mark.parametrize("reference", OWN)
def test_functions_of_its_own_are_found(reference: str) -> None:
    for found in (bindings(), bindings("farm_of_attacks")):
        assert found.task_of(entry(reference)).kind == "function"
        assert found.missing_functions([reference]) == []


@pytest.mark.parametrize("modules", ["farm", "farm_of_attack", "farm_of_attacks.inner", "*", ""])
def test_a_module_with_nearly_that_name_is_not_allowed(modules: str) -> None:
    with pytest.raises(DefinitionError, match="function_modules"):
        bindings(modules).task_of(entry("farm_of_attacks:feed"))


@pytest.mark.parametrize(
    "reference", [None, 5, ["os:system"], {"a": 1}, True, 1.5, b"os:system"], ids=repr
)
def test_a_reference_that_is_no_text_is_refused(reference: Any) -> None:
    with pytest.raises(TaskSchedulerError):
        bindings().task_of(entry(reference))


@pytest.mark.parametrize(
    "definition",
    [
        {},
        {"function": "farm_of_attacks:feed"},
        {"function": "farm_of_attacks:feed", "args": "x", "kwargs": {}},
        {"function": "farm_of_attacks:feed", "args": [], "kwargs": []},
        {"function": "farm_of_attacks:feed", "args": [], "kwargs": {"a": 1}, "evil": 1},
        {"function": "farm_of_attacks:feed", "args": [], "kwargs": {}, "execute": "os:system"},
        {"function": "farm_of_attacks:feed", "args": 5, "kwargs": None},
        {"function": "farm_of_attacks:feed", "args": [], "kwargs": {}, "task_id": "other"},
        {"function": "farm_of_attacks:feed", "args": [], "kwargs": {}, "user": "root"},
    ],
    ids=str,
)
def test_a_definition_that_nobody_would_write_is_refused(definition: dict[str, Any]) -> None:
    with pytest.raises(TaskSchedulerError):
        bindings().task_of(entry(None, definition=definition))


@pytest.mark.parametrize(
    "kind", ["custom", "", "Function", "FUNCTION", "shell", "pickle", "__class__", "http\0"]
)
def test_an_unknown_kind_is_refused(kind: str) -> None:
    with pytest.raises(TaskSchedulerError):
        bindings().task_of(entry("farm_of_attacks:feed", kind=kind))


@pytest.mark.parametrize(
    ("kind", "definition"),
    [
        ("command", {"command": ["touch", "{canary}"], "working_dir": "/", "env": {}}),
        (
            "script",
            {
                "script_path": "/bin/true",
                "args": [],
                "working_dir": "/",
                "env": {},
                "interpreter": None,
            },
        ),
    ],
)
def test_a_program_is_not_started_in_a_thread_where_nothing_confines_it(
    kind: str, definition: dict[str, Any], canary: Path
) -> None:
    with pytest.raises(TaskSchedulerError):
        bindings().task_of(entry(None, kind=kind, executor="thread", definition=definition))


@pytest.mark.parametrize("executor", ["process", "gpu", "", "Thread"])
def test_a_function_is_not_moved_to_another_place(executor: str) -> None:
    with pytest.raises(TaskSchedulerError):
        bindings().task_of(entry("farm_of_attacks:feed", executor=executor))


@pytest.mark.parametrize(
    "definition",
    [
        {"command": "touch {canary}"},
        {"command": []},
        {"command": [5, None]},
        {"command": None},
        {"command": [["touch"]]},
        {"command": {"0": "touch"}},
        {"command": ["a\0b"]},
        {"command": [""]},
        {"command": ["true"], "env": ["A=1"]},
        {"command": ["true"], "env": {"A\0": "1"}},
        {"command": ["true"], "env": {"A=B": "1"}},
        {"command": ["true"], "working_dir": 5},
        {"command": ["true"], "user": "a:b"},
        {"command": ["true"], "umask": "0o777777"},
        {"command": ["true"], "nice": 99},
        {"command": ["true"], "limits": {"cpu": 1}},
        {"command": ["true"], "limits": {"cpu_seconds": -1}},
        {"command": ["true"], "limits": []},
        {"command": ["true"], "network": "some"},
        {"command": ["true"], "network": {"tcp": ["evil.test"]}},
        {"command": ["true"], "network": {"tcp": ["0"]}},
        {"command": ["true"], "network": {"tcp": ["1-65535"]}},
        {"command": ["true"], "no_new_privileges": "yes"},
        {"command": ["true"], "sha256": "x"},
        {"command": ["true"], "shell": True},
        {"command": ["true"], "preexec_fn": "os:system"},
        {"command": ["true", "${secret:DB}"]},
        {"command": ["true", "--x=${secret-file:DB}"]},
    ],
    ids=str,
)
def test_a_command_that_nobody_could_have_stored_is_refused(
    definition: dict[str, Any], canary: Path
) -> None:
    row = entry(None, kind="command", executor="process", definition=definition)

    with pytest.raises(TaskSchedulerError):
        bindings().task_of(row)
