"""Log records on their way to the journal or to a syslog, one datagram each.

Responsible for: those protocols, and for never waiting. Whoever listens there may be stopped, gone
or slow: the record is then missing there, which is told once it works again, and the scheduler none
the worse. The log file has every record in any case.

Protocols: systemd's native journal protocol, RFC 3164 as the C library writes it to ``/dev/log``,
and RFC 5424.
"""

from __future__ import annotations

import array
import contextlib
import errno
import logging
import os
import socket
import struct
from abc import abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from task_scheduler.i18n import translate
from task_scheduler.observe.log_lines import (
    CONTINUATION,
    EXTRAS,
    details_of,
    message_of,
    neutralised,
    run_of,
)

__all__ = [
    "FACILITIES",
    "JOURNAL",
    "JournalHandler",
    "Shipping",
    "ShippingHandler",
    "SyslogHandler",
]

JOURNAL = "/run/systemd/journal/socket"
FACILITIES = {"user": 1, "daemon": 3, "cron": 9, **{f"local{n}": 16 + n for n in range(8)}}
"""By name, their numbers in RFC 5424."""

_IDENTIFIER = "task-scheduler"
_LONGEST = 8_000
"""Bytes of a syslog message: rsyslog and syslog-ng take some 8,192 unless told otherwise."""
_SEVERITIES = (
    (logging.CRITICAL, 2),
    (logging.ERROR, 3),
    (logging.WARNING, 4),
    (logging.INFO, 6),
)
_DEBUG = 7
_DATA_ID = "taskScheduler@32473"
"""Names our structured data; the number is the one for whoever has none of his own."""
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_formatter = logging.Formatter()


class Shipping(NamedTuple):
    """Where records go beside the file; without a facility to the journal."""

    place: str | tuple[str, int] = JOURNAL
    facility: str | None = None
    form: str | None = None

    def handler(self, mask: Callable[[str], str] | None = None) -> ShippingHandler:
        """Return what sends them there."""
        if self.facility is not None:
            return SyslogHandler(self.place, facility=self.facility, form=self.form, mask=mask)
        assert isinstance(self.place, str)
        return JournalHandler(self.place, mask=mask)


