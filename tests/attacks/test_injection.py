"""Arguments, ids and names that would be commands elsewhere: carried as they are, or refused."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from task_scheduler import CommandTask, DefinitionError, FunctionTask, ScriptTask, TaskScheduler
from task_scheduler.core.model import Policies
from task_scheduler.executors.launch_order import order_of
from task_scheduler.launch_guard import LaunchGuard, SecurityRules
from task_scheduler.stores.sqlite import SqliteStore
from task_scheduler.supervision.orders import MessageStream, Order
from task_scheduler.tasks.registry import entry_of, restore_task
from tests.attacks.payloads import PATHS, SHELL
from tests.integration.facade.bench import settled

DUMP = "import json, os, sys; print(json.dumps([sys.argv[1:], os.environ.get('GIVEN')]))"


def filled(name: str, canary: Path) -> str:
    return SHELL[name].format(canary=canary)


def travelled(spec: Any) -> Order:
    """Return the order of a launch as its supervisor gets it."""
    order = order_of(spec, folder=b"/x/1-1", bell=b"/x/bell", output_limit_bytes=1_000)
    [content] = MessageStream().feed(order.encode())
    return Order(content)


def spec_of(task: CommandTask | ScriptTask) -> Any:
    return LaunchGuard(SecurityRules()).guard(task._spec({}, Policies()))


@pytest.mark.parametrize("name", SHELL)
def test_an_argument_reaches_its_program_as_it_is(name: str, canary: Path) -> None:
    text = filled(name, canary)
    order = travelled(spec_of(CommandTask("t", None, [sys.executable, "-c", DUMP, text])))

    done = subprocess.run(
        order.argv, env=order.env, capture_output=True, text=True, check=True, timeout=60
    )

    assert json.loads(done.stdout)[0] == [text]


@pytest.mark.parametrize("name", SHELL)
def test_an_argument_is_one_item_of_the_order(name: str, canary: Path) -> None:
    text = filled(name, canary)

    order = travelled(spec_of(CommandTask("t", None, ["/bin/true", text])))

    assert order.argv == [b"/bin/true", text.encode()]


@pytest.mark.parametrize("name", SHELL)
def test_a_variable_reaches_the_order_as_it_is(name: str, canary: Path) -> None:
    text = filled(name, canary)

    order = travelled(spec_of(CommandTask("t", None, ["/bin/true"], env={"GIVEN": text})))

    assert order.env[b"GIVEN"] == text.encode()


@pytest.mark.parametrize("name", SHELL)
def test_an_argument_of_a_script_is_stored_and_restored_as_it_is(name: str, canary: Path) -> None:
    text = filled(name, canary)
    task = ScriptTask("t", None, "/srv/job.py", [text], env={"GIVEN": text})
    entry = entry_of(task, [], Policies(), has_user_rule=False)

    restored = restore_task(entry)

    assert isinstance(restored, ScriptTask)
    assert restored.argv() == [sys.executable, "/srv/job.py", text]
    assert restored.env == {"GIVEN": text}


@pytest.mark.parametrize(
    "text", ["a\0b", "\ud800", "\0"], ids=["nul", "half-character", "nothing-but-nul"]
)
@pytest.mark.parametrize("place", ["command", "args", "env", "name-of-env", "folder", "script"])
def test_what_the_system_cannot_take_is_refused_when_the_task_is_made(
    place: str, text: str
) -> None:
    makers: dict[str, Callable[[], Any]] = {
        "command": lambda: CommandTask("t", None, ["true", text]),
        "args": lambda: ScriptTask("t", None, "/x.py", [text]),
        "env": lambda: CommandTask("t", None, ["true"], env={"A": text}),
        "name-of-env": lambda: CommandTask("t", None, ["true"], env={f"A{text}": "x"}),
        "folder": lambda: CommandTask("t", None, ["true"], working_dir=f"/tmp/{text}"),
        "script": lambda: ScriptTask("t", None, f"/tmp/{text}.py"),
    }
    with pytest.raises(DefinitionError):
        makers[place]()


def test_a_variable_cannot_bring_another(canary: Path) -> None:
    with pytest.raises(DefinitionError):
        CommandTask("t", None, ["true"], env={"A=1\nLD_PRELOAD": str(canary)})


@pytest.mark.parametrize("command", ["touch {canary}", "true; touch {canary}", "sh -c 'id'"])
def test_a_line_for_a_shell_is_no_command(command: str, canary: Path) -> None:
    with pytest.raises(DefinitionError, match="list"):
        CommandTask("t", None, command.format(canary=canary))


@pytest.mark.parametrize(
    "task_id",
    [
        "a\nb",
        "a\rb",
        "a\0b",
        "a\x1b[2Jb",
        "a\x9bb",
        "a\u2028b",
        "\ud800",
        "",
        " ",
        "x" * 201,
        5,
        None,
        ["a"],
        b"a",
        {"a": 1},
    ],
    ids=repr,
)
def test_an_id_that_tears_a_line_or_is_none_is_refused(task_id: Any) -> None:
    with pytest.raises(DefinitionError):
        CommandTask(task_id, None, ["true"])


@pytest.mark.parametrize(
    "name", ["a\nb", "a\x1b]0;x\x07", "a\x85b", "a\u2029b", "x" * 501, 5, ["a"]], ids=repr
)
def test_a_name_that_tears_a_line_or_is_none_is_refused(name: Any) -> None:
    with pytest.raises(DefinitionError):
        CommandTask("t", name, ["true"])


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One scheduler, not started: what is added is committed and read again."""
    folder = tmp_path_factory.mktemp("ids") / "state"
    made = TaskScheduler(
        {},
        storage=str(folder / "scheduler.db"),
        logging={"log_dir": str(folder.parent / "logs"), "console": False},
    )
    yield made
    made.stop(1)


