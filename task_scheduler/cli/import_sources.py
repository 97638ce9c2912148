"""Where the schedules of others lie on this machine, for `tsk import`.

Responsible for: finding and reading them, and giving a crontab back with lines switched off.
"""

from __future__ import annotations

import importlib
import os
import pwd
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.failures import CliError
from task_scheduler.i18n import translate
from task_scheduler.importing.crontab import Account, Crontab, read_crontab, without_lines
from task_scheduler.importing.found import Found, Ids

__all__ = ["SOURCES", "Source", "read_source"]

SOURCES = ("crontab", "systemd", "apscheduler", "celery", "xxl-job")

_SYSTEM_CRONTAB = Path("/etc/crontab")
_SYSTEM_FOLDER = Path("/etc/cron.d")


@dataclass(slots=True)
class Source:
    """What was read, and the crontabs that it came from by the name of their places."""

    found: Found
    crontabs: dict[str, Path | None] = field(default_factory=dict)
    """None: the user's own, which only `crontab` may write."""

    def switch_off(self, keep_in: Path, stamp: str) -> list[Path]:
        """Comment the lines out that were found, and keep what was there before; return where."""
        kept = []
        for name, path in self.crontabs.items():
            lines = frozenset(
                task.line
                for task in self.found.tasks
                if task.line is not None and task.is_enabled and task.where == f"{name}:{task.line}"
            )
            if not lines:
                continue
            before = _own_crontab() if path is None else path.read_text(encoding="utf-8")
            copy = keep_in / f"{Path(name).name}.{stamp}"
            _write_private(copy, before)
            kept.append(copy)
            after = without_lines(before, lines)
            if path is None:
                _set_own_crontab(after)
            else:
                _replace(path, after)
        return kept


def read_source(name: str, places: tuple[str, ...], ids: Ids, *, is_system: bool) -> Source:
    """Read a source; raises CliError where it is not there or is no such thing."""
    if name == "crontab":
        return _crontabs(places, ids, is_system=is_system)
    if name == "systemd":
        return Source(_timers(places, ids))
    if len(places) != 1:
        raise CliError(
            translate("imports.one_place", source=name),
            ExitCode.USAGE,
            hint=translate("cli.next_help"),
            command="tsk import --help",
            error="E1003",
        )
    if name == "celery":
        return Source(_beat(places[0], ids))
    path = Path(places[0])
    if name == "apscheduler":
        return Source(_jobs(path, ids))
    return Source(_xxl_jobs(path, ids))


def _crontabs(places: tuple[str, ...], ids: Ids, *, is_system: bool) -> Source:
    user = pwd.getpwuid(os.geteuid())
    account = Account(user.pw_name, user.pw_dir)
    homes = {entry.pw_name: entry.pw_dir for entry in pwd.getpwall()}
    texts: dict[str, tuple[str, Path | None, bool]] = {}
    if places:
        for path in map(Path, places):
            is_one_of_all = is_system or path == _SYSTEM_CRONTAB or path.parent == _SYSTEM_FOLDER
            texts[str(path)] = (_text(path), path, is_one_of_all)
    elif is_system:
        files = sorted(_SYSTEM_FOLDER.glob("*")) if _SYSTEM_FOLDER.is_dir() else []
        for file in [_SYSTEM_CRONTAB, *files]:
            # cron itself reads no file there with a dot in its name.
            if file.is_file() and "." not in file.name:
                texts[str(file)] = (_text(file), file, True)
    else:
        texts["crontab"] = (_own_crontab(), None, False)
    source = Source(Found())
    for name, (text, place, names_users) in texts.items():
        crontab = Crontab(text, name, None if names_users else account, homes, runs_as=user.pw_name)
        found = read_crontab(crontab, ids)
        source.found.tasks += found.tasks
        source.found.refused += found.refused
        source.crontabs[name] = place
    return source


