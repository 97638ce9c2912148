"""The unit: the file by which systemd runs the scheduler.

Responsible for: its text, from one template, for the places of an installation; and for telling a
file that somebody edited from one that stands as it was written. Reads no file but its templates.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

__all__ = [
    "DEFAULT_NAME",
    "DEPLOYED",
    "UnitPlaces",
    "is_name",
    "is_unedited",
    "signed",
    "unit_text",
]

DEFAULT_NAME = "task-scheduler"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_SIGNATURE = "# Written by tsk install-service; sha256 of what follows: "
_STATE = Path("/var/lib")
_HOMES = (Path("/home"), Path("/root"), Path("/run/user"))
"""What ProtectHome= hides."""
_PLAIN = re.compile(r"[\w@+,./:=-]+", re.ASCII)
_ESCAPED = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitPlaces:
    """What differs from one installation to the next; all paths are absolute."""

    name: str = DEFAULT_NAME
    program: Sequence[str]
    """What is to be typed instead of ``tsk``."""
    config: Path | None = None
    folder: Path
    """Of the configuration."""
    writable: Sequence[Path] = ()
    """Where else the scheduler writes: its ledger, its log."""
    readable: Sequence[Path] = ()
    """Where its program lies, wherever links lead: the package, the environment, its Python."""
    user: str = ""
    group: str = ""
    is_of_user: bool = False
    """Whether it is for a user's own systemd instead of the machine's."""
    stop_seconds: float = 30.0
    stall_seconds: float = 120.0
    """The configuration's ``stop_timeout_seconds`` and ``stall_exit_seconds``."""
    has_subgroups: bool = False
    """Whether this systemd can begin a service below the group that it hands over (254)."""


DEPLOYED = UnitPlaces(
    program=("/opt/task-scheduler/bin/tsk",),
    folder=_STATE / DEFAULT_NAME,
    user=DEFAULT_NAME,
    group=DEFAULT_NAME,
)
"""The installation of ``deploy/task-scheduler.service``, which is this unit."""


def is_name(name: str) -> bool:
    """Whether a service can be called so."""
    return _NAME.fullmatch(name) is not None and not name.endswith(".service")


def unit_text(places: UnitPlaces) -> str:
    """Return the unit for an installation."""
    command = [*places.program, *(("-c", str(places.config)) if places.config else ()), "up"]
    is_of_user = places.is_of_user
    return _template("unit").format(
        name=places.name,
        mode="--user " if is_of_user else "",
        folder=_specified(str(places.folder)),
        folder_text=_specified(str(places.folder)),
        wants="" if is_of_user else _NETWORK,
        command=" ".join(_word(word).replace("$", "$$") for word in command),
        identity="" if is_of_user else f"User={places.user}\nGroup={places.group}\n",
        groups=_GROUPS if places.has_subgroups else "" if is_of_user else _NO_GROUPS,
        sandbox="" if is_of_user else _sandbox(places),
        stop_seconds=round(places.stop_seconds + 60),
        # Later than the process itself would end: that it does tells more.
        watchdog_seconds=round(places.stall_seconds + 60) if places.stall_seconds else 0,
        target="default.target" if is_of_user else "multi-user.target",
    )


_NETWORK = """\
Wants=network-online.target time-sync.target
After=network-online.target time-sync.target"""


_GROUPS = """\
# Tasks may have control groups of their own, for limits of whole trees of processes.
Delegate=cpu memory pids
DelegateSubgroup=scheduler
"""
_NO_GROUPS = """\
# Takes limits of whole trees of processes from tasks. From systemd 254 on: ProtectControlGroups=no,
# Delegate=cpu memory pids, DelegateSubgroup=scheduler. An older one could not start the scheduler
# again while scripts are alive in groups of their own.
ProtectControlGroups=yes
"""


def signed(text: str) -> str:
    """Return a unit with a first line by which it is known again."""
    return f"{_SIGNATURE}{_digest(text)}\n{text}"


def is_unedited(text: str) -> bool:
    """Whether a file is a unit that stands as it was written."""
    first, _, rest = text.partition("\n")
    return first == f"{_SIGNATURE}{_digest(rest)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _sandbox(places: UnitPlaces) -> str:
    own = _STATE / places.name
    is_state_folder = places.folder == own
    lines = []
    if is_state_folder:
        lines += [f"StateDirectory={places.name}", "StateDirectoryMode=0700"]
    writable = [] if is_state_folder else [places.folder]
    for path in places.writable:
        if not any(path.is_relative_to(known) for known in (places.folder, *writable)):
            writable.append(path)
    if writable:
        lines.append(f"ReadWritePaths={' '.join(_word(str(path)) for path in writable)}")
    used = [Path(places.program[0]), *places.readable, places.folder, *writable]
    is_at_home = any(path.is_relative_to(home) for path in used for home in _HOMES)
    # What is hidden could not be started from, or worked in.
    home = "ProtectHome=read-only" if is_at_home else "ProtectHome=yes"
    return _template("sandbox").format(writable="\n".join(lines), home=f"{home}\n")


def _word(text: str) -> str:
    """Return a text as one word of a unit."""
    specified = _specified(text)
    if _PLAIN.fullmatch(text):
        return specified
    return '"' + "".join(_ESCAPED.get(letter, letter) for letter in specified) + '"'


def _specified(text: str) -> str:
    """Return a text in which systemd finds no specifier."""
    return text.replace("%", "%%")


def _template(name: str) -> str:
    folder = resources.files(__package__)
    return (folder / f"{name}.template").read_text(encoding="utf-8")
