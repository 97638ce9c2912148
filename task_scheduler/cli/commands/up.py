"""`tsk up`: run the scheduler here, until a signal or `tsk down` ends it."""

from __future__ import annotations

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.holders import say_no_tasks
from task_scheduler.cli.session import Session
from task_scheduler.i18n import translate
from task_scheduler.service.first_process import is_first_process, stand_in_front


@cli_command("up", examples=("tsk up", "tsk -c farm.json up"))
def command(session: Session) -> int:
    """Say where everything is, then run."""
    if is_first_process():
        # Before anything is loaded: the process that only waits stays small.
        ended = stand_in_front()
        if ended is not None:
            return ended
    session.is_config_needed = True
    session.is_log_shown = True
    scheduler = session.scheduler
    settings = scheduler.config.settings
    folder = scheduler.config.folder
    declared = len(scheduler.config.declared(is_code_needed=False))
    session.say(translate("cli.up_config", config=session.shown_config(), count=declared))
    session.say(translate("cli.up_ledger", path=scheduler.files.database))
    log_file = folder / settings.logging.log_dir / settings.logging.log_file
    session.say(translate("cli.up_logs", path=log_file))
    holder = scheduler.holder()
    if holder is not None and holder["state"] == "running":
        session.say(translate("cli.up_standby", pid=holder["pid"]))
    if not declared and not scheduler.view.counts(session.clock.now())["total_tasks"]:
        say_no_tasks(session)
    return scheduler.run_forever()
