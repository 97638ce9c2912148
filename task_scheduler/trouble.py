"""From an exception to the trouble that it means.

Responsible for: which kind of fault an error of the engine's thread is, and naming the place of a
bug. Knows no remedy: those stand in the message catalogue.
"""

from __future__ import annotations

import traceback
from pathlib import Path
from types import FrameType

from task_scheduler.core.faults import FaultKind, Trouble
from task_scheduler.errors import StoreDamagedError, StoreError

__all__ = ["place_of", "trouble_of"]

_STORE_KINDS = {f"errors.{kind.value}": kind for kind in FaultKind if kind.is_of_store}


def trouble_of(error: BaseException) -> Trouble:
    """Return what an exception that ended a tick means."""
    detail = "".join(traceback.format_exception(error))
    if isinstance(error, StoreError):
        kind = _STORE_KINDS.get(error.key, FaultKind.STORE_UNAVAILABLE)
        if isinstance(error, StoreDamagedError):
            kind = FaultKind.STORE_DAMAGED
        cause = error.__cause__
        why = str(error.values.get("reason") or cause or error.key.partition(".")[2])
        return Trouble(kind, str(error.values.get("path", "")), why, detail)
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    return Trouble(FaultKind.TICK_FAILED, where, f"{type(error).__name__}: {error}", detail)


def place_of(frame: FrameType) -> str:
    """Return where a frame stands, as ``file.py:12 function``."""
    code = frame.f_code
    return f"{Path(code.co_filename).name}:{frame.f_lineno} {code.co_name}"
