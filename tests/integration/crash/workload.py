"""The entries under fire, as data: what the program adds and what the checker expects.

Responsible for: kinds, periods and policies. Knows nothing of the scheduler's code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

IN_THREADS = frozenset({"function", "async", "closure", "custom", "flaky", "log_cleanup"})
"""The kinds that die with the scheduler's process."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One entry: due every `period` seconds; an attempt takes `busy` seconds."""

    task_id: str
    kind: str
    period: float
    busy: float = 0.0
    policies: dict[str, Any] = field(default_factory=dict)
    fails_first: bool = False

    @property
    def period_us(self) -> int:
        """The period in microseconds."""
        return round(self.period * 1_000_000)

    @property
    def is_in_thread(self) -> bool:
        """Whether an attempt dies with the scheduler's process."""
        return self.kind in IN_THREADS

    @property
    def has_witness(self) -> bool:
        """Whether its attempts write lines: a plain cleanup has no say of its own."""
        return self.kind != "log_cleanup"

    def policy(self, key: str, default: str) -> str:
        """Return one policy by its key."""
        return str(self.policies.get(key, default))


_ONCE = {"on_lost": "at_most_once"}
_ALL = {"misfire": "run_all", "catch_up_limit": 3}
_STRICT = {**_ONCE, "misfire": "skip", "misfire_grace_seconds": 0.2}
_RETRY = {"max_retries": 2, "retry_delay": 0.1}
_BACKOFF = {"max_retries": 3, "retry_delay": 0.1, "backoff": "exponential"}

WORKLOAD = (
    Planned("function-fast", "function", 0.2),
    Planned("function-at-most-once", "function", 0.25, 0.02, _ONCE),
    Planned("function-all", "function", 0.5, 0.01, {**_ALL, "overlap": "queue"}),
    Planned("function-allow", "function", 0.4, 0.3, {"overlap": "allow"}),
    Planned("function-async", "async", 0.6, 0.05),
    Planned("closure-all", "closure", 0.5, 0.05, {**_ALL, "overlap": "allow"}),
    Planned("custom-queue", "custom", 0.3, 0.02, {"overlap": "queue"}),
    Planned("custom-strict", "custom", 0.7, 0.1, _STRICT),
    Planned("function-retry", "flaky", 0.5, 0.02, _RETRY, fails_first=True),
    Planned("isolated", "isolated", 1.5, 0.05),
    Planned("isolated-at-most-once", "isolated", 2.0, 0.2, {**_ONCE, **_ALL}),
    Planned("script", "script", 0.8, 0.05),
    Planned("script-all", "script", 1.0, 0.02, {**_ALL, "overlap": "allow"}),
    Planned("script-at-most-once", "script", 1.5, 0.1, _ONCE),
    Planned("script-retry", "script", 2.0, 0.0, _RETRY, fails_first=True),
    Planned(
        "script-replace", "script", 1.6, 2.0, {"overlap": "replace", "kill_grace_seconds": 0.5}
    ),
    Planned("command", "command", 0.5, 0.02),
    Planned("command-queue", "command", 0.7, 0.4, {"overlap": "queue"}),
    Planned("command-all", "command", 1.2, 0.05, _ALL),
    Planned("command-long", "command", 2.0, 1.5),
    Planned("command-retry", "command", 0.9, 0.02, _BACKOFF, fails_first=True),
    Planned("cleanup", "log_cleanup", 1.0),
)
