"""Orders and their way through a socket."""

from __future__ import annotations

import dataclasses

import pytest

from task_scheduler.core.model import LaunchSpec
from task_scheduler.executors.launch_order import order_of
from task_scheduler.supervision.orders import MessageStream, Order, encode_message
from task_scheduler.supervision.outgoing_order import OutgoingOrder


def an_order(**changes: object) -> OutgoingOrder:
    fields: dict[str, object] = {
        "folder": b"/runs/1-7",
        "argv": [b"prog", b"\xff\x00"[:1], b"\xe4\xbd\xa0"],
        "working_dir": b"/w\xff",
        "env": {b"A": b"1\n2", b"\xfe": b""},
        "timeout_seconds": None,
        "kill_grace_seconds": 1.5,
        "output_limit_bytes": 10,
        "bell": b"/b",
        "texts": {"cancelled": "キャンセル"},
    }
    return OutgoingOrder(**{**fields, **changes})  # type: ignore[arg-type]


def test_an_order_arrives_as_it_was_sent() -> None:
    order = an_order(masks=[b"s\xff"], confinement={"limits": {"processes": 9}})
    names = [field.name for field in dataclasses.fields(order) if field.name != "texts"]

    (content,) = MessageStream().feed(order.encode())
    arrived = Order(content)

    assert {name: getattr(arrived, name) for name in names} == {
        name: getattr(order, name) for name in names
    }
    assert arrived.env == {b"A": b"1\n2", b"\xfe": b""}
    assert arrived.text("cancelled") == "キャンセル"


def test_a_sentence_is_filled_with_what_the_supervisor_knows_and_may_be_missing() -> None:
    (content,) = MessageStream().feed(an_order(texts={"killed_by": "{signal}! {odd}"}).encode())

    order = Order(content)

    assert order.text("killed_by", signal="SIGKILL", reason="none") == "SIGKILL! {odd}"
    assert order.text("of_a_newer_release", count="3") == ""


@pytest.mark.parametrize(
    "content", [b"", b"null", b"{}", b"[" * 100_000, b'{"folder": "' + b'{"a":' * 50_000, b"\xff"]
)
def test_what_is_no_order_of_ours_is_foreign_and_no_end_of_the_launcher(content: bytes) -> None:
    with pytest.raises(Order.FOREIGN):
        Order(content)
    assert Order.name_in(content) == ""


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1_000])
def test_messages_are_cut_right_however_they_arrive(size: int) -> None:
    data = b"".join(encode_message({"number": number}) for number in range(20))
    stream = MessageStream()

    contents = []
    for start in range(0, len(data), size):
        contents += stream.feed(data[start : start + size])

    assert contents == [b'{"number": %d}' % number for number in range(20)]


def test_a_task_does_not_inherit_what_the_service_manager_tells_the_scheduler(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    monkeypatch.setenv("WATCHDOG_USEC", "1000")
    monkeypatch.setenv("KEPT", "from the scheduler")
    monkeypatch.setenv("CHANGED", "from the scheduler")
    spec = LaunchSpec(argv=("prog",), working_dir="/", env={"CHANGED": "by the task"})

    env = order_of(spec, folder=b"/f", bell=b"/b", output_limit_bytes=1).env

    assert b"NOTIFY_SOCKET" not in env
    assert b"WATCHDOG_USEC" not in env
    assert env[b"KEPT"] == b"from the scheduler"
    assert env[b"CHANGED"] == b"by the task"
    assert env[b"TASK_SCHEDULER_ATTEMPT_FOLDER"] == b"/f"
