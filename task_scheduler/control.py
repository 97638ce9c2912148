"""The control socket: how other processes ask the holder of a ledger for changes.

Responsible for: one JSON line a request and one an answer over a Unix socket, the plain forms of
commands, entries and errors, and who may connect (the same user, or root). What is asked reaches
the engine through a handler; nothing is decided here.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from task_scheduler import errors
from task_scheduler.actors import actor_of_peer
from task_scheduler.core.inbox import (
    AddEntries,
    BackfillRange,
    CancelRun,
    CollectLedger,
    Command,
    DeclareEntries,
    EndSilences,
    PauseEntry,
    ReleaseLedger,
    RemoveEntries,
    RequestRun,
    ResumeEntry,
    SilenceAlerts,
    TakePing,
)
from task_scheduler.core.model import Entry
from task_scheduler.core.policies import from_plain, to_plain
from task_scheduler.errors import RemoteError, StoreError, TaskSchedulerError
from task_scheduler.i18n import translate
from task_scheduler.tasks.task import check_name, check_task_id

__all__ = [
    "ControlServer",
    "HolderGoneError",
    "HolderMuteError",
    "ask",
    "command_of",
    "entry_from",
    "request_of",
]

_A = TypeVar("_A")
_T = TypeVar("_T")

_OPERATIONS: Mapping[str, type[Command]] = {
    "add": AddEntries,
    "declare": DeclareEntries,
    "remove": RemoveEntries,
    "pause": PauseEntry,
    "resume": ResumeEntry,
    "run": RequestRun,
    "cancel": CancelRun,
    "backfill": BackfillRange,
    "release": ReleaseLedger,
    "note_collection": CollectLedger,
    "silence": SilenceAlerts,
    "unsilence": EndSilences,
    "ping": TakePing,
}
_NAME_OF = {command: name for name, command in _OPERATIONS.items()}


def _is_text(value: object) -> bool:
    """Whether a value is text that can be stored, shown and written to a file."""
    return isinstance(value, str) and not any("\ud800" <= mark <= "\udfff" for mark in value)


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 62


def _is_list_of(is_one: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and all(map(is_one, value))


def _or_none(is_one: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or is_one(value)


_SHAPES: Mapping[str, Callable[[object], bool]] = {
    **dict.fromkeys(
        ("actor", "task_id", "request_id", "name", "kind", "origin", "pattern", "check_id"),
        _is_text,
    ),
    **dict.fromkeys(("start", "end", "limit", "run_id"), _is_number),
    **dict.fromkeys(("until", "resume_from", "since"), _or_none(_is_number)),
    **dict.fromkeys(
        ("is_dry_run", "keep_waiting", "is_code_bound", "is_vacuuming"),
        lambda value: isinstance(value, bool),
    ),
    **dict.fromkeys(("reason", "text"), _or_none(_is_text)),
    **dict.fromkeys(("task_ids", "archived"), _is_list_of(_is_text)),
    "entries": _is_list_of(lambda value: isinstance(value, dict)),
    "rules": _is_list_of(lambda value: isinstance(value, dict)),
    "definition": lambda value: isinstance(value, dict),
    "executor": lambda value: value in ("thread", "process"),
}
"""What the values of requests, and of the entries in them, may be."""

_MOST_BYTES = 256 * 1024 * 1024
_CHUNK_BYTES = 65_536
_LONG_PATH = 100
"""Bytes. A socket's address holds 107; a longer path is reached through its open folder."""
_CONNECT_SECONDS = 5.0
_LOOK_SECONDS = 15.0
"""How long an answer is waited for before it is asked whether the holder hears anybody at all."""
_CONNECTIONS = 64
_SPARE_SECONDS = 2.0
"""How long the one client is waited for that is heard without a thread of its own."""
_PAUSE_SECONDS = 0.2
"""Before the next try to hear somebody, where the system has no means for it."""


class HolderGoneError(Exception):
    """Nobody listens, or the holder ended before it answered: the request may be made again."""


class HolderMuteError(HolderGoneError):
    """Somebody listens, and does not answer in time; `pid` is that process, where it is known."""

    def __init__(self, pid: int | None) -> None:
        super().__init__("no answer in time")
        self.pid = pid


