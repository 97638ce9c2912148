"""Values that a shell can complete: tasks, runs, files, commands.

Responsible for: finding them, quickly and without a word about anything that is wrong: a person who
presses TAB asked for no error. What a value can be is read from the metavar, which says it in the
help too: ``[TASK|RUN_ID]``, ``FILE``, ``now|MOMENT|backup``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from task_scheduler.cli.session import Session

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = ["CONFIG_NAMES", "LEDGER", "Completed", "make_completed"]

_WORD = re.compile(r"[A-Za-z_-]+")
_MOST = 2_000
"""Values offered at once; nobody reads more, and every one is looked at by the shell."""
_MOST_RUNS = 50
_BY_TAG = "tag:"
"""Before a tag that stands for its tasks."""


CONFIG_NAMES = tuple(f"scheduler_config.{end}" for end in ("json", "toml", "yaml", "yml"))
LEDGER = ".scheduler/scheduler.db"
"""What `task_scheduler.config` says of both; a test keeps them equal. Importing it takes long."""
_TELLING = (b"storage", b"include")
"""Without these words a configuration leaves the ledger where it is by default."""
_OVERRIDES = "TASK_SCHEDULER__STORAGE"


class Completed(click.ParamType[Any]):
    """A type as it is, whose values a shell completes by what the metavar names."""

    def __init__(self, inner: click.ParamType[Any], metavar: str) -> None:
        self.name = inner.name
        self.inner = inner
        self.words = tuple(_WORD.findall(metavar))

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value of the type itself."""
        return self.inner.convert(value, param, ctx)

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002  click's signature
        incomplete: str,
    ) -> list[CompletionItem[str]]:
        """Return what the text may become."""
        return list(_items_of(self.words, ctx, incomplete))


def make_completed(parameters: list[click.Parameter]) -> list[click.Parameter]:
    """Give parameters types that complete what their metavars name; return them."""
    for parameter in parameters:
        if _can_complete(parameter):
            parameter.type = Completed(parameter.type, parameter.metavar or "")
    return parameters


def _can_complete(parameter: click.Parameter) -> bool:
    """Whether the metavar of a parameter names values that can be found, and its type does not."""
    # ``TASK=TIME`` is no value that is found whole, and a command after ``--`` none of ours.
    if any(mark in (parameter.metavar or "") for mark in ("=", "--")):
        return False
    is_flag = isinstance(parameter, click.Option) and (parameter.is_flag or parameter.count)
    words = _WORD.findall(parameter.metavar or "")
    # A type that knows its own words completes them itself.
    knows = type(parameter.type).shell_complete is not click.ParamType.shell_complete
    return not is_flag and not knows and any(w in _SOURCES or w.islower() for w in words)


def _items_of(
    words: tuple[str, ...], ctx: click.Context, incomplete: str
) -> Iterator[CompletionItem[str]]:
    """Give what the words of a metavar stand for; a word in small letters is meant as it is."""
    from click.shell_completion import CompletionItem

    for word in words:
        if word in _SOURCES:
            yield from _SOURCES[word](ctx, incomplete)
        elif word.islower() and word.startswith(incomplete):
            yield CompletionItem(word)


def _tasks(ctx: click.Context, incomplete: str) -> Iterator[CompletionItem[str]]:
    from click.shell_completion import CompletionItem

    if incomplete.startswith(_BY_TAG):
        for tag in _tags(ctx, incomplete.removeprefix(_BY_TAG)):
            yield CompletionItem(f"{_BY_TAG}{tag.value}")
    taken = {text for value in ctx.params.values() for text in _texts(value)}
    for task_id, name in _fetch(ctx, "ids_beginning", prefix=incomplete, limit=_MOST):
        if task_id not in taken:
            yield CompletionItem(task_id, help=name if name != task_id else None)


def _tags(ctx: click.Context, incomplete: str) -> Iterator[CompletionItem[str]]:
    from click.shell_completion import CompletionItem

    found: Any = _fetch(ctx, "count_tags")
    for tag in found:
        if tag.startswith(incomplete):
            yield CompletionItem(tag)


def _runs(ctx: click.Context, incomplete: str) -> Iterator[CompletionItem[str]]:
    from click.shell_completion import CompletionItem

    from task_scheduler.i18n import translate

    for run_id, task_id, state in _fetch(ctx, "newest_runs", limit=_MOST_RUNS):
        if str(run_id).startswith(incomplete):
            yield CompletionItem(str(run_id), help=f"{task_id} {translate(f'cli.state_{state}')}")


def _files(_: click.Context, incomplete: str) -> Iterator[CompletionItem[str]]:
    from click.shell_completion import CompletionItem

    yield CompletionItem(incomplete, type="file")


def _folders(_: click.Context, incomplete: str) -> Iterator[CompletionItem[str]]:
    from click.shell_completion import CompletionItem

    yield CompletionItem(incomplete, type="dir")


def _commands(ctx: click.Context, incomplete: str) -> Iterator[CompletionItem[str]]:
    root = ctx.find_root()
    yield from root.command.shell_complete(root, incomplete)


_SOURCES: dict[str, Callable[[click.Context, str], Iterator[CompletionItem[str]]]] = {
    "TASK": _tasks,
    "TAG": _tags,
    "RUN": _runs,
    "RUN_ID": _runs,
    "FILE": _files,
    "CONFIG": _files,
    "PLACE": _files,
    "DIR": _folders,
    "COMMAND": _commands,
}


def _texts(value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, tuple) else (value,)
    return tuple(text for text in values if isinstance(text, str))


def _fetch(ctx: click.Context, statement: str, **values: Any) -> list[Any]:
    from task_scheduler.stores.sqlite_reader import SqliteReader

    session = ctx.find_object(Session) or Session()
    path = _plain_ledger(session) or session.scheduler.files.database
    # A ledger that is not there would be read as an empty one, after some work.
    return SqliteReader(path).fetch(statement, **values) if path.is_file() else []


def _plain_ledger(session: Session) -> Path | None:
    """Return the ledger of a configuration that names none; None where one has to be read whole.

    That takes a quarter of a second, which is long between a key and its answer.
    """
    if any(name.startswith(_OVERRIDES) for name in os.environ):
        return None
    folder = Path.cwd()
    named = session.config_path
    own = [Path(os.path.expanduser(named or ""))]  # noqa: PTH111  a name of nobody stays as it is
    files = own if named else [folder / name for name in CONFIG_NAMES]
    found = [path.absolute() for path in files if path.is_file()]
    if len(found) > 1 or (named and not found):
        return None
    for path in found:
        text = path.read_bytes()
        if path.suffix == ".py" or any(word in text for word in _TELLING):
            return None
        folder = path.parent
    return folder / LEDGER
