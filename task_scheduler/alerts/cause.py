"""The cause of a failure: what two failures have in common whose details differ.

Responsible for: finding the line of an output that says what went wrong, and leaving out of it what
is different every time: numbers, addresses, paths, identifiers, moments. Grouping by it makes one
message of 28,000 failures.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["cause_of", "error_line", "normalised"]

_LONGEST = 200
_ERROR = re.compile(
    r"\b\w*(error|exception|fatal|panic|failed|failure|refused|denied|cannot|unable|time(d )?out)"
    r"|错误|失败|异常|エラー|失敗|例外",
    re.IGNORECASE,
)
_PARTS = tuple(
    (re.compile(pattern, re.IGNORECASE), name)
    # From the most special to the most general: a UUID is also hexadecimal and numbers.
    for pattern, name in (
        (r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", "<uuid>"),
        (r"\b[a-z][a-z0-9+.-]*://[^\s'\"<>]+", "<url>"),
        (r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)?(?:Z|[+-]\d\d:?\d\d)?", "<time>"),
        (r"\b\d\d:\d\d:\d\d(?:[.,]\d+)?\b", "<time>"),
        (r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?(?![\w.])", "<address>"),
        (r"(?<![\w:])(?=[0-9a-f:]*::|(?:[0-9a-f]+:){7})[0-9a-f:]{2,39}(?![\w:])", "<address>"),
        (r"(?<![\w/<])(?:[a-z]:)?(?:[/\\][\w.+@~-]+)+[/\\]?", "<path>"),
        (r"\b0x[0-9a-f]+\b", "<hex>"),
        (r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,}\b", "<hex>"),
        (r"\d+(?:[.,]\d+)*", "<n>"),
    )
)
_SPACE = re.compile(r"\s+")


def normalised(line: str) -> str:
    """Return a line without what differs from one time to the next."""
    text = line[: 10 * _LONGEST]
    for pattern, name in _PARTS:
        text = pattern.sub(name, text)
    return _SPACE.sub(" ", text).strip()[:_LONGEST]


def error_line(lines: Sequence[str]) -> str:
    """Return the last line that speaks of an error, else the last with anything on it."""
    spoken = [line.strip() for line in lines if line.strip()]
    return next(
        (line for line in reversed(spoken) if _ERROR.search(line)), spoken[-1] if spoken else ""
    )


def cause_of(
    outcome: str, *, error: str | None, exit_code: int | None = None, line: str = ""
) -> str:
    """Return the cause of a failure: its exit code, where there is one, and its error line.

    The outcome stands for itself where a run was ended, and did not end: what it printed last was
    not why.
    """
    if exit_code is None or outcome != "failed":
        head = (error or "").strip().splitlines()[:1]
        return normalised(head[0]) if head and outcome == "failed" else outcome
    return f"exit {exit_code}: {normalised(line)}" if line else f"exit {exit_code}"
