"""Alarms of supervision: what it could not do, told once each through the event stream.

Responsible for: which facts about an attempt are alarming, the sentences, and telling none twice
while its attempt lives.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from task_scheduler.core.events import SupervisionFaltered
from task_scheduler.core.faults import FaultKind, Trouble
from task_scheduler.core.model import Claim
from task_scheduler.core.ports import Emit
from task_scheduler.i18n import translate
from task_scheduler.supervision import attempt_folder

__all__ = ["ProcessAlarms"]

_SPENT = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)


class ProcessAlarms:
    """The alarms of one executor; any thread may raise them."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._guard = threading.Lock()
        self._spent = ""
        """Why the system started no process, the last time; empty once one ended."""
        self._no_output = ""
        """Why what the last attempt printed was not kept."""
        self._told: set[tuple[int, int, str]] = set()
        """Run and token, zeroes for all of them, and the key of the sentence."""

    def not_started(self, status: int) -> str:
        """Return why the system started no supervisor; it shows until one has ended well."""
        reason = os.strerror(status)
        if status not in _SPENT:
            return translate("supervision.not_started", reason=reason)
        self._spent = reason
        return translate("supervision.exhausted", reason=reason)

    def troubles(self, runs: Path) -> list[Trouble]:
        """Return what is wrong as long as it is: no processes, or no room for what they print."""
        found = []
        if self._spent:
            found.append(Trouble(FaultKind.LAUNCH_FAILED, str(runs), self._spent))
        why = self._no_output
        with suppress(OSError):
            why = why if os.statvfs(runs).f_bavail else os.strerror(errno.ENOSPC)
        if why:
            found.append(Trouble(FaultKind.OUTPUT_FAILED, str(runs), why))
        return found

    def tell(self, key: str, claim: Claim, **values: object) -> None:
        """Raise an alarm about an attempt, once as long as it is not over."""
        if self._is_new(claim.run_id, claim.token, key):
            sentence = translate(f"supervision.{key}", run_id=claim.run_id, **values)
            self._emit(SupervisionFaltered(sentence, claim.task_id, claim.run_id, claim.attempt))

    def tell_again(self, key: str, **values: object) -> None:
        """Raise an alarm that is about no attempt, or that comes anew each time."""
        self._emit(SupervisionFaltered(translate(f"supervision.{key}", **values)))

    def tell_survivors(self, claim: Claim, pids: Iterable[int]) -> None:
        """Tell of processes that outlive their dead supervisor and cannot be ended."""
        self.tell("survivors", claim, pids=", ".join(map(str, pids)))

    def look(self, claim: Claim, folder: bytes) -> None:
        """Tell of the trouble that the supervisor of a living attempt has written down."""
        kind, detail = attempt_folder.read_trouble(folder) or ("", "")
        if kind == "undying":
            self.tell("undying", claim, pids=", ".join(detail.split()))

    def examine(self, claim: Claim, record: Mapping[str, object]) -> None:
        """Tell what is alarming in a sound exit record; the attempt is over then."""
        number = record["format"]
        if isinstance(number, int) and number > attempt_folder.FORMAT:
            self.tell("newer_record", claim, format=number)
        self._spent = ""
        self._no_output = str(record.get("output_error") or "")
        if self._no_output:
            self.tell("output_incomplete", claim, reason=self._no_output)
        if record.get("supervision") == "process_group" and self._is_new(0, 0, "process_group"):
            self.tell_again("process_group")
        self.forget(claim)

    def forget(self, claim: Claim) -> None:
        """Forget what was told of an attempt."""
        with self._guard:
            over = (claim.run_id, claim.token)
            self._told = {told for told in self._told if told[:2] != over}

    def _is_new(self, run_id: int, token: int, key: str) -> bool:
        with self._guard:
            is_new = (run_id, token, key) not in self._told
            self._told.add((run_id, token, key))
            return is_new