@pytest.mark.parametrize("name", [*PATHS])
def test_an_id_that_looks_like_a_path_names_no_file(name: str, scheduler: TaskScheduler) -> None:
    folder = scheduler.files.database.parent.parent
    before = {path.name for path in folder.iterdir()}

    scheduler.add_task(CommandTask(PATHS[name], None, ["true"]))
    run_id = scheduler.run_task(PATHS[name])

    assert scheduler.view.run(run_id)["task_id"] == PATHS[name]
    assert {path.name for path in folder.iterdir()} <= before | {"state", "logs"}
    # The folder of an attempt is named after numbers alone.
    assert all(path.name.replace("-", "").isdigit() for path in scheduler.files.runs.iterdir())


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), -float("inf"), {1, 2}, object(), 10**400]
)
def test_what_json_cannot_say_is_never_stored(value: Any, scheduler: TaskScheduler) -> None:
    task = FunctionTask("t", None, print, [value])

    definition = task.definition()

    # A task of this program alone; or a number that comes back as it was.
    assert definition is None or json.loads(json.dumps(definition))["args"] == [value]


def test_nested_without_end_is_no_argument_of_a_stored_task() -> None:
    nested: list[Any] = []
    for _ in range(10_000):
        nested = [nested]

    assert FunctionTask("t", None, print, [nested]).definition() is None


@pytest.mark.parametrize("name", SHELL)
def test_a_store_gives_every_text_back(name: str, canary: Path) -> None:
    text = filled(name, canary)
    store = SqliteStore(":memory:")
    row = [text, text, "command", "process", {"command": [text]}, [], {}, "api", 0, 5]

    store.execute("put_entries", rows=[row])
    store.execute("put_progress", rows=[[text, 1, 5, None, 7, 7]])

    [task] = store.fetch("task_status", ids=None, after="", limit=9)
    assert (task["task_id"], task["name"], task["definition"]) == (text, text, {"command": [text]})
    store.close()


def test_hostile_arguments_through_a_whole_scheduler(make: Any, canary: Path) -> None:
    texts = [filled(name, canary) for name in SHELL if name != "long"]
    scheduler = make()
    command = [sys.executable, "-c", DUMP, *texts]
    scheduler.add_task(CommandTask("t", None, command, env={"GIVEN": texts[0]}))

    run = settled(scheduler, scheduler.run_task("t"))

    [attempt] = run["attempts"]
    output = Path(attempt["output_path"])
    output = output if output.is_absolute() else scheduler.files.runs / output
    assert json.loads(output.read_text(encoding="utf-8")) == [texts, texts[0]]
