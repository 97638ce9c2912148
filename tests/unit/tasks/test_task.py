"""`BaseTask`: identity, policies, `last_error`, and the original README's custom tasks."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from task_scheduler.core.model import Policies
from task_scheduler.errors import DefinitionError, PolicyError
from task_scheduler.tasks.attempt import perform
from task_scheduler.tasks.context import RunContext
from task_scheduler.tasks.function import FunctionTask
from task_scheduler.tasks.script import ScriptTask
from task_scheduler.tasks.task import BaseTask


def run_of(task: BaseTask, run_id: int = 1) -> RunContext:
    """Return the context of a first attempt."""
    return RunContext(
        run_id=run_id,
        task_id=task.task_id,
        scheduled_at=datetime(2024, 1, 1, tzinfo=UTC),
        attempt=1,
        token=7,
        key="1704067200000000",
    )


def test_the_readme_s_custom_task_works_as_printed() -> None:
    class CustomTask(BaseTask):
        def __init__(self, task_id, name):  # type: ignore[no-untyped-def]
            super().__init__(task_id, name)

        def execute(self) -> bool:
            # 实现具体的任务逻辑
            try:
                # 执行任务
                return True  # 成功返回True
            except Exception as e:
                self.last_error = str(e)
                return False  # 失败返回False

    task = CustomTask("custom", "自定义任务")

    assert perform(task, run_of(task)) == (True, None)
    assert (task.kind, task.executor, task.definition(), task.warnings()) == (
        "custom",
        "thread",
        None,
        [],
    )


def test_the_readme_s_custom_task_with_a_parameter_works_as_printed() -> None:
    class MyCustomTask(BaseTask):
        def __init__(self, task_id, name, custom_param):  # type: ignore[no-untyped-def]
            super().__init__(task_id, name)
            self.custom_param = custom_param

        def execute(self) -> bool:
            # 实现自定义逻辑
            try:
                # 执行具体任务
                result = self.do_something()
                return result  # noqa: RET504  as printed
            except Exception as e:
                logging.error(f"任务执行失败: {e}")  # noqa: G004, LOG015, TRY400  as printed
                self.last_error = str(e)
                return False

        def do_something(self):  # type: ignore[no-untyped-def]
            # 具体的业务逻辑
            pass

    task = MyCustomTask("custom", "自定义任务", custom_param=3)

    is_ok, error = perform(task, run_of(task))

    assert task.custom_param == 3
    assert not is_ok
    assert error == "execute() returned None instead of True or False"


def test_the_name_is_the_id_unless_given() -> None:
    assert BaseTask("pump").name == "pump"
    assert BaseTask("pump", "水泵").name == "水泵"


@pytest.mark.parametrize(
    "task_id",
    ["", "  ", None, 7, b"pump", "a\nb", "a\0", "\x1b[31m", "\ud800", "x" * 201, "\u2028"],
)
def test_an_impossible_id_is_refused(task_id: Any) -> None:
    with pytest.raises(DefinitionError) as caught:
        BaseTask(task_id)

    assert "id" in str(caught.value)


@pytest.mark.parametrize("task_id", ["x" * 200, "数据上传", "ポンプ 1/北", "a b"])
def test_ids_in_any_script_are_welcome(task_id: str) -> None:
    assert BaseTask(task_id).task_id == task_id


@pytest.mark.parametrize("name", ["", " ", 5, "a\nb", "x" * 501])
def test_an_impossible_name_is_refused(name: Any) -> None:
    with pytest.raises(DefinitionError, match="name"):
        BaseTask("pump", name)


def test_a_description_is_text() -> None:
    with pytest.raises(DefinitionError, match="description"):
        BaseTask("pump", description=3)  # type: ignore[arg-type]


def test_policies_are_kept_as_given() -> None:
    task = BaseTask("pump", timeout=5, overlap="queue")

    assert task.policy_options == {"timeout": 5, "overlap": "queue"}


def test_an_unknown_keyword_is_refused_where_it_was_given() -> None:
    with pytest.raises(PolicyError, match=r"task 'pump': .*'timout' \(did you mean 'timeout'\?\)"):
        BaseTask("pump", timout=5)


def test_a_custom_task_cannot_be_put_into_a_process() -> None:
    with pytest.raises(PolicyError, match="runs only in a thread"):
        BaseTask("pump", isolation="process")


def test_a_task_without_execute_says_what_is_missing() -> None:
    class Forgetful(BaseTask):
        pass

    with pytest.raises(DefinitionError, match="Forgetful does not say what to do"):
        Forgetful("pump").execute()


def test_a_task_in_a_thread_has_no_command() -> None:
    task = BaseTask("pump")

    with pytest.raises(DefinitionError, match="has no command"):
        task.launch_spec(run_of(task), Policies())


def test_a_subclass_with_its_own_execute_is_custom_whatever_it_derives_from() -> None:
    class Wrapped(ScriptTask):
        def execute(self) -> bool:
            return True

    class Mixin:
        def execute(self) -> bool:
            return True

    class Mixed(Mixin, FunctionTask):
        pass

    class Named(ScriptTask):
        """Only adds attributes."""

    assert (Wrapped.kind, Wrapped.executor) == ("custom", "thread")
    assert Wrapped("w", "w", "w.py").definition() is None
    assert (Mixed.kind, Mixed.executor) == ("custom", "thread")
    assert (Named.kind, Named.executor) == ("script", "process")


def test_last_error_outside_a_run_is_a_plain_attribute() -> None:
    task = BaseTask("pump")

    assert task.last_error is None
    task.last_error = "no water"
    assert task.last_error == "no water"


def test_overlapping_attempts_of_one_object_keep_their_errors_apart() -> None:
    both_have_set = threading.Barrier(2, timeout=10)

    class Shared(BaseTask):
        def execute(self) -> bool:
            self.last_error = threading.current_thread().name
            both_have_set.wait()
            seen.append(self.last_error)
            return False

    seen: list[str] = []
    task = Shared("pump")
    results: dict[str, tuple[bool, str | None]] = {}

    def attempt(run_id: int) -> None:
        results[threading.current_thread().name] = perform(task, run_of(task, run_id))

    threads = [threading.Thread(target=attempt, args=(n,), name=f"attempt {n}") for n in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert results == {"attempt 1": (False, "attempt 1"), "attempt 2": (False, "attempt 2")}
    assert sorted(seen) == ["attempt 1", "attempt 2"]


def test_the_very_object_runs_so_its_attributes_persist() -> None:
    class Counter(BaseTask):
        count = 0

        def execute(self) -> bool:
            self.count += 1
            return True

    task = Counter("pump")

    for run_id in range(3):
        perform(task, run_of(task, run_id))

    assert task.count == 3