class ShippingHandler(logging.Handler):
    """Send each record as one datagram to a path, or to a host and a port over UDP."""

    def __init__(
        self, place: str | tuple[str, int], *, mask: Callable[[str], str] | None = None
    ) -> None:
        super().__init__()
        self.place = place
        self.mask = mask or str
        self.trouble = ""
        """Why the last record could not be sent; empty where it was."""
        self._missing = 0
        self._socket: socket.socket | None = None
        self._is_closed = False
        self._connect()

    @property
    def where(self) -> str:
        """The place as it is shown."""
        return self.place if isinstance(self.place, str) else "udp://{}:{}".format(*self.place)

    @abstractmethod
    def datagram(self, record: logging.LogRecord) -> bytes:
        """Return a record as it is sent."""

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record; raises nothing and waits for nobody."""
        if self._is_closed:
            return
        try:
            if self._missing:
                self._send(self.datagram(_note_of(record, self._missing)))
                self._missing = 0
            self._send(self.datagram(record))
        except OSError as error:
            self._missing += 1
            self.trouble = error.strerror or str(error)
        else:
            self.trouble = ""

    def probe(self) -> str:
        """Try again to reach a place that could not be; return why it still cannot, if so."""
        if not self.trouble:
            return ""
        # Before the lock, for which everybody waits who logs: to look a name up may take long.
        made, why = _tried(self.place)
        self.acquire()
        try:
            if self._is_closed:
                if made is not None:
                    made.close()
                return ""
            self._take_up(made, why)
        finally:
            self.release()
        return why

    def close(self) -> None:
        """Send nothing more."""
        self.acquire()
        try:
            self._is_closed = True
            self._let_go()
        finally:
            self.release()
        super().close()

    def _send(self, data: bytes) -> None:
        # A name is not looked up here, which may take long: `probe` does that.
        is_near = isinstance(self.place, str)
        if self._socket is None and is_near:
            self._connect()
        if self._socket is None:
            raise OSError(errno.ENOTCONN, self.trouble or os.strerror(errno.ENOTCONN))
        try:
            self._send_once(data)
        except ConnectionError:
            # Whoever listens was started anew. (Over UDP this tells of an earlier record.)
            if is_near:
                self._connect()
            if self._socket is None:
                raise
            self._send_once(data)

    def _send_once(self, data: bytes) -> None:
        assert self._socket is not None
        self._socket.send(data)

    def _connect(self) -> None:
        self._take_up(*_tried(self.place))

    def _take_up(self, made: socket.socket | None, why: str) -> None:
        self._let_go()
        self._socket, self.trouble = made, why

    def _let_go(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None


class JournalHandler(ShippingHandler):
    """Send records to systemd's journal, with fields by which they can be found.

    ``journalctl TASK_ID=upload RUN_ID=17`` finds those of a run.
    """

    def __init__(self, place: str = JOURNAL, *, mask: Callable[[str], str] | None = None) -> None:
        super().__init__(place, mask=mask)

    def datagram(self, record: logging.LogRecord) -> bytes:
        """Return a record as fields of the journal."""
        lines = [neutralised(message_of(record) + run_of(record))]
        lines += [CONTINUATION + neutralised(line) for line in details_of(_formatter, record)]
        fields = {
            "MESSAGE": "\n".join(lines),
            "PRIORITY": _severity(record),
            "SYSLOG_IDENTIFIER": _IDENTIFIER,
            "LOGGER": record.name,
            "LEVEL": record.levelname,
            "CODE_FILE": record.pathname,
            "CODE_LINE": record.lineno,
            "CODE_FUNC": record.funcName,
            **{name.upper(): value for name, value in _extras_of(record).items()},
        }
        return b"".join(_field(name, self.mask(str(value))) for name, value in fields.items())

    def _send_once(self, data: bytes) -> None:
        try:
            super()._send_once(data)
        except OSError as error:
            if error.errno not in (errno.EMSGSIZE, errno.ENOBUFS) or not hasattr(
                os, "memfd_create"
            ):
                raise
            self._send_as_file(data)

    def _send_as_file(self, data: bytes) -> None:
        """Send what is too long for a datagram in memory that is handed over."""
        import fcntl

        assert self._socket is not None
        descriptor = os.memfd_create("task-scheduler-log", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            with open(descriptor, "wb", closefd=False) as file:
                file.write(data)
            seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals | fcntl.F_SEAL_SEAL)
            held = array.array("i", [descriptor])
            self._socket.sendmsg([], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, held)])
        finally:
            os.close(descriptor)


class SyslogHandler(ShippingHandler):
    """Send records to a syslog, in one line each."""

    def __init__(
        self,
        place: str | tuple[str, int] = "/dev/log",
        *,
        facility: str = "daemon",
        form: str | None = None,
        mask: Callable[[str], str] | None = None,
    ) -> None:
        super().__init__(place, mask=mask)
        self._facility = FACILITIES[facility]
        self._is_new = (form or ("rfc3164" if isinstance(place, str) else "rfc5424")) == "rfc5424"
        self._host = socket.gethostname() or "-"

    def datagram(self, record: logging.LogRecord) -> bytes:
        """Return a record as a syslog message."""
        lines = [message_of(record) + run_of(record), *details_of(_formatter, record)]
        message = self.mask(neutralised("\n".join(lines)))
        priority = self._facility * 8 + _severity(record)
        head = self._new_head(record) if self._is_new else _old_head(record)
        return _shortened(f"<{priority}>{head}{message}".encode("utf-8", "backslashreplace"))

    def _new_head(self, record: logging.LogRecord) -> str:
        moment = _moment(record).isoformat(timespec="microseconds")
        extras = _extras_of(record)
        action = str(extras.pop("action", "-"))
        values = "".join(
            f' {name}="{_quoted(self.mask(neutralised(str(value))))}"'
            for name, value in extras.items()
        )
        data = f"[{_DATA_ID}{values}]" if values else "-"
        return f"1 {moment} {self._host} {_IDENTIFIER} {os.getpid()} {action} {data} "


def _old_head(record: logging.LogRecord) -> str:
    moment = _moment(record)
    day = f"{_MONTHS[moment.month - 1]} {moment.day:2} {moment:%H:%M:%S}"
    return f"{day} {_IDENTIFIER}[{os.getpid()}]: "


def _moment(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC).astimezone()


def _severity(record: logging.LogRecord) -> int:
    return next((number for level, number in _SEVERITIES if record.levelno >= level), _DEBUG)


def _extras_of(record: logging.LogRecord) -> dict[str, str | int]:
    found = {name: getattr(record, name, None) for name in EXTRAS}
    return {
        name: value if isinstance(value, str | int) else type(value).__name__
        for name, value in found.items()
        if value is not None
    }


def _field(name: str, value: str) -> bytes:
    data = value.encode("utf-8", "backslashreplace")
    if b"\n" not in data:
        return b"%s=%s\n" % (name.encode(), data)
    return b"%s\n%s%s\n" % (name.encode(), struct.pack("<Q", len(data)), data)


def _quoted(value: str) -> str:
    for mark in ("\\", '"', "]"):
        value = value.replace(mark, f"\\{mark}")
    return value


def _shortened(data: bytes) -> bytes:
    if len(data) <= _LONGEST:
        return data
    return data[: _LONGEST - 3].decode("utf-8", "ignore").encode() + "…".encode()


def _note_of(record: logging.LogRecord, missing: int) -> logging.LogRecord:
    """Return the record that tells, before this one, how many are missing."""
    note = logging.makeLogRecord(record.__dict__)
    note.levelno, note.levelname = logging.WARNING, logging.getLevelName(logging.WARNING)
    note.msg = translate("logs.lines_lost", count=missing)
    note.args = note.exc_info = note.exc_text = note.stack_info = None
    for name in EXTRAS:
        note.__dict__.pop(name, None)
    return note


def _tried(place: str | tuple[str, int]) -> tuple[socket.socket | None, str]:
    """Return a socket that sends there, or None and why there is none."""
    try:
        return _connected(place), ""
    except (OSError, UnicodeError) as error:  # the latter of a name that can be none
        return None, getattr(error, "strerror", None) or str(error)


def _connected(place: str | tuple[str, int]) -> socket.socket:
    """Return a socket that sends there and never waits; raises OSError."""
    if isinstance(place, str):
        made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        address: str | tuple[object, ...] = place
    else:
        family, kind, protocol, _, address = socket.getaddrinfo(*place, type=socket.SOCK_DGRAM)[0]
        made = socket.socket(family, kind, protocol)
    try:
        made.setblocking(False)
        made.connect(address)
    except OSError:
        made.close()
        raise
    with contextlib.suppress(OSError):
        # Room for a burst while whoever listens is busy.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 * 1024 * 1024)
    return made
