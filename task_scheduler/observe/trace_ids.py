"""The ids of traces and spans, computed from what they are of.

Responsible for: W3C trace contexts. A run is a trace and a span in it, each of its attempts a span
below. Their ids follow from the ledger and the run, so a script is told its own before anybody has
made a span of it, and after a restart a run goes on in the trace in which it began.
"""

from __future__ import annotations

import hashlib

__all__ = ["TraceIds"]

_HALF = 1 << 64


class TraceIds:
    """The ids of one ledger's runs; of all traces the share `ratio`, 0..1, is recorded."""

    def __init__(self, ledger_id: str, ratio: float = 1.0) -> None:
        self._ledger_id = ledger_id
        self._bound = round(ratio * _HALF)

    def trace_id(self, run_id: int) -> int:
        """Return the 128 bits of a run's trace."""
        return self._number(16, run_id)

    def span_id(self, run_id: int, attempt: int | None = None) -> int:
        """Return the 64 bits of an attempt's span, or of that of the whole run."""
        return self._number(8, run_id, "run" if attempt is None else attempt)

    def is_sampled(self, run_id: int) -> bool:
        """Whether the trace of a run is recorded: decided as OpenTelemetry's ratio sampler does."""
        return self.trace_id(run_id) % _HALF < self._bound

    def traceparent(self, run_id: int, attempt: int) -> str:
        """Return what makes other spans children of an attempt's, in the W3C's form."""
        trace, span = self.trace_id(run_id), self.span_id(run_id, attempt)
        return f"00-{trace:032x}-{span:016x}-{int(self.is_sampled(run_id)):02x}"

    def _number(self, size: int, *parts: object) -> int:
        text = "/".join(map(str, (self._ledger_id, *parts)))
        # All zeroes is no id.
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:size]) or 1
