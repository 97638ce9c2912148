"""`LogCleanupTask`: delete old log files of one folder.

Responsible for: which files are old, and never touching anything else: no link is followed, no
folder left, no log that this process is writing removed. Knows nothing of schedules.
"""

from __future__ import annotations

import fnmatch
import logging
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from task_scheduler.clock import SystemClock
from task_scheduler.errors import DefinitionError
from task_scheduler.i18n import translate
from task_scheduler.tasks.context import LOGGER_NAME, RunLogger, active_context
from task_scheduler.tasks.process import absolute_path
from task_scheduler.tasks.task import BaseTask

__all__ = ["Cleanup", "LogCleanupTask"]

_DAY = 86_400 * 1_000_000
_MOST_DAYS = 36_525
_NAMED = 20
"""How many undeletable files an error names."""


class _Clock(Protocol):
    def now(self) -> int: ...


@dataclass(slots=True)
class Cleanup:
    """What one cleanup did: files and bytes removed (or found, in a dry run), and failures."""

    count: int = 0
    size_bytes: int = 0
    failures: list[str] = field(default_factory=list)


class LogCleanupTask(BaseTask):
    """Delete the regular files in `log_dir` that match a pattern and are older than `days`.

    Age counts from the last change of the file. `recursive` goes into real sub-folders (links are
    never followed) and leaves the folders themselves; `dry_run` only tells. A file that cannot be
    deleted fails the run but does not stop the others. `last_cleanup` tells what the last one did.
    """

    kind: ClassVar[str] = "log_cleanup"

    def __init__(
        self,
        task_id: str,
        name: str | None = None,
        log_dir: str | os.PathLike[str] = "logs",
        *,
        days: float = 7,
        patterns: Sequence[str] = ("*.log", "*.log.*"),
        recursive: bool = False,
        dry_run: bool = False,
        clock: _Clock | None = None,
        description: str = "",
        **policies: Any,
    ) -> None:
        super().__init__(task_id, name, description=description, **policies)
        self.log_dir = absolute_path(task_id, "log_dir", log_dir)
        if not _is_age(days):
            raise DefinitionError("tasks.bad_days", task_id=task_id, value=days, high=_MOST_DAYS)
        for what, value in (("recursive", recursive), ("dry_run", dry_run)):
            if not isinstance(value, bool):
                raise DefinitionError("tasks.bad_flag", task_id=task_id, what=what, value=value)
        self.days = days
        self.patterns = _checked_patterns(task_id, patterns)
        self.recursive = recursive
        self.dry_run = dry_run
        self.last_cleanup = Cleanup()
        self._clock = clock or SystemClock()

    def execute(self) -> bool:
        """Delete what is old and return whether everything old is gone."""
        log = _logger()
        self.last_cleanup = done = Cleanup()
        folder = Path(self.log_dir)
        if not folder.exists():
            log.info(translate("tasks.cleanup_no_folder", path=self.log_dir))
            return True
        if not folder.is_dir():
            self.last_error = translate("tasks.cleanup_not_folder", path=self.log_dir)
            return False
        before = self._clock.now() - round(self.days * _DAY)
        in_use = _open_logs()
        for path, name, folder_fd in self._candidates(done):
            self._remove_if_old(path, name, folder_fd, before=before, in_use=in_use)
        sentence = "tasks.cleanup_would" if self.dry_run else "tasks.cleanup_done"
        log.info(translate(sentence, count=done.count, size=done.size_bytes, path=self.log_dir))
        if not done.failures:
            return True
        named = "; ".join(done.failures[:_NAMED])
        self.last_error = translate(
            "tasks.cleanup_failed", count=len(done.failures), failures=named
        )
        return False

    def definition(self) -> dict[str, Any] | None:
        """Return the folder and what is old in it."""
        if self.kind == "custom":
            return None
        return {
            "log_dir": self.log_dir,
            "days": self.days,
            "patterns": list(self.patterns),
            "recursive": self.recursive,
            "dry_run": self.dry_run,
        }

    def warnings(self) -> list[str]:
        """Warn of a log folder that is a file; one that is missing has nothing to clean."""
        if not Path(self.log_dir).exists() or Path(self.log_dir).is_dir():
            return []
        return [translate("tasks.cleanup_not_folder", path=self.log_dir)]

    def _candidates(self, done: Cleanup) -> Iterator[tuple[str, str, int]]:
        """Yield path, name and open folder of the files whose names match.

        Everything is reached through the open folder: nobody can swap a folder for a link to
        elsewhere between the look and the deletion.
        """

        def note(error: OSError) -> None:
            done.failures.append(f"{error.filename}: {error.strerror}")

        top = os.path.realpath(self.log_dir)
        for folder, folders, files, folder_fd in os.fwalk(top, onerror=note):
            if not self.recursive:
                folders.clear()
            for name in sorted(files):
                if any(fnmatch.fnmatchcase(name, pattern) for pattern in self.patterns):
                    yield os.path.join(folder, name), name, folder_fd  # noqa: PTH118  a plain join

    def _remove_if_old(
        self, path: str, name: str, folder_fd: int, *, before: int, in_use: frozenset[str]
    ) -> None:
        done = self.last_cleanup
        try:
            found = os.stat(name, dir_fd=folder_fd, follow_symlinks=False)
            is_old = stat.S_ISREG(found.st_mode) and found.st_mtime_ns // 1_000 < before
            if not is_old or path in in_use:
                return
            if not self.dry_run:
                os.unlink(name, dir_fd=folder_fd)
        except FileNotFoundError:
            return  # somebody else was faster
        except OSError as error:
            done.failures.append(f"{path}: {error.strerror}")
            return
        done.count += 1
        done.size_bytes += found.st_size
        _logger().debug(translate("tasks.cleanup_file", path=path, size=found.st_size))


def _logger() -> logging.Logger | RunLogger:
    context = active_context()
    return logging.getLogger(LOGGER_NAME) if context is None else context.logger


def _is_age(days: object) -> bool:
    # The comparison also refuses NaN, by which every file would be too young or too old.
    if isinstance(days, bool) or not isinstance(days, int | float):
        return False
    return 0 <= days <= _MOST_DAYS


def _checked_patterns(task_id: str, patterns: object) -> tuple[str, ...]:
    """Return patterns of file names; one with a slash would speak of another folder."""
    is_text = isinstance(patterns, str | bytes)
    if is_text or not isinstance(patterns, Sequence) or not patterns:
        raise DefinitionError("tasks.bad_patterns", task_id=task_id, value=patterns)
    for pattern in patterns:
        if not isinstance(pattern, str) or not pattern or "/" in pattern or "\0" in pattern:
            raise DefinitionError("tasks.bad_pattern", task_id=task_id, value=pattern)
    return tuple(patterns)


def _open_logs() -> frozenset[str]:
    """Return the files that this process logs to: unlinked, they would swallow what follows."""
    known = [logging.getLogger(), *logging.getLogger().manager.loggerDict.values()]
    handlers = [
        h for logger in known if isinstance(logger, logging.Logger) for h in logger.handlers
    ]
    paths = (getattr(handler, "baseFilename", None) for handler in handlers)
    return frozenset(os.path.realpath(path) for path in paths if path)
