"""systemd timers: a timer and the service that it starts become one task.

Responsible for: systemd.timer(5) and what of systemd.service(5) and systemd.exec(5) has a
counterpart here; what has none is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from task_scheduler.errors import ScheduleError
from task_scheduler.importing.found import Found, FoundTask, Ids, Refused, Remark
from task_scheduler.importing.unit_file import (
    Settings,
    command_words,
    read_unit,
    seconds_of,
    specified,
)
from task_scheduler.schedules.rule import ScheduleRule

__all__ = ["FOLDERS", "Unit", "find_timers", "read_timer"]

FOLDERS = (
    Path("/etc/systemd/system"),
    Path("/run/systemd/system"),
    Path("/usr/local/lib/systemd/system"),
    Path("/usr/lib/systemd/system"),
    Path("/lib/systemd/system"),
)
"""Where the system's units lie; the first that has one wins."""

_LIMITS = {
    "LimitCPU": "cpu_seconds",
    "LimitAS": "memory_bytes",
    "LimitFSIZE": "file_size_bytes",
    "LimitNOFILE": "open_files",
    "LimitNPROC": "processes",
}
_UNMET = (
    "OnStartupSec", "OnClockChange", "OnTimezoneChange", "WakeSystem", "RemainAfterElapse",
)  # fmt: skip
_UNMET_OF_SERVICES = (
    "ExecStartPre", "ExecStartPost", "ExecCondition", "ExecStopPost", "ExecStop", "PrivateTmp",
    "ProtectSystem", "ProtectHome", "DynamicUser", "StandardInput", "RootDirectory",
    "CapabilityBoundingSet", "AmbientCapabilities", "ReadWritePaths", "StateDirectory",
    "IOSchedulingClass", "MemoryMax", "CPUQuota", "TasksMax", "OnFailure",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit by its name, with its settings and the file that it comes from."""

    name: str
    path: str
    settings: Settings
    is_enabled: bool = True
    """Whether something starts it at boot."""

    def last(self, section: str, key: str) -> str:
        """Return the value that counts; empty where there is none."""
        values = self.all(section, key)
        return values[-1] if values else ""

    def all(self, section: str, key: str) -> list[str]:
        """Return every value."""
        return self.settings.get(section, {}).get(key, [])


def find_timers(folders: Iterable[Path]) -> list[tuple[Unit, Unit | None]]:
    """Return the timers of these folders, each with the service that it starts if that is there."""
    places = list(folders)
    names = {path.name: None for folder in places for path in sorted(folder.glob("*.timer"))}
    wanted = {link.name for folder in places for link in folder.glob("*.wants/*.timer")}
    pairs = []
    for name in [*names, *(wanted - names.keys())]:
        # A template fires only as the instances that somebody enabled.
        timer = None if name.endswith("@.timer") else _load(name, places, wanted)
        if timer is None:
            continue
        target = timer.last("Timer", "Unit") or name.removesuffix(".timer") + ".service"
        pairs.append((timer, _load(target, places, wanted)))
    return pairs


def read_timer(timer: Unit, service: Unit | None, ids: Ids, found: Found) -> None:
    """Add what a timer starts to what was found."""
    described = timer.last("Unit", "Description")
    origin = specified(described, timer.name) or timer.name
    if service is None:
        found.refused.append(Refused(timer.path, origin, Remark("unit_missing")))
        return
    remarks: list[Remark] = []
    try:
        times = _times(timer, remarks)
        command = _command(service)
    except _UnmetError as error:
        found.refused.append(Refused(timer.path, origin, error.remark))
        return
    entry: dict[str, Any] = {
        "type": "command",
        "name": origin,
        "command": command,
        **times,
        "working_dir": service.last("Service", "WorkingDirectory").removeprefix("-") or "/",
        "env": _environment(service, remarks),
        # A timer that is due while its service runs does nothing, which is our default too.
        "overlap": "skip",
        "misfire": "run_once" if _is_true(timer.last("Timer", "Persistent")) else "skip",
        "max_retries": 0,
        **_rights(service, remarks),
    }
    unmet = [key for key in _UNMET if timer.all("Timer", key)]
    unmet += [key for key in _UNMET_OF_SERVICES if service.all("Service", key)]
    if unmet:
        remarks.append(Remark("unit_unmet", {"keys": ", ".join(unmet)}))
    if not timer.is_enabled:
        entry["enabled"] = False
        remarks.append(Remark("unit_disabled"))
    task_id = ids.of(timer.name.removesuffix(".timer"))
    found.tasks.append(
        FoundTask(task_id, entry, timer.path, origin, tuple(remarks), is_enabled=timer.is_enabled)
    )


class _UnmetError(Exception):
    """A timer that cannot be had."""

    def __init__(self, key: str, **values: Any) -> None:
        super().__init__(key)
        self.remark = Remark(key, values)


def _times(timer: Unit, remarks: list[Remark]) -> dict[str, Any]:
    """Return the keys that say when."""
    rules: list[dict[str, Any]] = []
    for text in timer.all("Timer", "OnCalendar"):
        try:
            ScheduleRule("on_calendar", on_calendar=text)
        except ScheduleError as error:
            raise _UnmetError("unit_bad_calendar", value=text, reason=str(error)) from error
        rules.append({"type": "on_calendar", "on_calendar": text})
    again = timer.last("Timer", "OnUnitActiveSec")
    after = timer.last("Timer", "OnUnitInactiveSec")
    for text, kind in ((again, "fixed_rate"), (after, "fixed_delay")):
        if not text:
            continue
        seconds = seconds_of(text)
        if not seconds:
            raise _UnmetError("unit_bad_span", value=text)
        rules.append({"type": "interval", "seconds": seconds, "kind": kind})
    first = [text for key in ("OnBootSec", "OnActiveSec") for text in timer.all("Timer", key)]
    if not rules:
        raise _UnmetError("unit_at_boot" if first else "unit_no_times")
    if first:
        remarks.append(Remark("unit_first", {"value": ", ".join(first)}))
    delay = seconds_of(timer.last("Timer", "RandomizedDelaySec") or "0")
    if delay:
        remarks.append(Remark("random_delay", {"seconds": f"{delay:g}"}))
        for rule in rules:
            rule["jitter_seconds"] = min(delay, 86_400.0)
    return {"schedule": rules}


def _command(service: Unit) -> list[str]:
    """Return the program and its arguments; of several, a shell that runs one after the other."""
    lines = []
    for line in service.all("Service", "ExecStart"):
        plain = line.lstrip("@-:+!")
        if line.startswith("@") or plain != line.lstrip("-"):
            raise _UnmetError("unit_prefix", value=line)
        text = specified(plain, service.name)
        if text is None:
            raise _UnmetError("unit_specifier", value=line)
        try:
            lines.append((command_words(text), line.startswith("-")))
        except ValueError:
            raise _UnmetError("unit_bad_command", value=line) from None
    if not lines:
        raise _UnmetError("unit_no_command", unit=service.name)
    if len(lines) == 1 and not lines[0][1] and not any("$" in word for word in lines[0][0]):
        return lines[0][0]
    steps = [_shell_step(words) + (" || true" if may_fail else "") for words, may_fail in lines]
    return ["/bin/sh", "-c", " && ".join(f"{{ {step}; }}" for step in steps)]


def _shell_step(words: list[str]) -> str:
    """Return a command for a shell: variables are filled in, nothing else is."""
    quoted = []
    for word in words:
        if word.startswith("$") and word[1:].isidentifier():
            # A variable that stands alone is split into words, as systemd does.
            quoted.append(word)
            continue
        text = word.replace("\\", "\\\\").replace('"', '\\"').replace("`", "\\`")
        text = text.replace("$$", "\\$")
        quoted.append(f'"{text}"')
    return " ".join(quoted)


def _environment(service: Unit, remarks: list[Remark]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in service.all("Service", "Environment"):
        for word in command_words(line):
            name, _, value = word.partition("=")
            found[name] = value
    files = service.all("Service", "EnvironmentFile")
    for file in files:
        path = Path(file.removeprefix("-"))
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            remarks.append(Remark("unit_environment_file", {"path": str(path)}))
            continue
        for line in text.splitlines():
            name, equals, value = line.strip().partition("=")
            if equals and not name.startswith(("#", ";")):
                found[name.strip()] = " ".join(command_words(value))
    return found


def _rights(service: Unit, remarks: list[Remark]) -> dict[str, Any]:
    """Return user, group, priority and limits."""
    rights: dict[str, Any] = {}
    for key, name in (("User", "user"), ("Group", "group"), ("UMask", "umask")):
        if value := service.last("Service", key):
            rights[name] = int(value) if value.isdigit() and name != "umask" else value
    if nice := service.last("Service", "Nice"):
        rights["nice"] = int(nice)
    if _is_true(service.last("Service", "NoNewPrivileges")):
        rights["no_new_privileges"] = True
    limits = {
        name: int(value)
        for key, name in _LIMITS.items()
        if (value := service.last("Service", key).rpartition(":")[2]).isdigit()
    }
    if limits:
        rights["limits"] = limits
    key = "TimeoutStartSec" if service.last("Service", "Type") == "oneshot" else "RuntimeMaxSec"
    text = service.last("Service", key)
    seconds = seconds_of(text) if text else None
    rights["timeout"] = seconds or 0
    if service.last("Service", "Type") in ("notify", "forking", "dbus"):
        remarks.append(Remark("unit_type", {"value": service.last("Service", "Type")}))
    return rights


def _is_true(text: str) -> bool:
    return text.lower() in ("1", "yes", "true", "on")


def _load(name: str, folders: list[Path], wanted: set[str]) -> Unit | None:
    """Return a unit with its drop-ins; None where no folder has it, or it is masked."""
    path = next((folder / name for folder in folders if (folder / name).exists()), None)
    stem, at, rest = name.partition("@")
    if path is None and at:
        template = f"{stem}@.{rest.rpartition('.')[2]}"
        path = next((f / template for f in folders if (f / template).exists()), None)
    if path is None or str(path.resolve()) == "/dev/null":
        return None
    drop_ins: Mapping[str, Path] = {
        file.name: file
        for folder in reversed(folders)
        for file in sorted((folder / f"{name}.d").glob("*.conf"))
    }
    files = [path, *(drop_ins[key] for key in sorted(drop_ins))]
    texts = [file.read_text(encoding="utf-8", errors="replace") for file in files]
    return Unit(name, str(path), read_unit(texts), is_enabled=name in wanted)
