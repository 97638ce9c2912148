"""Options and arguments: their types, and the options that every command has.

Responsible for: errors in the user's language, and for accepting the global options before and
after the command.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from task_scheduler.cli.session import Session
from task_scheduler.errors import ScheduleError
from task_scheduler.i18n import LANGUAGES, set_language, translate

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = ["GLOBAL_NAMES", "Choice", "Duration", "Number", "did_you_mean", "global_options"]


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """Return the hint at the word that was probably meant; empty where none is near."""
    near = difflib.get_close_matches(word, known, n=1)
    return translate("cli.did_you_mean", word=near[0]) if near else ""


class Choice(click.ParamType[str]):
    """One of a few words."""

    name = "choice"

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the word; fail with the nearest one."""
        if value not in self.words:
            known, hint = ", ".join(self.words), did_you_mean(str(value), self.words)
            self.fail(translate("cli.bad_choice", value=value, known=known, hint=hint), param, ctx)
        return str(value)

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002  click's signature
        param: click.Parameter,  # noqa: ARG002  click's signature
        incomplete: str,
    ) -> list[CompletionItem[str]]:
        """Return the words that begin so."""
        return _items(self.words, incomplete)


class Number(click.ParamType[int]):
    """A whole number from a least one on."""

    name = "number"

    def __init__(self, least: int = 1) -> None:
        self.least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number."""
        try:
            number = int(value)
        except ValueError:
            number = self.least - 1
        if number < self.least:
            self.fail(translate("cli.bad_number", value=value, least=self.least), param, ctx)
        return number


class Duration(click.ParamType[float]):
    """Seconds, or a length such as 90s, 1h30m or 2d."""

    name = "duration"
    _UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}  # noqa: RUF012  never changed

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds."""
        if isinstance(value, float | int):
            return float(value)
        seconds = self._seconds(str(value))
        if seconds is None:
            self.fail(translate("cli.bad_duration", value=value), param, ctx)
        return seconds

    def _seconds(self, text: str) -> float | None:
        total, number = 0.0, ""
        for character in text.strip().lower():
            if character in self._UNITS and number:
                total += float(number) * self._UNITS[character]
                number = ""
            elif character.isascii() and (character.isdigit() or character == "."):
                number += character
            else:
                return None
            if number.count(".") > 1 or number == ".":
                return None
        total += float(number) if number else 0.0
        return total if 0 < total < 1e10 else None


class ZoneName(click.ParamType[str]):
    """The name of a time zone."""

    name = "zone"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name; fail with the nearest one."""
        from task_scheduler.schedules.zones import zone_named  # reading zones takes time

        try:
            zone_named(str(value))
        except ScheduleError as error:
            self.fail(str(error), param, ctx)
        return str(value)

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002  click's signature
        param: click.Parameter,  # noqa: ARG002  click's signature
        incomplete: str,
    ) -> list[CompletionItem[str]]:
        """Return the zones that begin so."""
        from zoneinfo import available_timezones

        return _items(sorted(available_timezones()), incomplete)


def _items(words: Sequence[str], incomplete: str) -> list[CompletionItem[str]]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


_GLOBAL: tuple[tuple[tuple[str, ...], str, dict[str, Any]], ...] = (
    (("-c", "--config"), "config", {"metavar": "FILE"}),
    (("--json",), "is_json", {"is_flag": True}),
    (("--jsonl",), "is_jsonl", {"is_flag": True}),
    (("--lang",), "language", {"type": Choice(LANGUAGES), "metavar": "|".join(LANGUAGES)}),
    (("--tz",), "zone_name", {"type": ZoneName(), "metavar": "ZONE"}),
    (("--no-color",), "is_colourless", {"is_flag": True}),
    (("-q", "--quiet"), "is_quiet", {"is_flag": True}),
    (("-v", "--verbose"), "verbosity", {"count": True}),
    (("--no-input",), "is_silent_input", {"is_flag": True}),
)
GLOBAL_NAMES = frozenset(name for _, name, _ in _GLOBAL)


def global_options() -> list[click.Parameter]:
    """Return the options that every command takes, and that the program takes before it."""
    return [
        click.Option(
            [*flags, name],
            expose_value=False,
            is_eager=name == "language",
            callback=_keep(name),
            **extra,
        )
        for flags, name, extra in _GLOBAL
    ]


def _keep(name: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """Return what writes an option's value into the session, where it was given at all."""

    def keep(ctx: click.Context, _: click.Parameter, value: Any) -> Any:
        if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            if name == "language":
                # At once: the help and the errors after it are in this language already.
                set_language(value)
            setattr(ctx.ensure_object(Session), name, value)
        return value

    return keep
