"""Help pages, in the user's language and to the width of the terminal.

Responsible for: their layout. What they say is in the catalogue.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence

import click

from task_scheduler.cli.display_width import wrap
from task_scheduler.cli.parameters import GLOBAL_NAMES, global_options
from task_scheduler.cli.tables import pairs
from task_scheduler.cli.talk import talk_lines
from task_scheduler.i18n import translate

__all__ = ["command_page", "program_page"]

_WIDEST = 100


def program_page(groups: Mapping[str, Sequence[str]]) -> str:
    """Return the page of `tsk --help`."""
    lines = [translate("cli.usage", usage="tsk [OPTIONS] COMMAND [ARGS]..."), ""]
    lines += wrap(translate("cli.about_tsk"), _width())
    for group, names in groups.items():
        lines += ["", translate(f"cli.group_{group}")]
        lines += _pairs([(name, translate(f"cli.about_{name}")) for name in names])
    lines += ["", translate("cli.options_everywhere"), *_global_lines()]
    lines += ["", translate("cli.more_help")]
    return "\n".join(lines)


def command_page(command: click.Command, ctx: click.Context, *, examples: Sequence[str]) -> str:
    """Return the page of one command."""
    usage = " ".join([ctx.command_path, *command.collect_usage_pieces(ctx)])
    lines = [*talk_lines(translate("cli.usage", usage=usage), _width()), ""]
    lines += wrap(translate(f"cli.about_{command.name}"), _width())
    options = [
        parameter
        for parameter in command.params
        if isinstance(parameter, click.Option) and parameter.name not in GLOBAL_NAMES
    ]
    if options:
        rows = [
            (_flags(option), translate(f"cli.option_{command.name}_{option.name}"))
            for option in options
        ]
        lines += ["", translate("cli.options"), *_pairs(rows)]
    if examples:
        lines += ["", translate("cli.examples"), *(f"  {line}" for line in examples)]
    lines += ["", translate("cli.options_everywhere"), *_global_lines()]
    return "\n".join(lines)


def _global_lines() -> list[str]:
    options = [option for option in global_options() if isinstance(option, click.Option)]
    rows = [(_flags(option), translate(f"cli.option_{option.name}")) for option in options]
    rows.append(("-h, --help", translate("cli.option_help")))
    rows.append(("--version", translate("cli.option_version")))
    return _pairs(rows)


def _flags(option: click.Option) -> str:
    text = ", ".join([*option.opts, *option.secondary_opts])
    if option.is_flag or option.count:
        return text
    return f"{text} {option.metavar or option.type.name.upper()}"


def _pairs(rows: list[tuple[str, str]]) -> list[str]:
    return pairs(rows, width=_width(), paint=lambda text, _: text, indent="  ")


def _width() -> int:
    return max(40, min(_WIDEST, shutil.get_terminal_size().columns))
