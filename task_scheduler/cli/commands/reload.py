"""`tsk reload`: have the scheduler that runs read its configuration again."""

from __future__ import annotations

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.holders import needs_scheduler
from task_scheduler.cli.session import Session
from task_scheduler.i18n import translate


@cli_command("reload", examples=("tsk reload",))
def command(session: Session) -> ExitCode:
    """Ask it, and say what that changed; a wrong configuration is refused and told."""
    needs_scheduler(session)
    done = session.scheduler.ask_reload()
    if session.is_json:
        session.document("reload", {"done": done})
        return ExitCode.FINE
    session.say(translate("declaring.done", **done))
    if done["drifted"]:
        session.say(translate("declaring.drifted", count=done["drifted"]))
        session.hint(translate("declaring.next_diff"), "tsk diff")
    return ExitCode.FINE
