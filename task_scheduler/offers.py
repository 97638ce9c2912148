"""Offers: what one process brings to the holder of a ledger in another, code and commands.

Responsible for: what is offered of an entry, which of it is missing here, sending a command, how
long a process tries again, or lets others go first, while holders come and go, and what is known
of a mute one.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from task_scheduler.bindings import Bindings
from task_scheduler.control import HolderGoneError, HolderMuteError, ask, request_of
from task_scheduler.core.inbox import Command
from task_scheduler.core.model import SECOND, Entry
from task_scheduler.core.ports import Clock
from task_scheduler.errors import StandbyRefusedError, StoreUnavailableError
from task_scheduler.i18n import translate
from task_scheduler.state_files import StateFiles

__all__ = [
    "Patience",
    "knock",
    "missing_code",
    "offer",
    "offer_of",
    "refusal",
    "send",
    "wait_for_heir",
    "who_holds",
]

_SECONDS = 10.0
_HELLO_SECONDS = 5.0
_HEIR_SECONDS = 0.3
"""A standby tries three times in it."""
_PAUSE_SECONDS = 0.05


def offer_of(entry: Entry) -> list[Any]:
    """Return what is offered of an entry: ``[id, is_code_bound, function reference or None]``."""
    needs_function = entry.kind == "function" and entry.executor == "thread"
    reference = entry.definition.get("function") if needs_function else None
    return [entry.task_id, entry.is_code_bound, reference]


def missing_code(bindings: Bindings, offers: Iterable[list[Any]]) -> list[str]:
    """Return the ids of the offered entries whose code is not here."""
    missing = []
    for task_id, is_code_bound, reference in offers:
        if is_code_bound:
            is_known = bindings.is_bound(task_id)
        else:
            is_known = reference is None or not bindings.missing_functions([reference])
        if not is_known:
            missing.append(task_id)
    return missing


def offer(
    entries: Iterable[Entry], *, files: StateFiles, clock: Clock, hold: Callable[[], bool]
) -> bool | None:
    """Offer entries to the holder until it knows their code; False if we hold the ledger now.

    `hold` tries to take it. None: the holder only writes, and will let go. A holder that is still
    being set up is waited for: it may be about to add the same. Raises StandbyRefusedError for
    code that it lacks.
    """
    offers = [offer_of(entry) for entry in entries]
    patience = Patience(clock)
    while True:
        try:
            answer = ask(files.socket, "offer", entries=offers, timeout_seconds=_SECONDS)
        except HolderGoneError as error:
            if hold():
                return False
            patience.spend(files.socket, error)
            continue
        if answer["state"] == "running" and not answer["missing"]:
            return True
        if patience.is_over():
            if answer["state"] != "running":
                return None
            raise refusal(answer["missing"], files, answer["pid"])
        patience.wait()
        if hold():
            return False


def refusal(missing: Iterable[str], files: StateFiles, pid: int) -> StandbyRefusedError:
    """Return the error for code that the holder, process `pid`, lacks."""
    ids = ", ".join(missing)
    return StandbyRefusedError(
        "errors.standby_refused", task_ids=ids, path=str(files.database), pid=pid
    )


def send(command: Command, socket: Path) -> Any:
    """Have the holder carry out a command; return its answer.

    Raises what `ask` raises, but StoreUnavailableError where it hears nobody: what becomes of the
    command nobody knows then.
    """
    op, values = request_of(command)
    try:
        return ask(socket, op, **values)
    except HolderMuteError as error:
        raise StoreUnavailableError(
            "runtime.mute", path=str(socket), pid=error.pid or "?", state=_state_of(error.pid)
        ) from error


def knock(socket: Path) -> None:
    """Let whoever holds the ledger know that it is wanted: one that only writes lets it go."""
    with contextlib.suppress(HolderGoneError):
        ask(socket, "offer", entries=[], timeout_seconds=_SECONDS)


def wait_for_heir(clock: Clock, socket: Path, *, is_expected: bool = False) -> None:
    """Give a standby the time to succeed a holder that died, before the ledger is taken to write.

    Else whoever happens to add a thousand tasks at that moment would hold it, and nothing would
    start meanwhile. A holder that ends in order removes its socket: one where nobody answers tells
    of a death. With `is_expected` a standby has said that it wants the ledger.
    """
    patience = Patience(clock, _HEIR_SECONDS)
    while (is_expected or _is_there(socket)) and not patience.is_over():
        try:
            ask(socket, "hello", timeout_seconds=_SECONDS)
        except HolderGoneError:
            patience.wait()
        else:
            return


def _is_there(socket: Path) -> bool:
    try:
        return socket.exists()
    except OSError:
        # A folder that may not be looked into: whoever opens the ledger there says so better.
        return False


class Patience:
    """How long something is tried again, and the pause between two tries."""

    def __init__(self, clock: Clock, seconds: float = _SECONDS) -> None:
        self._clock = clock
        self._until = clock.boottime() + round(seconds * SECOND)
        self._pause = threading.Event()

    def is_over(self) -> bool:
        """Whether there is no time left for another try."""
        return self._clock.boottime() >= self._until

    def wait(self) -> None:
        """Pause before the next try."""
        self._pause.wait(_PAUSE_SECONDS)

    def spend(self, path: object, error: Exception) -> None:
        """Pause before the next try; raises StoreUnavailableError once there is no time left."""
        if self.is_over():
            raise StoreUnavailableError(
                "runtime.no_answer", path=str(path), reason=str(error)
            ) from error
        self.wait()


def who_holds(socket: Path) -> dict[str, Any] | None:
    """Ask the holder in another process what it says of itself; None where there is none."""
    try:
        answer: dict[str, Any] = ask(socket, "hello", timeout_seconds=_HELLO_SECONDS)
    except HolderMuteError as error:
        return _mute_holder(error.pid)
    except HolderGoneError:
        return None
    return answer


def _mute_holder(pid: int | None) -> dict[str, Any]:
    """Return what is known of a holder that does not answer, as it would say itself."""
    why = translate("faults.process_state", pid=pid or "?", state=_state_of(pid))
    where = str(pid or "?")
    problem = {"kind": "mute", "where": where, "why": why, "since": None}
    return {
        "pid": pid,
        "version": None,
        "state": "mute",
        "store_error": None,
        "problems": [problem],
    }


def _state_of(pid: int | None) -> str:
    """Return the letter that the system has for what a process does, ``T`` for stopped."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "?"
    return text.rpartition(")")[2].split()[0]
