"""Crontabs: of users (`crontab -l`) and of the system (`/etc/crontab`, `/etc/cron.d/*`).

Responsible for: the format of Vixie cron as Debian has it (crontab(5)), with what cronie adds
(`CRON_TZ`, `RANDOM_DELAY`): assignments, five fields or an alias, the user of a system crontab,
`%` as the end of the command and the lines of its input, and lines that somebody commented out.
A command goes to the shell that cron would give it to, in cron's own environment.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from task_scheduler.errors import ScheduleError
from task_scheduler.importing.found import (
    Found,
    FoundTask,
    Ids,
    Refused,
    Remark,
    as_strict_as_cron,
)
from task_scheduler.schedules.rule import ScheduleRule

__all__ = ["Account", "Crontab", "read_crontab", "without_lines"]

_ALIASES = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_ASSIGNMENT = re.compile(r"""^\s*(?P<name>"[^"]*"|'[^']*'|[A-Za-z_]\w*)\s*=\s*(?P<value>.*?)\s*$""")
_FIELD = r"[-0-9A-Za-z*,/~]+"
_JOB = re.compile(
    rf"^\s*(?P<times>@[a-z]+|{_FIELD}\s+{_FIELD}\s+{_FIELD}\s+{_FIELD}\s+{_FIELD})\s+(?P<rest>\S.*)$"
)
_TIME_FIELD = re.compile(r"^[*\d]")
_OFF = "#"
_HELD = "#held-by-tsk "
_SPECIAL = set("|&;<>()$`\\\"'*?[]#~=%{}\n!")
"""What a shell reads as more than a word."""
_PATH = "/usr/bin:/bin"
"""What cron gives to commands."""


@dataclass(frozen=True, slots=True)
class Account:
    """Whose crontab it is."""

    name: str
    home: str


@dataclass(frozen=True, slots=True)
class Crontab:
    """A crontab to be read."""

    text: str
    path: str
    """How its places are named."""
    account: Account | None = None
    """Its user; None: a system crontab, each line of which names one."""
    homes: Mapping[str, str] = field(default_factory=dict)
    """The home folders of the users that a system crontab may name."""
    runs_as: str = ""
    """The user as whom our scheduler runs: for others a task needs `user`."""


def read_crontab(crontab: Crontab, ids: Ids) -> Found:
    """Return what a crontab starts, and what of it cannot be had."""
    found = Found()
    variables: dict[str, str] = {}
    comment = ""
    for number, line in enumerate(crontab.text.splitlines(), 1):
        stripped = line.strip()
        if not stripped:
            comment = ""
            continue
        if stripped.startswith(_OFF):
            uncommented = stripped.removeprefix(_HELD).lstrip("# \t")
            is_job = _is_job(uncommented, crontab)
            if not is_job:
                comment = uncommented
                continue
            job = _Job(uncommented, number, comment, is_enabled=False)
        elif (assignment := _ASSIGNMENT.match(line)) and not _JOB.match(line):
            name, value = (_unquoted(assignment[part]) for part in ("name", "value"))
            variables[name] = value
            continue
        else:
            job = _Job(stripped, number, comment, is_enabled=True)
        comment = ""
        made = _task_of(job, crontab, dict(variables), ids)
        if isinstance(made, FoundTask):
            found.tasks.append(made)
        elif made is not None:
            found.refused.append(made)
    return found


def without_lines(text: str, numbers: frozenset[int]) -> str:
    """Return a crontab in which these lines are comments that an import still reads."""
    lines = text.splitlines(keepends=True)
    return "".join(
        _HELD + line if number in numbers and not line.lstrip().startswith(_OFF) else line
        for number, line in enumerate(lines, 1)
    )


@dataclass(frozen=True, slots=True)
class _Job:
    text: str
    number: int
    comment: str
    is_enabled: bool


def _is_job(text: str, crontab: Crontab) -> bool:
    """Whether a comment is a line that was switched off, and not a sentence that looks like one."""
    match = _JOB.match(text)
    if match is None:
        return False
    times = match["times"]
    if times.startswith("@"):
        return times in (*_ALIASES, "@reboot")
    parts = times.split()
    has_figures = all(_TIME_FIELD.match(part) for part in parts[:3])
    words = match["rest"].split()
    return has_figures and len(words) > (crontab.account is None) and _problem(times) is None


