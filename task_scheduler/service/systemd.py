"""systemd, that of the machine or that of a user: where its units lie, and what it knows of one.

Responsible for: finding out, and the calls of `systemctl` that install a unit and take it away.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from task_scheduler.i18n import translate

__all__ = ["Answer", "Systemd", "UnitState", "unit_led_by", "unit_of_process", "units_for"]

_CALL_SECONDS = 10.0
_PROPERTIES = ("LoadState", "UnitFileState", "ActiveState", "Result", "MainPID", "NeedDaemonReload")
_OF_SESSION = re.compile(r"user@\d+\.service")
_RUNS_US = re.compile(r"^ExecStart=.*(?:tsk|task-scheduler|task_scheduler)\b.* up$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call of `systemctl` gave."""

    command: str
    code: int
    text: str
    """What it says to a person."""
    output: str = ""


@dataclass(frozen=True, slots=True)
class UnitState:
    """What systemd says of a unit, in its own words."""

    name: str
    path: Path
    is_of_user: bool
    enabled: str
    active: str
    result: str
    main_pid: int
    needs_reload: bool

    @property
    def systemctl(self) -> str:
        """What to type to reach the systemd that has it."""
        return "systemctl --user" if self.is_of_user else "sudo systemctl"


@dataclass(frozen=True, slots=True)
class Systemd:
    """The systemd of the machine, or of the user who asks."""

    is_of_user: bool = False
    root: Path = Path("/")

    @property
    def is_running(self) -> bool:
        """Whether this machine is run by systemd at all, as sd_booted(3) tells it."""
        return (self.root / "run/systemd/system").is_dir()

    @property
    def version(self) -> int:
        """Its number, 252 say; 0 where it does not tell."""
        found = re.match(r"systemd (\d+)", self.call("--version").output)
        return int(found[1]) if found else 0

    @property
    def folder(self) -> Path:
        """Where units lie that an administrator, or the user, adds."""
        if not self.is_of_user:
            return self.root / "etc/systemd/system"
        own = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
        return Path(own) / "systemd/user"

    def unit_path(self, name: str) -> Path:
        """Return the file of a service of this name."""
        return self.folder / f"{name}.service"

    def command(self, *words: str) -> tuple[str, ...]:
        """Return a call of `systemctl`."""
        return ("systemctl", *(("--user",) if self.is_of_user else ()), *words)

    def call(self, *words: str, seconds: float = _CALL_SECONDS) -> Answer:
        """Call `systemctl`; whatever keeps it from answering is an answer with code 127."""
        command = self.command(*words)
        shown = " ".join(command)
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=seconds,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            return Answer(shown, 127, translate("service.no_answer", seconds=seconds))
        except OSError as error:
            return Answer(shown, 127, str(error))
        text = (done.stderr or done.stdout).strip()
        return Answer(shown, done.returncode, text, done.stdout)

    def state_of(self, name: str) -> UnitState | None:
        """Return what systemd knows of a service; None where it does not answer."""
        answer = self.call("show", f"{name}.service", f"--property={','.join(_PROPERTIES)}")
        if answer.code:
            return None
        said = dict(line.partition("=")[::2] for line in answer.output.splitlines())
        return UnitState(
            name=name,
            path=self.unit_path(name),
            is_of_user=self.is_of_user,
            enabled=said.get("UnitFileState", ""),
            active=said.get("ActiveState", ""),
            result=said.get("Result", ""),
            main_pid=int(said.get("MainPID") or 0),
            needs_reload=said.get("NeedDaemonReload") == "yes",
        )


def units_for(folder: Path, *places: Systemd) -> Iterator[tuple[Systemd, str]]:
    """Give the names of the units that run the scheduler in a folder."""
    line = f"\nWorkingDirectory={str(folder).replace('%', '%%')}\n"
    for systemd in places:
        with suppress(OSError):
            for path in sorted(systemd.folder.glob("*.service")):
                with suppress(OSError, UnicodeDecodeError):
                    text = path.read_text(encoding="utf-8")
                    if line in text and _RUNS_US.search(text):
                        yield systemd, path.stem


def unit_led_by(pid: int) -> UnitState | None:
    """Return the service whose main process this is: systemd starts it again."""
    name = unit_of_process(pid)
    for systemd in (Systemd(), Systemd(is_of_user=True)) if name else ():
        state = systemd.state_of(name)
        if state is not None and state.main_pid == pid:
            return state
    return None


def unit_of_process(pid: int, proc: Path = Path("/proc")) -> str:
    """Return the service that a process is a part of; empty for one of a session, say."""
    with suppress(OSError):
        for line in (proc / str(pid) / "cgroup").read_text(encoding="utf-8").splitlines():
            *_, controllers, path = line.split(":", 2)
            if controllers in ("", "name=systemd") and (unit := _service_in(path)):
                return unit
    return ""


def _service_in(path: str) -> str:
    """Return the innermost service of a path of control groups, unless a session lies in it."""
    for part in reversed(path.split("/")):
        if part.endswith(".scope") or _OF_SESSION.fullmatch(part):
            return ""
        if part.endswith(".service"):
            return part.removesuffix(".service")
    return ""