def _own_crontab() -> str:
    program = shutil.which("crontab")
    if program is None:
        raise CliError(translate("imports.no_crontab_program"), ExitCode.NOT_FOUND, error="E8001")
    done = subprocess.run([program, "-l"], capture_output=True, text=True, check=False)
    if done.returncode and "no crontab" in done.stderr:
        return ""
    if done.returncode:
        raise CliError(done.stderr.strip() or "crontab -l", ExitCode.PROBLEM, error="E8003")
    return done.stdout


def _set_own_crontab(text: str) -> None:
    program = shutil.which("crontab") or "crontab"
    done = subprocess.run([program, "-"], input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CliError(done.stderr.strip() or "crontab -", ExitCode.PROBLEM, error="E8003")


def _timers(places: tuple[str, ...], ids: Ids) -> Found:
    from task_scheduler.importing.systemd_timers import FOLDERS, find_timers, read_timer

    folders = [Path(place) for place in places] or [
        Path.home() / ".config/systemd/user",
        *FOLDERS,
    ]
    for folder in folders if places else ():
        if not folder.is_dir():
            raise CliError(
                translate("imports.no_folder", path=folder), ExitCode.NOT_FOUND, error="E8001"
            )
    found = Found()
    for timer, service in find_timers(folders):
        read_timer(timer, service, ids, found)
    return found


def _jobs(path: Path, ids: Ids) -> Found:
    from task_scheduler.importing.apscheduler_jobs import read_job_store

    place = Path(str(path).removeprefix("sqlite:").lstrip("/")) if "sqlite:" in str(path) else path
    if "sqlite:" in str(path) and not place.exists():
        place = Path("/") / place
    _text(place, is_text=False)
    try:
        return read_job_store(place, ids)
    except sqlite3.Error as error:
        sentence = translate("imports.bad_job_store", path=place, reason=error)
        raise CliError(sentence, ExitCode.INVALID, error="E8002") from error


def _beat(name: str, ids: Ids) -> Found:
    """Import an application as `celery -A` does: a module, or ``module:attribute``."""
    from task_scheduler.importing.celery_beat import read_beat_schedule

    module_name, _, attribute = name.partition(":")
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        sentence = translate("imports.bad_application", name=name, reason=error)
        raise CliError(sentence, ExitCode.NOT_FOUND, error="E8001") from error
    names = (attribute,) if attribute else ("app", "celery")
    app = next((getattr(module, each, None) for each in names if hasattr(module, each)), None)
    if getattr(getattr(app, "conf", None), "beat_schedule", None) is None:
        sentence = translate("imports.no_application", name=name, tried=", ".join(names))
        raise CliError(sentence, ExitCode.NOT_FOUND, error="E8002")
    return read_beat_schedule(app, name, ids, python=sys.executable, folder=folder)


def _xxl_jobs(path: Path, ids: Ids) -> Found:
    from task_scheduler.importing.xxl_job import XxlJobError, read_xxl_jobs

    try:
        return read_xxl_jobs(_text(path), path.name, ids)
    except XxlJobError as error:
        sentence = translate("imports.bad_xxl_job", path=path, reason=error)
        raise CliError(sentence, ExitCode.INVALID, error="E8002") from error


def _text(path: Path, *, is_text: bool = True) -> str:
    try:
        with path.open("rb") as file:
            data = file.read() if is_text else file.read(1)
    except OSError as error:
        sentence = translate("imports.unreadable", path=path, reason=error.strerror or error)
        is_gone = isinstance(error, FileNotFoundError)
        code = ExitCode.NOT_FOUND if is_gone else ExitCode.PROBLEM
        raise CliError(sentence, code, error="E8001") from error
    return data.decode("utf-8", "surrogateescape") if is_text else ""


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)


def _replace(path: Path, text: str) -> None:
    """Put a file in another's place that has its owner and rights: cron refuses others."""
    stat = path.stat()
    # cron reads no file with a dot in its name.
    fresh = path.with_name(f".{path.name}.tsk")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)
        file.flush()
        os.fchown(file.fileno(), stat.st_uid, stat.st_gid)
        os.fchmod(file.fileno(), stat.st_mode & 0o7777)
        os.fsync(file.fileno())
    fresh.replace(path)
