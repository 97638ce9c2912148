"""Whether people hear of what goes wrong."""

from __future__ import annotations

from typing import Any

from task_scheduler.doctor.channels import judge_channels
from task_scheduler.doctor.findings import Level


def tried(channel: str, state: str = "delivered", answer: str | None = None) -> dict[str, Any]:
    return {"channel": channel, "state": state, "attempts": 3, "tried_at": 1, "answer": answer}


def test_a_channel_whose_last_message_was_refused_is_named_with_the_answer() -> None:
    tries = [tried("ops", "given_up", "550 no such user"), tried("chat")]

    (finding,) = judge_channels(["ops", "chat"], tries)

    assert (finding.level, finding.command) == (Level.PROBLEM, "tsk alerts test ops")
    assert "550 no such user" in finding.told()


def test_one_that_waits_for_another_try_is_named_too() -> None:
    (finding,) = judge_channels(["my ops"], [tried("my ops", "waiting", "timed out")])

    assert finding.command == "tsk alerts test 'my ops'"


def test_channels_that_deliver_are_fine() -> None:
    (finding,) = judge_channels(["ops"], [tried("ops")])

    assert finding.level is Level.FINE


def test_a_channel_that_nobody_configures_any_more_is_nobodys_trouble() -> None:
    (finding,) = judge_channels(["ops"], [tried("ops"), tried("old", "given_up", "gone")])

    assert finding.level is Level.FINE


def test_a_channel_that_was_never_tried_is_to_be_tried() -> None:
    (finding,) = judge_channels(["ops", "chat"], [tried("ops")])

    assert (finding.level, finding.command) == (Level.UNKNOWN, "tsk alerts test")
    assert "chat" in finding.told()


def test_without_channels_nobody_is_told_and_that_is_said() -> None:
    (finding,) = judge_channels([], [])

    assert finding.level is Level.UNKNOWN
    assert "alerts.channels" in finding.told()


def test_a_ledger_that_cannot_be_read_tells_nothing() -> None:
    (finding,) = judge_channels(["ops"], None)

    assert finding.level is Level.UNKNOWN