def _task_of(
    job: _Job, crontab: Crontab, variables: dict[str, str], ids: Ids
) -> FoundTask | Refused | None:
    where = f"{crontab.path}:{job.number}"
    match = _JOB.match(job.text)
    if match is None:
        return Refused(where, job.text, Remark("cron_not_a_job"))
    times, rest = match["times"], match["rest"]
    account = crontab.account
    if account is None:
        name, *words = rest.split(None, 1)
        if not words:
            return Refused(where, job.text, Remark("cron_no_command"))
        rest = words[0]
        account = Account(name, crontab.homes.get(name, f"/home/{name}"))
    if times == "@reboot":
        return Refused(where, job.text, Remark("cron_reboot")) if job.is_enabled else None
    if times.startswith("@") and times not in _ALIASES:
        return Refused(where, job.text, Remark("cron_unknown_alias", {"alias": times}))
    expression = times if times.startswith("@") else " ".join(times.split())
    problem = _problem(expression)
    if problem is not None:
        return Refused(where, job.text, Remark("cron_bad_times", {"reason": problem}))
    remarks: list[Remark] = []
    entry: dict[str, Any] = {
        "type": "command",
        **_command(rest, variables, remarks),
        "cron": expression,
        **_modifiers(variables, remarks),
        "working_dir": variables.get("HOME", account.home),
        "env": _environment(variables, account),
        **as_strict_as_cron(),
    }
    if job.comment:
        entry["description"] = job.comment
    if account.name != crontab.runs_as and crontab.runs_as:
        entry["user"] = account.name
    if variables.get("MAILTO"):
        remarks.append(Remark("cron_mail", {"address": variables["MAILTO"]}))
    if not job.is_enabled:
        entry["enabled"] = False
    return FoundTask(
        ids.of(_name_of(rest)),
        entry,
        where,
        job.text,
        tuple(remarks),
        line=job.number,
        is_enabled=job.is_enabled,
    )


def _problem(expression: str) -> str | None:
    """Return what our rules say against the times of a line."""
    try:
        ScheduleRule("cron", cron=expression)
    except ScheduleError as error:
        return str(error)
    return None


def _modifiers(variables: Mapping[str, str], remarks: list[Remark]) -> dict[str, Any]:
    modifiers: dict[str, Any] = {}
    zone = variables.get("CRON_TZ")
    if zone:
        modifiers["timezone"] = zone
    delay = variables.get("RANDOM_DELAY", "")
    if delay.isdigit() and int(delay):
        modifiers["jitter_seconds"] = 60 * int(delay)
        remarks.append(Remark("random_delay", {"seconds": 60 * int(delay)}))
    return modifiers


def _environment(variables: Mapping[str, str], account: Account) -> dict[str, str]:
    """Return what cron sets for a command, and what its crontab does."""
    given = {name: value for name, value in variables.items() if name not in _FOR_CRON_ITSELF}
    return {
        "SHELL": "/bin/sh",
        "PATH": _PATH,
        "HOME": account.home,
        **given,
        "LOGNAME": account.name,
        "USER": account.name,
    }


_FOR_CRON_ITSELF = ("CRON_TZ", "MAILTO", "MAILFROM", "RANDOM_DELAY", "CONTENT_TYPE")


def _command(rest: str, variables: Mapping[str, str], remarks: list[Remark]) -> dict[str, Any]:
    """Return the command of a line: its words, or the shell that reads it."""
    command, *inputs = _split_at_percents(rest)
    shell = variables.get("SHELL", "/bin/sh")
    if inputs:
        remarks.append(Remark("cron_input", {"lines": len(inputs)}))
        text = "\n".join(inputs)
        # What it reads is a here-document, whose end no line of it may be.
        end = "TSK_INPUT"
        while end in text:
            end += "_"
        return {"command": [shell, "-c", f"{{ {command}\n}} <<'{end}'\n{text}\n{end}\n"]}
    if _SPECIAL.isdisjoint(command):
        words = shlex.split(command)
        # A builtin, or an assignment before the command, only a shell understands.
        if words and words[0] not in _BUILTINS:
            return {"command": words}
    return {"command": [shell, "-c", command]}


_BUILTINS = frozenset((
    ".", ":", "case", "cd", "command", "eval", "exec", "exit", "export", "for", "if", "read", "set",
    "source", "test", "time", "trap", "type", "ulimit", "umask", "unset", "wait", "while",
))  # fmt: skip


def _split_at_percents(text: str) -> list[str]:
    r"""Return the command and the lines of its input; ``\%`` is a percent sign."""
    parts = re.split(r"(?<!\\)%", text)
    return [part.replace(r"\%", "%") for part in parts]


def _name_of(rest: str) -> str:
    """Return what people would call a command: its script, or its program."""
    command = _split_at_percents(rest)[0]
    words = re.split(r"[\s;|&<>()]+", command.strip())
    words = [word.strip("\"'") for word in words if word and "=" not in word.split("/")[0]]
    # Where it goes first says nothing of what it does there.
    words = [word for before, word in zip(["", *words], words, strict=False) if before != "cd"]
    for word in words:
        name = PurePosixPath(word).name
        if re.fullmatch(r"[\w.-]+\.(sh|py|pl|rb|php|js|bash)", name):
            return PurePosixPath(name).stem
    wrappers = {"cd", "nice", "ionice", "flock", "timeout", "env", "sudo", "test", "[", "/bin/sh"}
    for word in words:
        name = PurePosixPath(word).name
        if name and name not in wrappers and not name.startswith("-") and name[0].isalpha():
            return name
    return "cron"


def _unquoted(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return text
