"""The attempt fence: whatever a task does becomes (ok, error)."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from task_scheduler.errors import RunNotFoundError
from task_scheduler.tasks.attempt import describe, perform
from task_scheduler.tasks.context import RunContext, current_run
from task_scheduler.tasks.task import BaseTask


class Doing(BaseTask):
    """A task that does what it is given."""

    def __init__(self, work: Callable[[BaseTask], Any]) -> None:
        super().__init__("pump")
        self.work = work

    def execute(self) -> bool:
        return self.work(self)  # type: ignore[no-any-return]


def attempt(work: Callable[[BaseTask], Any]) -> tuple[bool, str | None]:
    """Perform one attempt of a task that does this."""
    context = RunContext(
        run_id=1,
        task_id="pump",
        scheduled_at=datetime(2024, 1, 1, tzinfo=UTC),
        attempt=1,
        token=7,
        key="k",
    )
    return perform(Doing(work), context)


def raising(error: BaseException) -> Callable[[BaseTask], bool]:
    """Return work that raises."""

    def work(_: BaseTask) -> bool:
        raise error

    return work


def test_true_is_a_success() -> None:
    assert attempt(lambda task: True) == (True, None)


def test_a_success_has_no_error_even_if_the_task_set_one() -> None:
    def work(task: BaseTask) -> bool:
        task.last_error = "mended"
        return True

    assert attempt(work) == (True, None)


def test_false_comes_with_the_error_that_the_task_set() -> None:
    def work(task: BaseTask) -> bool:
        task.last_error = "no water"
        return False

    assert attempt(work) == (False, "no water")


def test_an_exception_may_be_the_error_that_the_task_set() -> None:
    def work(task: BaseTask) -> bool:
        task.last_error = ValueError("no water")
        return False

    assert attempt(work) == (False, "ValueError: no water")


def test_false_alone_says_that_nothing_was_said() -> None:
    assert attempt(lambda task: False) == (
        False,
        "execute() returned False and set no last_error",
    )


def test_an_error_of_an_earlier_attempt_is_not_told_again() -> None:
    task = Doing(lambda task: False)
    task.last_error = "of yesterday"

    _, error = attempt(task.work)

    assert error is not None
    assert "yesterday" not in error


def test_an_error_set_by_a_thread_of_the_task_is_found() -> None:
    def work(task: BaseTask) -> bool:
        thread = threading.Thread(target=setattr, args=(task, "last_error", "from a thread"))
        thread.start()
        thread.join(10)
        return False

    assert attempt(work) == (False, "from a thread")


def test_a_class_with_a_last_error_of_its_own_works() -> None:
    class Old(BaseTask):
        last_error = None  # type: ignore[assignment]

        def execute(self) -> bool:
            self.last_error = "old way"
            return False

    context = RunContext(
        run_id=1, task_id="o", scheduled_at=datetime.now(UTC), attempt=1, token=1, key="k"
    )

    assert perform(Old("o"), context) == (False, "old way")


@pytest.mark.parametrize("value", [None, 1, 0, "yes", [], object], ids=repr)
def test_anything_but_a_bool_is_a_failure_that_says_what_came_back(value: object) -> None:
    assert attempt(lambda task: value) == (
        False,
        f"execute() returned {value!r} instead of True or False",
    )


def test_an_async_execute_is_run_to_its_end() -> None:
    async def work(task: BaseTask) -> bool:
        turn = asyncio.Event()
        asyncio.get_running_loop().call_soon(turn.set)
        await turn.wait()
        task.last_error = "async"
        return False

    assert attempt(work) == (False, "async")


def test_an_exception_is_told_with_type_message_and_the_line_of_user_code() -> None:
    def work(task: BaseTask) -> bool:
        json.loads("{")  # raises deep inside the standard library
        return True

    is_ok, error = attempt(work)

    line = work.__code__.co_firstlineno + 1
    assert not is_ok
    assert error is not None
    assert error.startswith("JSONDecodeError: Expecting property name")
    assert error.endswith(f"({__file__}:{line})")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), SystemExit("bye")])
def test_what_would_end_a_program_fails_the_attempt_only(error: BaseException) -> None:
    is_ok, text = attempt(raising(error))

    assert not is_ok
    assert (text or "").startswith(type(error).__name__)


@pytest.mark.parametrize("code", [None, 0, False])
def test_a_clean_exit_is_a_success(code: Any) -> None:
    assert attempt(raising(SystemExit(code))) == (True, None)


def test_sys_exit_with_words_fails_with_the_words() -> None:
    _, error = attempt(lambda task: sys.exit("no water"))

    assert (error or "").startswith("SystemExit: no water")


def test_an_exception_that_cannot_be_shown_is_named() -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("not even that")

    is_ok, error = attempt(raising(MuteError()))

    assert not is_ok
    assert "MuteError: <a MuteError that cannot be shown: its text raised RuntimeError>" in (
        error or ""
    )


def test_a_result_that_cannot_be_shown_is_named() -> None:
    class Mute:
        def __repr__(self) -> str:
            raise RuntimeError("not even that")

    assert "<Mute>" in (attempt(lambda task: Mute())[1] or "")


def test_a_long_error_is_cut_and_keeps_its_place() -> None:
    _, error = attempt(raising(ValueError("x" * 1_000_000)))

    assert error is not None
    assert len(error) <= 4_000
    assert __file__ in error


def test_an_error_can_always_be_written_to_the_ledger() -> None:
    assert describe("a\0b\udc80") == "a\ufffdb?"


def test_recursion_without_end_is_a_failure_like_any_other() -> None:
    def work(task: BaseTask) -> bool:
        return work(task)

    assert (attempt(work)[1] or "").startswith("RecursionError")


def test_the_whole_traceback_is_logged_for_those_who_debug(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG, logger="TaskScheduler.task"):
        attempt(raising(ValueError("no water")))

    assert caplog.records[0].exc_info is not None
    assert caplog.records[0].task_id == "pump"  # type: ignore[attr-defined]


def test_the_run_is_current_during_the_attempt_and_not_after() -> None:
    seen: list[int] = []

    def work(task: BaseTask) -> bool:
        seen.append(current_run().run_id)
        return True

    attempt(work)

    assert seen == [1]
    with pytest.raises(RunNotFoundError):
        current_run()
