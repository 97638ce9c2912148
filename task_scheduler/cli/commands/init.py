"""`tsk init`: write a starting point into a folder; what is there already is kept."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.parameters import Choice
from task_scheduler.cli.session import Session
from task_scheduler.config.source import DEFAULT_NAMES
from task_scheduler.config.written import KINDS
from task_scheduler.i18n import current_language, translate

_TEXTS = {
    "json": """\
{
    // HEAD
    "scheduler": {
        "max_workers": 10
    },
    "entries": {
        // ENTRY
        "hello": {
            "type": "command",
            "command": ["echo", "hello"],
            "every": "30s"
        }
    }
}
""",
    "toml": """\
# HEAD
[scheduler]
max_workers = 10

# ENTRY
[entries.hello]
type = "command"
command = ["echo", "hello"]
every = "30s"
""",
    "yaml": """\
# HEAD
scheduler:
  max_workers: 10
entries:
  # ENTRY
  hello:
    type: command
    command: [echo, hello]
    every: 30s
""",
}
"""The starting point in each kind of file."""


@cli_command(
    "init", examples=("tsk init", "tsk init --format toml", "tsk init --preset farm ./farm")
)
@click.argument("folder", default=".", metavar="[DIR]")
@click.option("--preset", type=Choice(("empty", "farm")), default="empty", metavar="empty|farm")
@click.option("--format", "kind", type=Choice(KINDS), default="json", metavar="|".join(KINDS))
def command(session: Session, folder: str, preset: str, kind: str) -> None:
    """Write the files and say what was written and what was kept."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    if preset == "farm":
        from task_scheduler.presets.farm.starter import write_farm

        files = write_farm(target, current_language())
    else:
        files = [_write_config(target, kind)]
    if session.is_json:
        shown = [{"path": str(path), "is_written": is_written} for path, is_written in files]
        session.document("init", {"preset": preset, "files": shown})
        return
    for path, is_written in files:
        session.put(translate("cli.wrote" if is_written else "cli.kept", path=path))
    place = "" if target.resolve() == Path.cwd() else f"cd {shlex.quote(folder)} && "
    session.hint(translate("cli.next_start"), f"{place}tsk up")


def _write_config(folder: Path, kind: str) -> tuple[Path, bool]:
    """Write a small commented configuration, unless there is one of any kind."""
    there = [folder / name for name in DEFAULT_NAMES if (folder / name).exists()]
    if there:
        return there[0], False
    path = folder / f"scheduler_config.{kind}"
    head, entry = translate("cli.starter_head"), translate("cli.starter_entry")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(_TEXTS[kind].replace("HEAD", head).replace("ENTRY", entry))
    except FileExistsError:
        return path, False
    return path, True