class ControlServer:
    """Answer requests, a thread a connection, until closed."""

    def __init__(self, path: Path, handle: Callable[[str, dict[str, Any]], Any]) -> None:
        self._path = path
        self._handle = handle
        self._seats = threading.BoundedSemaphore(_CONNECTIONS)
        self._closed = threading.Event()
        self._why = ""
        self._listener, self._inode = _bound(path)
        self._spare = _spare()
        self._thread = threading.Thread(
            target=self._listen, name="task-scheduler-control", daemon=True
        )
        self._thread.start()

    def mend(self) -> str:
        """Listen anew where the socket's file vanished; return why nobody can reach us, if so."""
        try:
            if self._path.stat().st_ino == self._inode:
                return self._why
            return translate("faults.another_socket")
        except FileNotFoundError:
            pass
        except OSError as error:
            return error.strerror or str(error)
        if self._closed.is_set():
            return ""
        try:
            before = self._listener
            self._listener, self._inode = _bound(self._path)
        except StoreError as error:
            return str(error.values["reason"])
        _end(before)
        return ""

    def close(self) -> None:
        """Stop listening and remove the socket's file."""
        self._closed.set()
        with contextlib.suppress(OSError):
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()
        _end(self._listener)
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None

    def _listen(self) -> None:
        while not self._closed.is_set():
            listener = self._listener
            try:
                connection, _ = listener.accept()
            except OSError as error:
                if self._closed.is_set() or listener is not self._listener:
                    continue
                self._why = error.strerror or str(error)
                if not self._serve_by_spare(listener):
                    # Who waits to be heard still waits when there are means for it.
                    self._closed.wait(_PAUSE_SECONDS)
                continue
            self._why = ""
            if not _is_allowed(connection) or not self._seats.acquire(blocking=False):
                connection.close()
                continue
            try:
                threading.Thread(
                    target=self._serve,
                    args=(connection,),
                    name="task-scheduler-request",
                    daemon=True,
                ).start()
            except RuntimeError as error:
                # No more threads: this one is not heard, the next may be.
                self._why = str(error)
                self._seats.release()
                connection.close()

    def _serve_by_spare(self, listener: socket.socket) -> bool:
        """Hear one client where no descriptor is left but the one kept for this; False if none."""
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None
        try:
            listener.setblocking(False)
            connection, _ = listener.accept()
        except OSError:
            return False
        else:
            connection.settimeout(_SPARE_SECONDS)
            if _is_allowed(connection) and self._seats.acquire(blocking=False):
                self._serve(connection)
            connection.close()
            return True
        finally:
            listener.setblocking(True)
            self._spare = _spare()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rwb") as stream:
                while line := stream.readline(_MOST_BYTES):
                    stream.write(self._answer(line, _peer(connection)))
                    stream.flush()
        except OSError:
            pass  # the client went away: what it asked for was done or refused all the same
        finally:
            self._seats.release()

    def _answer(self, line: bytes, peer: tuple[int | None, int | None]) -> bytes:
        try:
            request = json.loads(line)
            if request["op"] in _OPERATIONS:
                # Of a change somebody is told, whatever the other end says or leaves out.
                request["actor"] = actor_of_peer(*peer, str(request.get("actor", "")))
            answer: dict[str, Any] = {"value": self._handle(request.pop("op"), request)}
        except TaskSchedulerError as error:
            kind = type(error).__name__
            answer = {"error": {"type": kind, "key": error.key, "values": error.values}}
        except Exception as error:  # fence: request
            values = {"reason": f"{type(error).__name__}: {error}"}
            answer = {"error": {"type": "RemoteError", "key": "errors.remote", "values": values}}
        return json.dumps(answer, default=str).encode() + b"\n"


