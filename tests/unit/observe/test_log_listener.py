"""Every event has a sentence, in every language, at its level, under a telling name."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator

import pytest

from task_scheduler.core import events
from task_scheduler.core.faults import FaultKind, Trouble
from task_scheduler.core.model import Outcome, SkipReason
from task_scheduler.i18n import LANGUAGES, current_language, set_language
from task_scheduler.observe.log_listener import LogListener
from task_scheduler.observe.spans import Moment

SECOND = 1_000_000
TASK = ("upload", "数据上传任务")
STARTED = events.AttemptStarted(*TASK, 7, 1, 0)
SKIPPED = events.RunSkipped(*TASK, SkipReason.OVERLAP, 0, 0, 1, 0)


def settled(outcome: Outcome, error: str | None = None) -> events.RunSettled:
    return events.RunSettled(*TASK, 7, 2, outcome, error, 65 * SECOND, 0)


def retried(outcome: Outcome) -> events.RetryScheduled:
    return events.RetryScheduled(*TASK, 7, 2, outcome, "no route", 5 * SECOND, 0)


def skipped(reason: SkipReason) -> events.RunSkipped:
    return dataclasses.replace(SKIPPED, reason=reason)


EVENTS: list[tuple[events.Event, str]] = [
    (STARTED, "INFO"),
    (events.AttemptStarted(*TASK, 7, 3, 0), "INFO"),
    (settled(Outcome.SUCCEEDED), "INFO"),
    (settled(Outcome.CANCELLED, "by hand"), "INFO"),
    (settled(Outcome.FAILED, "no route"), "ERROR"),
    (settled(Outcome.TIMED_OUT, "too slow"), "ERROR"),
    (settled(Outcome.LOST), "ERROR"),
    *((retried(outcome), "WARNING") for outcome in Outcome if outcome is not Outcome.SUCCEEDED),
    *(
        (
            skipped(reason),
            "WARNING" if reason in ("misfire", "catch_up_limit", "expired") else "INFO",
        )
        for reason in SkipReason
    ),
    (events.RunSkipped(*TASK, SkipReason.PAUSED, 0, SECOND, 2, 0), "INFO"),
    (events.RunSkipped(*TASK, SkipReason.MISFIRE, 0, SECOND, None, 0), "WARNING"),
    (events.AttemptRecovered(*TASK, 7, 1, "not_started"), "INFO"),
    (events.AttemptRecovered(*TASK, 7, 1, "alive"), "INFO"),
    (events.AttemptRecovered(*TASK, 7, 1, "ended"), "INFO"),
    (events.AttemptRecovered(*TASK, 7, 1, "lost"), "WARNING"),
    (events.ThreadAbandoned(*TASK, 7, 1), "WARNING"),
    (events.SupervisionFaltered("a launcher was replaced"), "ERROR"),
    (events.SupervisionFaltered("a supervisor was stopped", "pump", 7, 1), "ERROR"),
    (events.EntryAdded(*TASK), "INFO"),
    (events.EntriesAdded(("pump", "lamp")), "INFO"),
    (events.EntryRemoved(*TASK), "INFO"),
    (events.EntryRestored(*TASK), "INFO"),
    (events.EntryPaused(*TASK), "INFO"),
    (events.EntryResumed(*TASK), "INFO"),
    (events.EntryFailed(*TASK, "boom"), "ERROR"),
    *((events.FaultBegan(Trouble(kind, "/farm", "because"), 0), "ERROR") for kind in FaultKind),
    *((events.FaultEnded(Trouble(kind, "/farm", ""), SECOND), "INFO") for kind in FaultKind),
    (events.CalendarFailed("closed.ics: gone"), "ERROR"),
    (events.ConfigTaken("farm.toml", 1, 2, 3, 4), "INFO"),
    (events.ConfigDrifted(("pump", "lamp")), "WARNING"),
    (events.ConfigRefused("farm.toml", "line 3"), "ERROR"),
    (events.StoreAbandoned("the file is gone"), "ERROR"),
    (events.LedgerHeld("restored", SECOND), "ERROR"),
    (events.LedgerHeld("rolled_back", SECOND), "ERROR"),
    (events.LedgerReleased(SECOND, 3, 1), "WARNING"),
    (events.LedgerReleased(None, 0, 1), "WARNING"),
    (events.PingReceived("nas", "success", "", 0), "INFO"),
    (events.PingReceived("nas", "start", "", 0), "INFO"),
    (events.PingReceived("nas", "fail", "disk 3", 0), "WARNING"),
    (events.SilencesChanged("up*", SECOND), "INFO"),
    (events.SilencesChanged("up*", None), "INFO"),
    (events.ListenerFailed("boom"), "ERROR"),
    (events.ClockStepped(3600 * SECOND), "WARNING"),
    (events.ClockStepped(-SECOND), "WARNING"),
    (events.ClockFollowed(-SECOND, 2, 3, 1), "WARNING"),
    (events.ClockFollowed(None, 2, 3, 1), "WARNING"),
    (events.SchedulerStarted(4, "/farm/scheduler.db"), "INFO"),
    (events.SchedulerStopping(), "INFO"),
    (events.SchedulerStopped(), "INFO"),
    (events.StandbyWaiting("/farm/scheduler.db"), "INFO"),
    (events.StandbyTookOver("/farm/scheduler.db"), "INFO"),
]


@pytest.fixture(autouse=True)
def language() -> Iterator[None]:
    before = current_language()
    set_language("en")
    yield
    set_language(before)


@pytest.fixture
def listener(caplog: pytest.LogCaptureFixture) -> LogListener:
    caplog.set_level(logging.DEBUG, "TaskScheduler")
    return LogListener(logging.getLogger("TaskScheduler"))


def test_the_events_of_this_test_are_all_there_are() -> None:
    # By name: a dataclass with slots is made twice, and both count as subclasses.
    known = {kind.__name__ for kind in events.Event.__subclasses__()}

    assert {type(event).__name__ for event, _ in EVENTS} == known


@pytest.mark.parametrize("tag", LANGUAGES)
def test_every_event_has_a_sentence_in_every_language(
    tag: str, listener: LogListener, caplog: pytest.LogCaptureFixture
) -> None:
    set_language(tag)

    for event, level in EVENTS:
        caplog.clear()
        listener(event)

        (record,) = caplog.records
        assert record.levelname == level, event
        assert record.__dict__["action"] == type(event).__name__
        text = record.getMessage()
        assert text, event
        # A key without a sentence shows itself, a value without a place in braces.
        assert "logs." not in text, event
        assert "{" not in text, event
        assert "None" not in text, event


@pytest.mark.parametrize(
    ("tag", "lines"),
    [
        (
            "en",
            [
                "Starting task: 数据上传任务",
                "Task succeeded: 数据上传任务 (1 min 5 s)",
                "Task failed: 数据上传任务 (run 7, attempt 2, 1 min 5 s): no route",
                "Task failed, trying again in 5 s: 数据上传任务 (run 7, attempt 2): no route",
                f"Skipped task: 数据上传任务, due {Moment(0)}: the previous run was still running",
            ],
        ),
        (
            "zh",
            [
                "开始执行任务: 数据上传任务",
                "任务执行成功: 数据上传任务（1 分 5 秒）",
                "任务执行失败: 数据上传任务（运行 7，第 2 次尝试，1 分 5 秒）: no route",
                "任务执行失败，5 秒后重试: 数据上传任务（运行 7，第 2 次尝试）: no route",
                f"跳过任务: 数据上传任务，应于 {Moment(0)} 执行: 上一次运行尚未结束",
            ],
        ),
        (
            "ja",
            [
                "タスクを開始: 数据上传任务",
                "タスクが成功: 数据上传任务（1 分 5 秒）",
                "タスクが失敗: 数据上传任务（実行 7、2 回目の試行、1 分 5 秒）: no route",
                "タスクが失敗、5 秒後に再試行: 数据上传任务（実行 7、2 回目の試行）: no route",
                f"タスクをスキップ: 数据上传任务、予定 {Moment(0)}: 前の実行がまだ終わっていなかった",  # noqa: E501
            ],
        ),
    ],
)
def test_the_sentences_are_these(
    tag: str, lines: list[str], listener: LogListener, caplog: pytest.LogCaptureFixture
) -> None:
    set_language(tag)

    for event in (
        STARTED,
        settled(Outcome.SUCCEEDED),
        settled(Outcome.FAILED, "no route"),
        retried(Outcome.FAILED),
        SKIPPED,
    ):
        listener(event)

    assert caplog.messages == lines


def test_a_line_carries_the_name_and_the_ids_of_what_it_tells(
    listener: LogListener, caplog: pytest.LogCaptureFixture
) -> None:
    listener(STARTED)

    (record,) = caplog.records
    assert (record.funcName, record.name) == ("_execute_task", "TaskScheduler")
    ids = {name: record.__dict__[name] for name in ("action", "task_id", "run_id", "attempt")}
    assert ids == {"action": "AttemptStarted", "task_id": "upload", "run_id": 7, "attempt": 1}


def test_an_event_without_a_reason_says_so(
    listener: LogListener, caplog: pytest.LogCaptureFixture
) -> None:
    listener(settled(Outcome.LOST))

    assert caplog.messages[0].endswith(": no reason was given")


def test_a_name_with_braces_and_percent_signs_is_only_a_name(
    listener: LogListener, caplog: pytest.LogCaptureFixture
) -> None:
    listener(events.EntryAdded("x", "100% {name} %s"))

    assert caplog.messages == ["Task added or changed: 100% {name} %s"]


def test_no_text_is_formed_for_a_level_that_is_off(
    listener: LogListener, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    formed: list[str] = []
    monkeypatch.setattr(
        "task_scheduler.observe.log_listener.translate",
        lambda key, **values: formed.append(key) or key,
    )
    caplog.set_level(logging.WARNING, "TaskScheduler")

    listener(STARTED)
    listener(retried(Outcome.FAILED))

    assert formed == ["logs.retry_failed"]


def test_an_event_of_a_later_release_is_let_pass(
    listener: LogListener, caplog: pytest.LogCaptureFixture
) -> None:
    listener(events.Event())

    assert caplog.messages == []
