"""Which points a log gives, and which sides of them are one and the same."""

from __future__ import annotations

from tests.integration.crashpoints.points import Point, enumerate_points
from tests.integration.crashpoints.tracing import AFTER, BEFORE, Call, Kill

WRITE = Call("pwrite64", '5</d/scheduler.db-wal>, "x", 24, 0) = 24')
SYNC = Call("fdatasync", "5</d/scheduler.db-wal>) = 0")
WAIT = Call("futex", "0x1, FUTEX_WAIT) = 0")
LOOK = Call("fstat", "5</d/scheduler.db-wal>, {}) = 0")


def names(*log: Call) -> list[str]:
    found = enumerate_points("life", "scheduler.engine", log).points
    return [f"{point.call}:{point.number}:{point.side}" for point in found]


def test_a_call_has_two_sides() -> None:
    assert names(SYNC, WAIT) == ["fdatasync:1:before", "fdatasync:1:after"]


def test_the_side_after_a_call_is_the_side_before_the_next_one() -> None:
    found = enumerate_points("life", "scheduler.engine", [WRITE, LOOK, WRITE, SYNC, WAIT])

    assert names(WRITE, LOOK, WRITE, SYNC, WAIT) == [
        "pwrite64:1:before",
        "pwrite64:2:before",
        "fdatasync:1:before",
        "fdatasync:1:after",
    ]
    assert found.merged == 2


def test_where_the_thread_waits_in_between_both_sides_are_tried() -> None:
    assert names(WRITE, WAIT, SYNC) == [
        "pwrite64:1:before",
        "pwrite64:1:after",
        "fdatasync:1:before",
        "fdatasync:1:after",
    ]


def test_an_open_counts_only_where_it_may_make_a_file_and_keeps_its_number() -> None:
    log = [Call("openat", '3, "/d/a", O_RDONLY) = 4'), Call("openat", '3, "/d/b", O_CREAT) = 4')]

    assert names(*log) == ["openat:2:before", "openat:2:after"]


def test_a_death_after_a_fork_comes_at_the_next_call() -> None:
    log = [LOOK, Call("clone", "SIGCHLD) = 7"), WAIT, LOOK]

    after = enumerate_points("life", "launcher", log).points[1]

    assert after.side == "after"
    assert after.kill == Kill("fstat", 2, BEFORE, follows=("clone", 1))


def test_a_death_before_a_call_and_one_after_it_differ_by_their_signal() -> None:
    before, after = enumerate_points("life", "launcher", [SYNC, WAIT]).points

    assert before.kill == Kill("fdatasync", 1, BEFORE)
    assert after.kill == Kill("fdatasync", 1, AFTER)


def test_the_files_of_the_harness_are_no_points() -> None:
    log = [Call("openat", '3, "/d/acks", O_CREAT) = 4'), Call("write", '4</d/acks>, "x") = 1')]

    assert names(*log) == []


def test_what_is_taken_from_another_process_counts_and_an_empty_queue_does_not() -> None:
    log = [Call("recvfrom", '3<socket:[1]>, "name", 256) = 4'), Call("recvfrom", "3) = -1 EAGAIN")]

    launcher = enumerate_points("life", "launcher", [*log, LOOK]).points
    itself = enumerate_points("life", "scheduler.request", [*log, LOOK]).points

    assert [(point.number, point.side) for point in launcher] == [(1, "before"), (1, "after")]
    assert itself == []


def test_a_point_survives_its_plain_form() -> None:
    point = enumerate_points("life", "supervisor.script.1", [SYNC]).points[0]

    assert Point.of_plain(point.plain()) == point
    assert (point.role, point.group, point.target) == ("supervisor", "fsync", "scheduler.db-wal")
