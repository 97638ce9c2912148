"""Prometheus' text format, written a little at a time.

Responsible for: lines of that format, and for letting everybody else have the interpreter between
them. The client library renders too, at six times the cost and in one go: of 500 tasks that is an
eighth of a second in which the engine gets the interpreter late again and again. What the library
collects of the process is taken from it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping

__all__ = ["CONTENT_TYPE", "Exposition", "labels_of"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_PREFIX = "task_scheduler_"
_SLICE = 400
"""Lines at a time: a fifth of a millisecond, far below the interpreter's switch interval."""
_REST_SECONDS = 0.001
_INFINITE = {float("inf"): "+Inf", float("-inf"): "-Inf"}
_pause = threading.Event()


def _rest() -> None:
    _pause.wait(_REST_SECONDS)


class Exposition:
    """One page of metrics; names are given without our prefix."""

    def __init__(self, rest: Callable[[], object] = _rest) -> None:
        self._rest = rest
        self._lines: list[str] = []
        self._done: list[bytes] = []

    def begin(self, name: str, kind: str, text: str) -> None:
        """Begin a family; a counter's name is given without ``_total``."""
        name = _named(name, kind)
        self._lines.append(f"# HELP {name} {text}\n# TYPE {name} {kind}\n")

    def gauge(self, name: str, text: str, value: float, labels: str = "") -> None:
        """Write a gauge of one sample."""
        self.begin(name, "gauge", text)
        self.sample(_named(name, "gauge"), labels, value)

    def counter(self, name: str, text: str, samples: Iterable[tuple[str, float]]) -> None:
        """Write a counter: its labels as `labels_of` made them, and values."""
        self.begin(name, "counter", text)
        full = _named(name, "counter")
        for labels, value in samples:
            self.sample(full, labels, value)

    def gauges(self, name: str, text: str, samples: Iterable[tuple[str, float]]) -> None:
        """Write a gauge of many samples."""
        self.begin(name, "gauge", text)
        full = _named(name, "gauge")
        for labels, value in samples:
            self.sample(full, labels, value)

    def sample(self, full_name: str, labels: str, value: float) -> None:
        """Write one line."""
        shown = _INFINITE.get(value) or repr(float(value))
        self._lines.append(
            f"{full_name}{{{labels}}} {shown}\n" if labels else f"{full_name} {shown}\n"
        )
        if len(self._lines) >= _SLICE:
            self._end_slice()

    def histogram(
        self, name: str, labels: str, buckets: Iterable[tuple[str, float]], total: float
    ) -> None:
        """Write one histogram of a family that was begun; the last bucket is that of all."""
        full, count = f"{_PREFIX}{name}", 0.0
        before = f"{labels}," if labels else ""
        own = f"{{{labels}}}" if labels else ""
        add = self._lines.append
        for bound, count in buckets:
            add(f'{full}_bucket{{{before}le="{bound}"}} {float(count)!r}\n')
        add(f"{full}_count{own} {float(count)!r}\n{full}_sum{own} {float(total)!r}\n")
        if len(self._lines) >= _SLICE:
            self._end_slice()

    def bytes(self) -> bytes:
        """Return the page as far as it is written."""
        self._end_slice()
        return b"".join(self._done)

    def _end_slice(self) -> None:
        self._done.append("".join(self._lines).encode())
        self._lines.clear()
        self._rest()


def labels_of(labels: Mapping[str, str]) -> str:
    """Return labels as they stand in a sample."""
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


def _named(name: str, kind: str) -> str:
    return f"{_PREFIX}{name}_total" if kind == "counter" else f"{_PREFIX}{name}"


def _escaped(value: str) -> str:
    if "\\" in value or '"' in value or "\n" in value:
        return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
    return value
