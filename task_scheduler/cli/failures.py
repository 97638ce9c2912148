"""Failures as a person sees them: what, where, why, and what to type next.

Responsible for: the text of an error on stderr, the same as JSON on stdout where JSON was asked
for, and the traceback of those who asked for it.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Sequence

import click

from task_scheduler.cli.display_width import showable
from task_scheduler.cli.exit_codes import ExitCode, code_of, is_denied
from task_scheduler.cli.parameters import did_you_mean
from task_scheduler.cli.session import Session
from task_scheduler.errors import (
    ConfigError,
    StoreDamagedError,
    TaskNotFoundError,
    TaskSchedulerError,
)
from task_scheduler.i18n import translate

__all__ = ["CliError", "report", "report_usage"]

_NEXT = {
    ExitCode.NOT_FOUND: ("cli.next_list", "tsk ls"),
    ExitCode.UNREACHABLE: ("cli.next_start", "tsk up"),
    ExitCode.INVALID: ("cli.next_check", "tsk check"),
    ExitCode.CONFLICT: ("cli.next_status", "tsk status"),
}


class CliError(Exception):
    """A failure that the command line itself found, with its code and its remedy."""

    def __init__(self, sentence: str, code: ExitCode, *, hint: str = "", command: str = "") -> None:
        super().__init__(sentence)
        self.code = code
        self.hint = hint
        self.command = command


def report(error: Exception, session: Session) -> ExitCode:
    """Show an error and return its exit code."""
    if isinstance(error, CliError):
        code, sentence = error.code, str(error)
        hint, command = error.hint, error.command
    elif isinstance(error, TaskNotFoundError) and _is_declared(error, session):
        code, sentence = ExitCode.NOT_FOUND, _declared_sentence(error, session)
        hint, command = translate("cli.next_start"), "tsk up"
    else:
        code, sentence = code_of(error), _sentence(error)
        # Most sentences of the catalogue end with what to type: once is enough.
        is_told = "tsk " in sentence or _is_whole(error)
        key, command = ("", "") if is_told else _next_of(error, code)
        hint = translate(key) if key else ""
    _show(sentence, session, hint=hint, command=command)
    if session.is_json or session.is_jsonl:
        key = error.key if isinstance(error, TaskSchedulerError) else type(error).__name__
        details = {"exit_code": int(code), "key": key, "message": sentence, "next": command or None}
        session.document("error", {"error": details})
    if session.verbosity == 1:
        print(_chain(error), file=sys.stderr)
    if session.verbosity >= 2:
        traceback.print_exception(error, file=sys.stderr)
    return code


def report_usage(error: click.UsageError, arguments: Sequence[str] = ()) -> ExitCode:
    """Show what is wrong with the command line itself, with options named as they were typed."""
    path = error.ctx.command_path if error.ctx is not None else "tsk"
    _show(
        _usage_sentence(error, arguments),
        None,
        hint=translate("cli.next_help"),
        command=f"{path} --help",
    )
    return ExitCode.USAGE


def _sentence(error: Exception) -> str:
    if isinstance(error, TaskSchedulerError):
        reason = _reason_of_system(error)
        return translate(error.key, **{**error.values, "reason": reason}) if reason else str(error)
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror or error}"
    return translate("cli.unexpected", error=f"{type(error).__name__}: {error}")


def _next_of(error: Exception, code: ExitCode) -> tuple[str, str]:
    """Return the hint and the command that help with most errors of this code."""
    if isinstance(error, StoreDamagedError):
        return _NEXT[ExitCode.CONFLICT]
    if isinstance(error, FileNotFoundError):
        # A file that was named: no list of tasks tells where it is.
        return ("", "")
    return _NEXT.get(code, ("", ""))


def _is_whole(error: Exception) -> bool:
    """Whether an error of the configuration leaves nothing that another command could add."""
    return isinstance(error, ConfigError) and (
        "problems" in error.values or error.key == "config.missing_file"
    )


def _is_declared(error: TaskNotFoundError, session: Session) -> bool:
    return error.values.get("task_id") in session.declared_ids()


def _declared_sentence(error: TaskNotFoundError, session: Session) -> str:
    task_id, path = error.values["task_id"], session.shown_config()
    return translate("cli.declared_only", task_id=task_id, path=path)


def _reason_of_system(error: TaskSchedulerError) -> str:
    """Return why the system refused a ledger, without its number and the path once more."""
    cause = error.__cause__
    if isinstance(cause, OSError) and cause.strerror and "reason" in error.values:
        return cause.strerror
    return os.strerror(errno.EACCES) if is_denied(error) else ""


def _chain(error: BaseException) -> str:
    """Return the kinds of an error and of what caused it, the first cause last."""
    kinds = []
    cause: BaseException | None = error
    while cause is not None:
        key = f" {cause.key}" if isinstance(cause, TaskSchedulerError) else f" {cause}"
        kinds.append(f"{type(cause).__name__}{showable(key)}")
        cause = cause.__cause__
    return "  " + "\n  <- ".join(kinds)


def _show(sentence: str, session: Session | None, *, hint: str, command: str) -> None:
    is_coloured = session is not None and session.has_colour and sys.stderr.isatty()
    head = translate("cli.error")
    head = f"\x1b[31m{head}\x1b[0m" if is_coloured else head
    # Its own line breaks lay an error out; nothing else in it may reach the terminal as it is.
    shown = "\n".join(showable(line) for line in sentence.splitlines())
    print(f"{head}{shown}", file=sys.stderr)
    if hint:
        print(translate("cli.hint", text=hint, command=command), file=sys.stderr)


def _usage_sentence(error: click.UsageError, arguments: Sequence[str]) -> str:
    known: list[str] = []
    if error.ctx is not None:
        for parameter in error.ctx.command.get_params(error.ctx):
            if isinstance(parameter, click.Option):
                known += [*parameter.opts, *parameter.secondary_opts]
    match error:
        case click.NoSuchOption():
            hint = did_you_mean(error.option_name, known)
            return translate("cli.no_such_option", name=error.option_name, hint=hint)
        case click.MissingParameter():
            return translate("cli.missing_argument", name=_name_of(error, arguments))
        case click.BadParameter():
            return translate(
                "cli.bad_value", name=_name_of(error, arguments), problem=error.message
            )
        case click.BadOptionUsage():
            return translate("cli.bad_option_usage", name=error.option_name)
        case _:
            return error.message


def _name_of(error: click.BadParameter, arguments: Sequence[str]) -> str:
    if error.param is None:
        return ""
    if isinstance(error.param, click.Option):
        return _as_typed(error.param.opts, arguments)
    return error.param.make_metavar(error.ctx) if error.ctx is not None else str(error.param.name)


def _as_typed(names: Sequence[str], arguments: Sequence[str]) -> str:
    """Return the name of an option that stands on the command line: ``-n``, ``-n5``, ``--last=5``.

    The last of its names where none does.
    """
    for argument in arguments:
        for name in names:
            is_short = not name.startswith("--")
            if argument == name or argument.startswith(name if is_short else f"{name}="):
                return name
    return names[-1]
