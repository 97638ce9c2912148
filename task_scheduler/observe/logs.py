"""Where the log goes: a file that every scheduler of the process shares, stderr, other programs.

Responsible for: the handlers and the level of the logger ``TaskScheduler``, while at least one
handle is open. Its children, such as ``TaskScheduler.task``, come along, and records go on to the
root logger's handlers too. What is logged is not decided here.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from task_scheduler.core.faults import FaultKind, Trouble
from task_scheduler.observe.log_file import LogFile
from task_scheduler.observe.log_lines import JsonLines, TextLines
from task_scheduler.observe.log_shipping import Shipping, ShippingHandler

__all__ = ["LOGGER_NAME", "LogHandle", "open_logs"]

LOGGER_NAME = "TaskScheduler"

_FORMATS = {"text": TextLines, "json": JsonLines}


class LogHandle:
    """One scheduler's hold on the log; made by `open_logs`."""

    def __init__(
        self, file: LogFile, level: int, *, console: bool, shipping: Sequence[Shipping] = ()
    ) -> None:
        self.file = file
        self.level = level
        self.has_console = console
        self.shipping = tuple(shipping)

    @property
    def path(self) -> Path:
        """Where the lines go."""
        return self.file.path

    def trouble(self) -> Trouble | None:
        """Return why lines do not arrive where they should, if so; tries it again."""
        why = self.file.probe()
        if why:
            return Trouble(FaultKind.LOG_FAILED, str(self.path), why)
        for target in self.shipping:
            handler = _shippers.get(target)
            why = "" if handler is None else handler.probe()
            if handler is not None and why:
                return Trouble(FaultKind.LOG_FAILED, handler.where, why)
        return None

    def set_level(self, level: str) -> None:
        """Change the least level that is written, at once; raises ValueError for an unknown one.

        Where several schedulers of a process log, the most talkative of them decides.
        """
        wanted = _level_of(level)
        with _guard:
            self.level = wanted
            _arrange()

    def reopen(self) -> None:
        """Let go of the file and open what is at its path with the next line, as after a move."""
        self.file.reopen()

    def close(self) -> None:
        """End this hold; the last one closes the file. A second call does nothing."""
        with _guard:
            if self not in _handles:
                return
            _handles.remove(self)
            _arrange()
            if all(handle.file is not self.file for handle in _handles):
                _logger.removeHandler(self.file)
                self.file.close()


def open_logs(
    *,
    folder: Path,
    file_name: str,
    level: str = "INFO",
    max_bytes: int = 10 * 1024 * 1024,
    backup_count: int = 5,
    format: str = "text",  # noqa: A002  the word of the config
    console: bool = True,
    mask: Callable[[str], str] | None = None,
    shipping: Sequence[Shipping] = (),
) -> LogHandle:
    """Send what the logger ``TaskScheduler`` is told into ``folder/file_name``, and to stderr.

    A second handle on the same file shares it, and its options hold from then on. `format` is
    ``text`` or ``json``. With `console` lines also go to stderr, as long as the root logger has no
    handlers: a program that has set logging up sees every line through its own. `mask` takes
    secrets out of each line. `shipping` says to which other programs records go too. Raises
    ValueError for an unknown level or format; a file that cannot be written, and a program that
    does not listen, raise nothing, now or later.
    """
    number = _level_of(level)
    if format not in _FORMATS:
        raise ValueError(f"format is {format!r}; use one of {', '.join(map(repr, _FORMATS))}")
    path = _place_of(Path(folder, file_name))
    global _level_before
    with _guard:
        if not _handles:
            _level_before = _logger.level
        file = next((handle.file for handle in _handles if handle.path == path), None)
        if file is None:
            file = LogFile(path, max_bytes=max_bytes, backup_count=backup_count)
            _logger.addHandler(file)
        file.max_bytes, file.backup_count = max_bytes, backup_count
        file.setFormatter(_Masked(_FORMATS[format](), mask) if mask else _FORMATS[format]())
        if console:
            _console.setFormatter(file.formatter)
        for target in shipping:
            if target not in _shippers:
                _shippers[target] = target.handler(mask)
                _logger.addHandler(_shippers[target])
        handle = LogHandle(file, number, console=console, shipping=shipping)
        _handles.append(handle)
        _arrange()
    return handle


class _Masked(logging.Formatter):
    """Write a line as another formatter does, without the secrets in it."""

    def __init__(self, inner: logging.Formatter, mask: Callable[[str], str]) -> None:
        super().__init__()
        self._inner = inner
        self._mask = mask

    def format(self, record: logging.LogRecord) -> str:
        return self._mask(self._inner.format(record))


class _Console(logging.Handler):
    """Write to whatever stderr is at the moment, while nobody else shows the records."""

    def emit(self, record: logging.LogRecord) -> None:
        if logging.getLogger().handlers:
            return
        text = self.format(record)
        # A closed or missing stderr must not disturb the scheduler; the file has the line.
        with contextlib.suppress(AttributeError, OSError, ValueError):
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()


_guard = threading.Lock()
_handles: list[LogHandle] = []
_shippers: dict[Shipping, ShippingHandler] = {}
_logger = logging.getLogger(LOGGER_NAME)
_level_before = logging.NOTSET
"""What the program had set itself; it gets that back with the last handle."""
_console = _Console()


def _arrange() -> None:
    """Bring logger and handlers into line with the open handles."""
    _logger.setLevel(min((handle.level for handle in _handles), default=_level_before))
    for handle in _handles:
        shared = [other.level for other in _handles if other.file is handle.file]
        handle.file.setLevel(min(shared))
    for target, shipper in list(_shippers.items()):
        levels = [handle.level for handle in _handles if target in handle.shipping]
        if levels:
            shipper.setLevel(min(levels))
        else:
            del _shippers[target]
            _logger.removeHandler(shipper)
            shipper.close()
    wanted = [handle.level for handle in _handles if handle.has_console]
    if wanted:
        _console.setLevel(min(wanted))
        _logger.addHandler(_console)
    else:
        _logger.removeHandler(_console)


def _place_of(path: Path) -> Path:
    """Return where the file really is: a link to the log is kept when it is rotated."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return path.absolute()  # links in a ring: opening it will say so


def _level_of(name: str) -> int:
    levels = logging.getLevelNamesMapping()
    if name.upper() not in levels:
        raise ValueError(f"level is {name!r}; use one of {', '.join(levels)}")
    return levels[name.upper()]