def _bound(path: Path) -> tuple[socket.socket, int]:
    """Return a socket that listens at a path, and the number of its file there."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Only the holder of the engine lock comes here: what lies there is a dead process's.
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        with _address(path) as address:
            listener.bind(address)
        path.chmod(0o600)
        listener.listen(_CONNECTIONS)
        return listener, path.stat().st_ino
    except OSError as error:
        listener.close()
        raise StoreError(
            "errors.socket_unavailable", path=str(path), reason=error.strerror or str(error)
        ) from error


def _spare() -> int | None:
    """Keep a descriptor for the moment when there is none; None where that has come."""
    try:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None


def _end(listener: socket.socket) -> None:
    # Closing alone does not wake an accept().
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def ask(path: Path, op: str, *, timeout_seconds: float | None = None, **values: Any) -> Any:
    """Ask the holder and return its answer; without a timeout wait as long as it hears anybody.

    Raises HolderGoneError where there is none (any more), of it HolderMuteError where there is one
    that does not answer in time, and the holder's own error as it was.
    """
    line = json.dumps({"op": op, **values}).encode() + b"\n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_CONNECT_SECONDS)
        try:
            with _address(path) as address:
                connection.connect(address)
            connection.settimeout(timeout_seconds or _LOOK_SECONDS)
            reply = _exchange(connection, line, None if timeout_seconds else path)
        except TimeoutError as error:
            raise HolderMuteError(_peer(connection)[0]) from error
        except OSError as error:
            raise HolderGoneError(str(error)) from error
    if not reply.endswith(b"\n"):
        raise HolderGoneError("the connection ended before the answer")
    answer = json.loads(reply)
    if "error" not in answer:
        return answer["value"]
    raise _error_from(answer["error"])


def _exchange(connection: socket.socket, line: bytes, path: Path | None) -> bytes:
    """Send a line and return the one that answers it; raises TimeoutError.

    With a path a timeout only makes it look there whether the holder still hears anybody: one that
    waits for its disk does, one that was stopped does not.
    """
    rest = memoryview(line)
    while rest:
        rest = rest[_patiently(connection.send, rest, path) :]
    reply = bytearray()
    while not reply.endswith(b"\n"):
        chunk = _patiently(connection.recv, _CHUNK_BYTES, path)
        if not chunk:
            break
        reply += chunk
    return bytes(reply)


def _patiently(call: Callable[[_A], _T], argument: _A, path: Path | None) -> _T:
    while True:
        try:
            return call(argument)
        except TimeoutError:
            if path is None or not _hears(path):
                raise


def _hears(path: Path) -> bool:
    """Whether the holder answers anybody; one that has gone breaks the connection itself."""
    try:
        ask(path, "hello", timeout_seconds=_LOOK_SECONDS)
    except HolderMuteError:
        return False
    except HolderGoneError:
        return True
    return True


def request_of(command: Command) -> tuple[str, dict[str, Any]]:
    """Return the operation and the values by which a command travels."""
    if isinstance(command, AddEntries | DeclareEntries):
        entries = [_entry_to_plain(entry) for entry in command.entries]
        values: dict[str, Any] = {"entries": entries, "actor": command.actor}
        if isinstance(command, DeclareEntries):
            # Which functions are missing is known where they would be called.
            values["archived"] = list(command.archived)
        return _NAME_OF[type(command)], values
    names = [field.name for field in fields(command) if field.name not in ("resolve", "reject")]
    values = {name: getattr(command, name) for name in names}
    return _NAME_OF[type(command)], {
        name: list(value) if isinstance(value, tuple) else value for name, value in values.items()
    }


def command_of(op: str, values: Mapping[str, Any]) -> Command:
    """Return the command that `request_of` sent; raises RemoteError for what it never sends.

    A value that only the engine found to be wrong would spoil what it does for others beside it.
    """
    if op not in _OPERATIONS:
        raise RemoteError("errors.remote", reason=f"unknown operation {op!r}")
    for name, value in values.items():
        if name not in _SHAPES or not _SHAPES[name](value):
            raise _unfit(name, value)
    if op in ("add", "declare"):
        entries = [entry_from(plain) for plain in values["entries"]]
        return _OPERATIONS[op](**{**values, "entries": entries})
    return _OPERATIONS[op](**values)


def entry_from(plain: Mapping[str, Any]) -> Entry:
    """Return the entry of its plain form; raises RemoteError where a value is of another type."""
    for name, value in plain.items():
        if name in _SHAPES and not _SHAPES[name](value):
            raise _unfit(name, value)
    check_task_id(plain["task_id"])
    check_name(plain["task_id"], plain["name"])
    values = {**plain, "rules": tuple(plain["rules"]), "policies": from_plain(plain["policies"])}
    return Entry(**values)


def _unfit(name: str, value: object) -> RemoteError:
    return RemoteError("errors.remote", reason=f"{name} cannot be {repr(value)[:200]}")


def _entry_to_plain(entry: Entry) -> dict[str, Any]:
    plain = {field.name: getattr(entry, field.name) for field in fields(entry)}
    rules = [dict(rule) for rule in entry.rules]
    return {
        **plain,
        "definition": dict(entry.definition),
        "rules": rules,
        "policies": to_plain(entry.policies),
    }


def _error_from(plain: Mapping[str, Any]) -> TaskSchedulerError:
    kind = getattr(errors, str(plain["type"]), RemoteError)
    if not (isinstance(kind, type) and issubclass(kind, TaskSchedulerError)):
        kind = RemoteError
    return kind(plain["key"], **plain["values"])


@contextlib.contextmanager
def _address(path: Path) -> Iterator[str]:
    """Give the address of a socket, however long its path is."""
    text = str(path)
    if len(os.fsencode(text)) <= _LONG_PATH:
        yield text
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _is_allowed(connection: socket.socket) -> bool:
    """Whether the other end is the same user or root; the folder's permissions say so already."""
    _, user = _peer(connection)
    return user in (None, 0, os.geteuid())


def _peer(connection: socket.socket) -> tuple[int | None, int | None]:
    """Return process and user of the other end; None where the system does not tell."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None, None
    size = struct.calcsize("3i")
    try:
        data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    except OSError:
        return None, None
    pid, user, _ = struct.unpack("3i", data)
    return pid or None, user
