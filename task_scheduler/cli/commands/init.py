"""`tsk init`: write a starting point into a folder; what is there already is kept."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.parameters import Choice
from task_scheduler.cli.session import Session
from task_scheduler.i18n import current_language, translate

_CONFIG_NAME = "scheduler_config.json"


@cli_command("init", examples=("tsk init", "tsk init --preset farm ./farm"))
@click.argument("folder", default=".", metavar="[DIR]")
@click.option("--preset", type=Choice(("empty", "farm")), default="empty", metavar="empty|farm")
def command(session: Session, folder: str, preset: str) -> None:
    """Write the files and say what was written and what was kept."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    if preset == "farm":
        from task_scheduler.presets.farm.starter import write_farm

        files = write_farm(target, current_language())
    else:
        files = [_write_config(target / _CONFIG_NAME)]
    if session.is_json:
        shown = [{"path": str(path), "is_written": is_written} for path, is_written in files]
        session.document("init", {"preset": preset, "files": shown})
        return
    for path, is_written in files:
        session.put(translate("cli.wrote" if is_written else "cli.kept", path=path))
    place = "" if target.resolve() == Path.cwd() else f"cd {shlex.quote(folder)} && "
    session.hint(translate("cli.next_start"), f"{place}tsk up")


def _write_config(path: Path) -> tuple[Path, bool]:
    """Write a small commented configuration, unless there is one."""
    text = (
        "{\n"
        f"    // {translate('cli.starter_head')}\n"
        '    "scheduler": {\n'
        '        "max_workers": 10\n'
        "    },\n"
        '    "entries": {\n'
        f"        // {translate('cli.starter_entry')}\n"
        '        "hello": {\n'
        '            "type": "command",\n'
        '            "command": ["echo", "hello"],\n'
        '            "every": "30s"\n'
        "        }\n"
        "    }\n"
        "}\n"
    )
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return path, False
    return path, True
