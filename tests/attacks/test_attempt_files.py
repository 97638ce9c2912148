"""The files of an attempt, in the hands of a task that runs as the scheduler's own user.

Such a task can write into its own folder. What it writes there may speak of itself alone, holds
nobody, and never starts anything.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from task_scheduler.core.model import Claim, Outcome
from task_scheduler.executors.process_ends import end_of_record
from task_scheduler.supervision import attempt_folder
from task_scheduler.supervision.doorbell import Doorbell
from task_scheduler.supervision.exit_record import ExitRecord, ring
from task_scheduler.supervision.orders import FORMAT, MessageStream, Order, encode_message
from task_scheduler.supervision.output import Output

GOOD = {
    "format": 1,
    "outcome": "succeeded",
    "started_at": 5,
    "ended_at": 6,
    "exit_code": 0,
    "signal": None,
    "error": None,
}


@pytest.fixture
def attempt(tmp_path: Path) -> Path:
    made = tmp_path / "1-1"
    made.mkdir(mode=0o700)
    return made


def test_a_sound_record_is_believed(attempt: Path) -> None:
    (attempt / "exit.json").write_text(json.dumps(GOOD))

    assert attempt_folder.read_exit_record(bytes(attempt)) == GOOD


FORGED: dict[str, str] = {
    "empty": "",
    "null": "null",
    "list": "[]",
    "text": '"succeeded"',
    "number": "1",
    "half": json.dumps(GOOD)[:-10],
    "twice": json.dumps(GOOD) * 2,
    "deep": "[" * 60_000,
    "deep-objects": '{"a":' * 10_000,
    "huge": json.dumps({**GOOD, "x": "y" * 100_000}),
    "binary": "\x00\x01\x02",
    "format-0": json.dumps({**GOOD, "format": 0}),
    "format-negative": json.dumps({**GOOD, "format": -1}),
    "format-true": json.dumps({**GOOD, "format": True}),
    "format-text": json.dumps({**GOOD, "format": "1"}),
    "format-float": json.dumps({**GOOD, "format": 1.0}),
    "outcome-unknown": json.dumps({**GOOD, "outcome": "won"}),
    "outcome-lost": json.dumps({**GOOD, "outcome": "lost"}),
    "outcome-list": json.dumps({**GOOD, "outcome": ["succeeded"]}),
    "outcome-none": json.dumps({**GOOD, "outcome": None}),
    "start-text": json.dumps({**GOOD, "started_at": "5"}),
    "start-float": json.dumps({**GOOD, "started_at": 1e300}),
    "start-nan": json.dumps({**GOOD, "started_at": float("nan")}),
    "start-endless": '{"started_at": 1e400, ' + json.dumps(GOOD)[1:].replace("started", "x"),
    "start-huge": json.dumps({**GOOD, "started_at": 10**30}),
    "start-long-ago": json.dumps({**GOOD, "started_at": -(10**30)}),
    "end-huge": json.dumps({**GOOD, "ended_at": 1 << 63}),
    "code-huge": json.dumps({**GOOD, "exit_code": 10**25}),
    "code-text": json.dumps({**GOOD, "exit_code": "0"}),
    "code-float": json.dumps({**GOOD, "exit_code": 0.5}),
    "signal-huge": json.dumps({**GOOD, "signal": 1 << 65}),
    "signal-list": json.dumps({**GOOD, "signal": [9]}),
    "error-list": json.dumps({**GOOD, "error": ["x"]}),
    "error-number": json.dumps({**GOOD, "error": 5}),
    **{
        f"without-{name}": json.dumps({key: value for key, value in GOOD.items() if key != name})
        for name in GOOD
    },
    "digits": '{"format": ' + "9" * 5_000 + "}",
}


@pytest.mark.parametrize("name", FORGED)
def test_a_record_that_is_not_sound_is_none(name: str, attempt: Path) -> None:
    (attempt / "exit.json").write_text(FORGED[name], encoding="utf-8")

    assert attempt_folder.read_exit_record(bytes(attempt)) is None
    assert attempt_folder.examine(bytes(attempt))[0] == attempt_folder.State.UNSTARTED


@pytest.mark.parametrize(
    "values",
    [
        {"error": "\ud800"},
        {"error": "a\0b\x1b[2J"},
        {"error": "x" * 60_000},
        {"started_at": -(1 << 61)},
        {"ended_at": (1 << 62) - 1},
        {"exit_code": -(1 << 61)},
        {"exit_code": None, "signal": (1 << 61)},
        {"exit_code": True},
        {"more": {"deep": [[[]]]}},
    ],
    ids=str,
)
def test_a_record_that_is_believed_can_always_be_stored(
    values: dict[str, Any], attempt: Path
) -> None:
    (attempt / "exit.json").write_text(json.dumps({**GOOD, **values}))
    record = attempt_folder.read_exit_record(bytes(attempt))
    assert record is not None
    ones: dict[str, Any] = dict.fromkeys(Claim._fields, 1)
    claim = Claim(**ones)

    end = end_of_record(claim, record, attempt / "output")

    assert end.outcome is Outcome.SUCCEEDED
    with closing(sqlite3.connect(":memory:")) as database:
        stored = [end.started_at, end.ended_at, end.error, end.exit_code]
        assert len(database.execute("SELECT ?, ?, ?, ?", stored).fetchone()) == 4


NAMES = ("exit.json", "cancel", "tree", "trouble", "lock")


def put(path: Path, kind: str, elsewhere: Path) -> None:
    """Put something in the place of a file that is none."""
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "link":
        path.symlink_to(elsewhere)
    elif kind == "dangling":
        path.symlink_to(elsewhere.with_name("nothing"))
    elif kind == "endless":
        path.symlink_to("/dev/zero")
    elif kind == "loop":
        path.symlink_to(path)


@pytest.mark.parametrize("kind", ["pipe", "folder", "link", "dangling", "endless", "loop"])
@pytest.mark.parametrize("name", [name for name in NAMES if name != "lock"])
def test_what_is_no_file_holds_nobody_and_tells_nothing(
    name: str, kind: str, attempt: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text(json.dumps(GOOD))
    put(attempt / name, kind, elsewhere)

    assert attempt_folder.read_exit_record(bytes(attempt)) is None
    assert attempt_folder.read_members(bytes(attempt)) == {}
    assert attempt_folder.read_trouble(bytes(attempt)) is None
    assert attempt_folder.newer_format(bytes(attempt)) is None
    assert not attempt_folder.read_cancel_reason(bytes(attempt))
    assert elsewhere.read_text() == json.dumps(GOOD)


@pytest.mark.parametrize("kind", ["pipe", "link", "dangling", "endless", "loop"])
def test_a_cancel_is_written_whatever_lies_in_its_place(
    kind: str, attempt: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("precious")
    put(attempt / "cancel", kind, elsewhere)

    attempt_folder.write_cancel_reason(bytes(attempt), "enough")

    assert attempt_folder.read_cancel_reason(bytes(attempt)) == "enough"
    assert elsewhere.read_text() == "precious"
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("kind", ["pipe", "folder", "link", "dangling", "loop"])
@pytest.mark.parametrize("name", ["tree", "trouble"])
def test_notes_are_not_written_through_what_is_no_file(
    name: str, kind: str, attempt: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("precious")
    put(attempt / name, kind, elsewhere)

    attempt_folder.write_members(bytes(attempt), {1: 1})
    attempt_folder.write_trouble(bytes(attempt), "x", "y")

    assert elsewhere.read_text() == "precious"
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("kind", ["link", "dangling", "loop", "folder"])
def test_a_lock_that_is_a_link_is_not_taken(kind: str, attempt: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("precious")
    put(attempt / "lock", kind, elsewhere)

    with pytest.raises(OSError):  # noqa: PT011  each kind has its own
        attempt_folder.try_lock(bytes(attempt))
    assert elsewhere.read_text() == "precious"
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("kind", ["pipe", "folder", "link", "dangling", "loop", "file"])
def test_a_permit_that_lies_there_starts_nothing(kind: str, attempt: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("precious")
    if kind == "file":
        (attempt / "permit").write_text("")
    else:
        put(attempt / "permit", kind, elsewhere)

    assert attempt_folder.create_permit(bytes(attempt)) is False
    assert elsewhere.read_text() == "precious"


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        (what, kind)
        for what in ("output", "record")
        for kind in ("pipe", "folder", "link", "dangling", "loop")
        # Opened for reading and writing, a pipe is told by its lack of room.
        if (what, kind) != ("record", "pipe")
    ],
)
def test_output_and_record_are_not_written_through_what_is_no_file(
    what: str, kind: str, attempt: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("precious")
    put(attempt / ("output.new" if what == "output" else "exit.tmp"), kind, elsewhere)

    def write() -> object:
        if what == "output":
            return Output(bytes(attempt / "output.new"), 100, dict)
        return ExitRecord(bytes(attempt))

    with pytest.raises(OSError):  # noqa: PT011  each kind has its own
        write()
    assert elsewhere.read_text() == "precious"
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize(
    "words",
    [b"", b"1", b"1 2", b"x y z", b"1 -5 -5 -5 -5", b"\xff\xfe", b"9" * 250, b"1 1 1 1 1 1 1 1"],
)
def test_a_lock_that_lies_about_its_holder_is_read_without_harm(
    words: bytes, attempt: Path
) -> None:
    (attempt / "lock").write_bytes(words)

    holder = attempt_folder.read_holder(bytes(attempt))

    assert holder is None or isinstance(holder.pid, int)


@pytest.mark.parametrize(
    "lines",
    [b"1\n-1 5", b"1\nx y", b"1\n1", b"2\n1 1", b"\n\n\n", b"1\n1 1 1", b"1\n" + b"9" * 9_000],
)
def test_a_tree_that_lies_names_nobody(lines: bytes, attempt: Path) -> None:
    (attempt / "tree").write_bytes(lines)

    assert attempt_folder.read_members(bytes(attempt)) == {}


@pytest.mark.parametrize(
    "name",
    [
        b"",
        b"..",
        b"../../etc",
        b"/etc/passwd",
        b"\0",
        b"\xff" * 200,
        b"x" * 5_000,
        b"a\nb",
        b"\x1b]0;x\x07",
    ],
)
def test_a_forged_ring_is_a_name_and_nothing_else(name: bytes, tmp_path: Path) -> None:
    bell = Doorbell(bytes(tmp_path / "bell"))
    try:
        ring(bytes(tmp_path / "bell"), name)
        # Cut to what a name may have, and only ever compared with names that are known.
        assert bell.rung() == [name[:256].decode("latin-1")]
        assert sorted(path.name for path in tmp_path.iterdir()) == ["bell"]
    finally:
        bell.close()


@pytest.mark.parametrize("kind", ["file", "link", "dangling", "pipe"])
def test_a_bell_is_put_in_the_place_of_what_lies_there(kind: str, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("precious")
    if kind == "file":
        (tmp_path / "bell").write_text("x")
    else:
        put(tmp_path / "bell", kind, elsewhere)

    bell = Doorbell(bytes(tmp_path / "bell"))

    assert (tmp_path / "bell").is_socket()
    assert (tmp_path / "bell").stat().st_mode & 0o777 == 0o600
    assert elsewhere.read_text() == "precious"
    bell.close()


ORDERS: dict[str, bytes] = {
    "empty": b"",
    "null": b"null",
    "list": b"[]",
    "number": b"1",
    "deep": b"[" * 900,
    "no-fields": b"{}",
    "newer": b'{"format": 99, "folder": "/x/1-1"}',
    "format-text": b'{"format": "x", "folder": "/x/1-1"}',
    "argv-number": json.dumps({"format": FORMAT, "folder": "/x", "argv": 5}).encode(),
    "binary": b"\xff\xfe\x00",
    "folder-number": b'{"folder": 5}',
}


@pytest.mark.parametrize("name", ORDERS)
def test_an_order_that_is_none_starts_nothing(name: str) -> None:
    with pytest.raises((AttributeError, KeyError, TypeError, ValueError)):
        Order(ORDERS[name])
    assert isinstance(Order.name_in(ORDERS[name]), str)


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5])
def test_half_a_message_is_none(size: int) -> None:
    assert MessageStream().feed(encode_message({"a": 1})[:size]) == []
