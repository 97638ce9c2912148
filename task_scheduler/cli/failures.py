"""Failures as a person sees them: their code, what, where, why, and what to type next.

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
from task_scheduler.cli.talk import hint_lines, talk_lines
from task_scheduler.core.hints import nearest_hint
from task_scheduler.error_codes import code_for
from task_scheduler.errors import ConfigError, TaskNotFoundError, TaskSchedulerError
from task_scheduler.i18n import translate

__all__ = ["CliError", "MistypedError", "report", "report_usage"]

_NEXT = {
    # By the code of the error, or the beginning of it.
    "E2": ("cli.next_check", "tsk check"),
    "E3001": ("cli.next_list", "tsk ls"),
    "E3004": ("cli.next_known", "tsk runs"),
    "E3005": ("cli.next_known", "tsk runs"),
    "E4": ("cli.next_start", "tsk up"),
    "E4006": ("cli.next_status", "tsk status"),
    "E5": ("cli.next_status", "tsk status"),
    "E7002": ("cli.next_known", "tsk alerts"),
}
"""What helps with most errors of a code: why, and what to type."""


class CliError(Exception):
    """A failure that the command line itself found, with its remedy.

    `code` is how the command ends, `error` the stable code of the error (`error_codes`).
    """

    def __init__(
        self,
        sentence: str,
        code: ExitCode,
        *,
        hint: str = "",
        command: str = "",
        error: str,
    ) -> None:
        super().__init__(sentence)
        self.code = code
        self.hint = hint
        self.command = command
        self.error = error


class MistypedError(click.UsageError):
    """A word of the command line that is wrong, with the code of its error."""

    def __init__(self, sentence: str, ctx: click.Context | None = None, *, error: str) -> None:
        super().__init__(sentence, ctx)
        self.error = error


def report(error: Exception, session: Session) -> ExitCode:
    """Show an error and return its exit code."""
    named = _named(error)
    if isinstance(error, TaskNotFoundError):
        error = _with_declared(error, session)
    if isinstance(error, CliError):
        code, sentence = error.code, str(error)
        hint, command = error.hint, error.command
    elif isinstance(error, TaskNotFoundError) and _is_declared(error, session):
        code, sentence, named = ExitCode.NOT_FOUND, _declared_sentence(error, session), "E3003"
        hint, command = translate("cli.next_start"), "tsk up"
    else:
        code, sentence = code_of(error), _sentence(error)
        hint, command = ("", "") if _is_whole(error) else _next_of(named)
        # Most sentences of the catalogue end with what to type: once is enough.
        hint = "" if "tsk " in sentence else hint
    if not command and "tsk " not in sentence and not _is_whole(error):
        hint, command = translate("cli.next_code"), f"tsk help {named}"
    _show(sentence, session, named=named, hint=hint, command=command)
    if session.is_json or session.is_jsonl:
        key = error.key if isinstance(error, TaskSchedulerError) else type(error).__name__
        _put_document(session, code, named, key=key, message=sentence, command=command)
    if session.verbosity == 1:
        print(_chain(error), file=sys.stderr)
    if session.verbosity >= 2:
        traceback.print_exception(error, file=sys.stderr)
    return code


def report_usage(
    error: click.UsageError, session: Session, arguments: Sequence[str] = ()
) -> ExitCode:
    """Show what is wrong with the command line itself, with options named as they were typed."""
    named = error.error if isinstance(error, MistypedError) else code_for(error)
    path = error.ctx.command_path if error.ctx is not None else "tsk"
    sentence, command = _usage_sentence(error, arguments), f"{path} --help"
    _show(sentence, session, named=named, hint=translate("cli.next_help"), command=command)
    # What stands behind the mistake was not read: a program asked for JSON all the same.
    session.is_json |= "--json" in arguments
    session.is_jsonl |= "--jsonl" in arguments
    if session.is_json or session.is_jsonl:
        key = type(error).__name__
        _put_document(session, ExitCode.USAGE, named, key=key, message=sentence, command=command)
    return ExitCode.USAGE


def _named(error: Exception) -> str:
    """Return the code of an error."""
    if isinstance(error, CliError):
        return error.error
    return "E9004" if is_denied(error) else code_for(error)


def _put_document(
    session: Session, code: ExitCode, named: str, *, key: str, message: str, command: str
) -> None:
    details = {
        "exit_code": int(code),
        "code": named,
        "key": key,
        "message": message,
        "next": command or None,
    }
    if session.is_jsonl and not session.is_json:
        session.record("error", {"error": details})
    else:
        session.document("error", {"error": details})


def _sentence(error: Exception) -> str:
    if isinstance(error, TaskSchedulerError):
        reason = _reason_of_system(error)
        return translate(error.key, **{**error.values, "reason": reason}) if reason else str(error)
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror or error}"
    return translate("cli.unexpected", error=f"{type(error).__name__}: {error}")


def _next_of(named: str) -> tuple[str, str]:
    """Return the hint and the command that help with most errors of a code; empty for none."""
    key, command = _NEXT.get(named) or _NEXT.get(named[:2]) or ("", "")
    return (translate(key), command) if key else ("", "")


def _is_whole(error: Exception) -> bool:
    """Whether an error of the configuration leaves nothing that another command could add."""
    return isinstance(error, ConfigError) and (
        "problems" in error.values or error.key == "config.missing_file"
    )


def _is_declared(error: TaskNotFoundError, session: Session) -> bool:
    is_of_a_task = error.key == "errors.task_not_found"
    return is_of_a_task and error.values.get("task_id") in session.declared_ids()


def _with_declared(error: TaskNotFoundError, session: Session) -> TaskNotFoundError:
    """Return an error of an unknown task with the declared one that was probably meant."""
    if error.key != "errors.task_not_found" or error.values.get("hint"):
        return error
    near = nearest_hint(str(error.values["task_id"]), sorted(session.declared_ids()))
    return TaskNotFoundError(error.key, **{**error.values, "hint": near})


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


def _show(sentence: str, session: Session, *, named: str, hint: str, command: str) -> None:
    is_coloured = session.has_colour and sys.stderr.isatty()
    head = translate("cli.error", code=named)
    # Its own line breaks lay an error out; nothing else in it may reach the terminal as it is.
    shown = "\n".join(showable(line) for line in sentence.splitlines())
    text = "\n".join(talk_lines(f"{head}{shown}", session.talk_width))
    if is_coloured:
        text = f"\x1b[31m{head}\x1b[0m{text[len(head) :]}"
    print(text, file=sys.stderr)
    if hint:
        for line in hint_lines(hint, command, session.talk_width):
            print(line, file=sys.stderr)


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
    shown = error.param.make_metavar(error.ctx) if error.ctx is not None else ""
    # What it may be is told by the message: the list of all words is no name.
    is_list = shown == shown.lower()
    return str(error.param.name).upper() if is_list else shown.strip("[].")


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
