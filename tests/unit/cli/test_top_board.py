"""The board of the live view: what is shown, in which order, and where the cursor is."""

from __future__ import annotations

from typing import Any

from task_scheduler.cli.top.board import SORTS, Board

NOW = "2026-11-24T06:00:00+09:00"


def task(task_id: str, status: str = "idle", **values: Any) -> dict[str, Any]:
    return {
        "task_id": task_id,
        "name": task_id,
        "status": status,
        "rule_error": None,
        "next_run_time": None,
        "last_run_time": None,
        "paused_at": None,
        "run_count": 0,
        **values,
    }


def board_of(*tasks: dict[str, Any], failed: tuple[str, ...] = (), search: str = "") -> Board:
    board = Board(search=search)
    last_of = {task_id: {"state": "failed"} for task_id in failed}
    board.take(tasks, last_of, now=NOW, is_whole=True)
    return board


def test_what_needs_somebody_comes_first() -> None:
    board = board_of(
        task("a"),
        task("b", "running"),
        task("c", next_run_time="2026-11-24T05:00:00+09:00"),
        task("d", "unresolved"),
        task("e"),
        failed=("e",),
    )

    assert board.shown == ["e", "d", "c", "b", "a"]


def test_the_cursor_stays_with_its_task_when_the_order_changes() -> None:
    board = board_of(task("a"), task("b"), task("c"))
    board.move(2)

    board.take([task("a"), task("b"), task("c")], {"c": {"state": "lost"}}, now=NOW, is_whole=True)

    assert board.shown == ["c", "a", "b"]
    assert board.current == "c"


def test_a_reading_of_some_tasks_moves_no_row() -> None:
    board = board_of(task("a"), task("b"))

    board.take([task("b", "running")], {"b": {"state": "failed"}}, now=NOW, is_whole=False)

    assert board.shown == ["a", "b"]
    assert board.tasks["b"]["status"] == "running"


def test_a_text_narrows_by_id_and_name_whatever_its_case() -> None:
    board = board_of(task("upload", name="数据上传"), task("Pump"), search="PU")
    assert board.shown == ["Pump"]

    board.search = "上传"
    board.arrange()

    assert board.shown == ["upload"]


def test_the_cursor_never_leaves_the_list() -> None:
    board = board_of(task("a"), task("b"))

    board.move(9)
    assert board.current == "b"
    board.move(-9)
    assert board.current == "a"
    board.search = "nothing"
    board.arrange()
    assert board.current is None
    assert board.meant() == []


def test_an_action_is_about_the_selected_tasks_or_the_one_at_the_cursor() -> None:
    board = board_of(task("a"), task("b"), task("c"))
    assert board.meant() == ["a"]

    board.toggle()
    board.toggle()

    assert board.meant() == ["a", "b"]
    assert board.current == "c"


def test_each_order_is_that_of_its_column_and_can_be_turned_round() -> None:
    board = board_of(
        task("a", run_count=1, last_run_time="2026-11-24T05:00:00+09:00"),
        task("b", run_count=9, next_run_time="2026-11-24T07:00:00+09:00"),
        task("c", "paused", last_run_time="2026-11-24T05:30:00+09:00"),
    )
    orders = {}
    for sort in SORTS:
        board.sort = sort
        board.arrange()
        orders[sort] = "".join(board.shown)

    assert orders == {
        "needs": "abc",
        "task": "abc",
        "last": "cab",
        "next": "bac",
        "runs": "bac",
        "status": "abc",
    }
    board.sort, board.is_reversed = "task", True
    board.arrange()
    assert board.shown == ["c", "b", "a"]


def test_ten_thousand_tasks_are_narrowed_to_the_one_that_is_looked_for() -> None:
    board = board_of(*(task(f"task-{number:05}") for number in range(10_000)))

    board.search = "task-07777"
    board.arrange()

    assert board.shown == ["task-07777"]
