"""`tsk completion`: have a shell complete commands, options, tasks and runs."""

from __future__ import annotations

import os
from pathlib import Path

import click

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.completion import SHELLS, script_for
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.failures import CliError
from task_scheduler.cli.parameters import Choice
from task_scheduler.cli.session import Session
from task_scheduler.i18n import translate

_MARK = "made by: tsk completion"
"""In every script: a file without it is somebody else's."""


@cli_command(
    "completion",
    examples=(
        "tsk completion bash --install",
        'eval "$(tsk completion bash)"',
        "tsk completion fish > ~/.config/fish/completions/tsk.fish",
    ),
)
@click.argument("shell", type=Choice(tuple(SHELLS)), metavar="|".join(SHELLS))
@click.option("--install", "is_installed", is_flag=True)
def command(session: Session, shell: str, is_installed: bool) -> ExitCode:
    """Print the script of a shell, or put it where new shells find it."""
    script = script_for(shell)
    if not is_installed:
        if session.is_json:
            session.document("completion", {"shell": shell, "script": script, "files": []})
        else:
            session.put(script.removesuffix("\n"))
        return ExitCode.FINE
    paths = _places_of(shell)
    for path in paths:
        _refuse_foreign(path)
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(script, encoding="utf-8")
    if session.is_json:
        files = [str(path) for path in paths]
        session.document("completion", {"shell": shell, "script": script, "files": files})
        return ExitCode.FINE
    for path in paths:
        session.put(translate("service.written", path=path))
    session.say(translate(f"completion.next_{shell}", path=paths[0], folder=paths[0].parent))
    return ExitCode.FINE


def _places_of(shell: str) -> list[Path]:
    """Return where new shells look for the completion of a command, each under its name."""
    home = Path.home()
    if shell == "bash":
        data = os.environ.get("XDG_DATA_HOME") or home / ".local/share"
        user = os.environ.get("BASH_COMPLETION_USER_DIR") or Path(data) / "bash-completion"
        return [Path(user) / "completions" / name for name in ("tsk", "task-scheduler")]
    if shell == "zsh":
        return [Path(os.environ.get("ZDOTDIR") or home) / ".zfunc/_tsk"]
    config = os.environ.get("XDG_CONFIG_HOME") or home / ".config"
    names = ("tsk.fish", "task-scheduler.fish")
    return [Path(config) / "fish/completions" / name for name in names]


def _refuse_foreign(path: Path) -> None:
    """Raise CliError for a file that did not come from here."""
    if path.exists() and _MARK not in path.read_text(encoding="utf-8", errors="replace"):
        raise CliError(translate("completion.foreign", path=path), ExitCode.CONFLICT, error="E6003")
