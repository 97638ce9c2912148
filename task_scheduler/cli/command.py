"""The shape of a command: its options with the global ones, its help, its usage errors.

Responsible for: the decorator that makes one. Sentences are ``cli.about_<command>`` and
``cli.option_<command>_<parameter>``, found when they are shown: the language may come last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from task_scheduler.cli.completed import make_completed
from task_scheduler.cli.failures import MistypedError
from task_scheduler.cli.parameters import global_options
from task_scheduler.i18n import translate

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = ["CliCommand", "command"]


class CliCommand(click.Command):
    """One command; `examples` are shown at the end of its help."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += global_options()
        make_completed(self.params)
        self.examples = tuple(examples)
        self.context_settings.setdefault("help_option_names", ["-h", "--help"])
        self.context_settings.setdefault("allow_extra_args", True)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments; what is left over is told in the user's language."""
        rest = super().parse_args(ctx, args)
        if ctx.args and not ctx.resilient_parsing:
            words = " ".join(map(str, ctx.args))
            sentence = translate("cli.extra_argument", words=words)
            raise MistypedError(sentence, ctx, error="E1004")
        return rest

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Return the options that begin so, each with its sentence."""
        from task_scheduler.cli.completion import with_help

        return with_help(self, super().shell_complete(ctx, incomplete))

    def get_help(self, ctx: click.Context) -> str:
        """Return the whole help page."""
        from task_scheduler.cli.help_page import command_page

        return command_page(self, ctx, examples=self.examples)


def command(
    name: str, *, examples: Sequence[str] = ()
) -> Callable[[Callable[..., Any]], CliCommand]:
    """Make a command of a function that takes the session first and answers an exit code."""

    def make(function: Callable[..., Any]) -> CliCommand:
        return click.command(name, cls=CliCommand, examples=examples)(click.pass_obj(function))

    return make
