"""`tsk` itself: its commands by name, and the fence around each call.

Responsible for: importing only the command that is called, the language before anything is said,
and turning every end into an exit code.
"""

from __future__ import annotations

import contextlib
import importlib
import keyword
import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from task_scheduler.cli.completed import make_completed
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.failures import CliError, MistypedError, report, report_usage
from task_scheduler.cli.help_page import program_page
from task_scheduler.cli.parameters import did_you_mean, global_options
from task_scheduler.cli.session import Session
from task_scheduler.i18n import LANGUAGES, set_language, translate

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = ["GROUPS", "Program", "module_of", "run"]

GROUPS = {
    "scheduler": (
        "init", "up", "down", "status", "top", "doctor", "insights", "metrics", "check",
        "diff", "apply", "reload", "install-service", "uninstall-service",
    ),
    "tasks": (
        "ls", "show", "add", "edit", "next", "explain", "simulate", "enable", "disable", "pause",
        "resume", "rm",
    ),
    "runs": ("run", "retry", "runs", "logs", "why", "kill", "backfill"),
    "alerts": ("alerts", "ping"),
    "ledger": ("backup", "restore", "gc", "audit"),
    "moving": ("import", "export"),
    "help": ("help", "completion", "version"),
}  # fmt: skip
"""Every command, as the help shows them. Each is a module of `cli.commands`, see `module_of`."""

_NAMES = tuple(name for names in GROUPS.values() for name in names)
_LANGUAGE_VARIABLES = ("TASK_SCHEDULER__SCHEDULER__LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")


def module_of(name: str) -> str:
    """Return the module of a command; none can be called as a keyword or a standard module is."""
    plain = name.replace("-", "_")
    is_taken = keyword.iskeyword(plain) or plain in sys.stdlib_module_names
    return f"task_scheduler.cli.commands.{plain}" + "_" * is_taken


class Program(click.Group):
    """The group of all commands; it imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """Return the names of all commands."""
        return list(_NAMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command; None where there is none of this name."""
        if cmd_name not in _NAMES:
            return None
        module = importlib.import_module(module_of(cmd_name))
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that was meant; raises UsageError with the nearest one."""
        name = args[0]
        command = self.get_command(ctx, name)
        if command is None and not ctx.resilient_parsing:
            hint = did_you_mean(name, _NAMES)
            sentence = translate("cli.no_such_command", name=name, hint=hint)
            raise MistypedError(sentence, ctx, error="E1001")
        return name, command, args[1:]

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Return the commands that begin so, and the options."""
        from task_scheduler.cli.completion import command_items, with_help

        options = click.Command.shell_complete(self, ctx, incomplete)
        return [*command_items(_NAMES, incomplete), *with_help(self, options)]

    def get_help(self, ctx: click.Context) -> str:  # noqa: ARG002  click's signature
        """Return the page of the program."""
        return program_page(GROUPS)


def _print_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:  # noqa: ARG001
    if value and not ctx.resilient_parsing:
        from task_scheduler import __version__

        click.echo(f"tsk {__version__}")
        ctx.exit()


@click.pass_context
def _without_command(ctx: click.Context) -> None:
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


_VERSION = click.Option(
    ["--version"], is_flag=True, expose_value=False, is_eager=True, callback=_print_version
)
_program = Program(
    "tsk",
    callback=_without_command,
    params=make_completed([*global_options(), _VERSION]),
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; nothing is raised."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    set_language(_language_asked(given) or _language_of_environment())
    if question := os.environ.get("_TSK_COMPLETE"):
        from task_scheduler.cli.completion import answer

        return answer(_program, question)
    session = Session()
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding does not have must not end the command.
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        code = _invoke(given, session)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has enough: `tsk ls | head` is no failure.
        _abandon_stdout()
        return ExitCode.FINE
    except KeyboardInterrupt:
        # The next one ends us where we stand: no other traceback is to follow.
        with contextlib.suppress(ValueError):
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        session.say("")
        return ExitCode.INTERRUPTED
    finally:
        session.close()
    return code


def _invoke(arguments: list[str], session: Session) -> int:
    try:
        with _program.make_context("tsk", arguments, obj=session) as ctx:
            return _code(_program.invoke(ctx))
    except click.exceptions.Exit as leaving:
        return _code(leaving.exit_code)
    except click.UsageError as error:
        return report_usage(error, session, arguments)
    except click.Abort:
        return ExitCode.INTERRUPTED
    except (BrokenPipeError, KeyboardInterrupt):
        raise
    except CliError as error:
        return report(error, session)
    except Exception as error:  # fence: request
        return report(error, session)


def _code(answer: Any) -> int:
    """Return what a command answered; `up` may end as its second signal would end it."""
    return answer if isinstance(answer, int) else ExitCode.FINE


def _language_asked(arguments: list[str]) -> str:
    """Return the value of ``--lang``, wherever it stands: ``--help`` before it is in it too."""
    for option, value in zip(arguments, [*arguments[1:], ""], strict=False):
        if option == "--lang" and value in LANGUAGES:
            return value
        if option.startswith("--lang=") and option[7:] in LANGUAGES:
            return option[7:]
    return ""


def _language_of_environment() -> str:
    """Return the first locale that the environment names, as every program reads it."""
    return next((os.environ[name] for name in _LANGUAGE_VARIABLES if os.environ.get(name)), "")


def _abandon_stdout() -> None:
    """Let what is still buffered go nowhere: the interpreter flushes it once more at its end."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
