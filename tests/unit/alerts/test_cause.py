"""Failures of one cause have one cause, whatever differs in their details."""

from __future__ import annotations

import pytest

from task_scheduler.alerts.cause import cause_of, error_line, normalised


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Connection refused 203.0.113.9:443", "Connection refused <address>"),
        ("no route to fe80::1", "no route to <address>"),
        ("[Errno 111] after 3.5 s", "[Errno <n>] after <n> s"),
        ("cannot read /srv/pond/7.csv", "cannot read <path>"),
        (r"cannot read C:\pond\7.csv", "cannot read <path>"),
        ("GET https://x.example/a?b=1 gave 500", "GET <url> gave <n>"),
        ("order 550e8400-e29b-41d4-a716-446655440000 lost", "order <uuid> lost"),
        ("at 0xdeadbeef in a1b2c3d4e5f6", "at <hex> in <hex>"),
        ("2026-11-25T02:05:16+09:00 too late", "<time> too late"),
        ("02:05:16.123  too   late", "<time> too late"),
        ("传感器 7 没有响应", "传感器 <n> 没有响应"),
        ("effaced decade", "effaced decade"),
        ("", ""),
    ],
)
def test_what_differs_every_time_is_left_out_of_a_line(line: str, expected: str) -> None:
    assert normalised(line) == expected


def test_a_line_of_a_megabyte_is_a_short_cause_at_once() -> None:
    assert len(normalised("a1/" * 350_000)) <= 200


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["Traceback (most recent call last):", "ValueError: no pond", ""], "ValueError: no pond"),
        (["Error: no pond", "cleaning up", "done"], "Error: no pond"),
        (["Error: first", "Error: second", "bye"], "Error: second"),
        (["采集失败：7 号池", "结束"], "采集失败：7 号池"),
        (["センサーのエラー", "終了"], "センサーのエラー"),
        (["started", "  stopped  ", "", " "], "stopped"),
        ([], ""),
    ],
)
def test_the_error_line_is_the_last_that_speaks_of_an_error(
    lines: list[str], expected: str
) -> None:
    assert error_line(lines) == expected


@pytest.mark.parametrize(
    ("outcome", "error", "exit_code", "line", "expected"),
    [
        ("failed", "exit code 3", 3, "Error: pond 7", "exit 3: Error: pond <n>"),
        ("failed", "exit code 3", 3, "", "exit 3"),
        ("failed", "ValueError: pond 7\nmore", None, "", "ValueError: pond <n>"),
        ("failed", None, None, "", "failed"),
        ("timed_out", "stopped after 30 s", -15, "still at it", "timed_out"),
        ("lost", "the process ended", None, "", "lost"),
    ],
)
def test_the_cause_is_the_exit_code_with_the_error_line(
    outcome: str, error: str | None, exit_code: int | None, line: str, expected: str
) -> None:
    assert cause_of(outcome, error=error, exit_code=exit_code, line=line) == expected
