"""`tsk gc`: let old runs go now instead of by and by, and give their room back to the disk."""

from __future__ import annotations

import click

from task_scheduler.cli.backup_text import size_text
from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.holders import refuse_mute
from task_scheduler.cli.moments import duration_text
from task_scheduler.cli.session import Session
from task_scheduler.i18n import translate

_LITTLE = 1024 * 1024


@cli_command("gc", examples=("tsk gc", "tsk gc --vacuum", "tsk gc --json"))
@click.option("--vacuum/--no-vacuum", "is_vacuuming", default=None)
def command(session: Session, is_vacuuming: bool | None) -> None:
    """Collect, and tell what went."""
    refuse_mute(session)
    began = session.clock.boottime()
    session.say(translate("manual.collecting"))
    found = session.scheduler.collect(vacuum=is_vacuuming)
    seconds = round((session.clock.boottime() - began) / 1_000_000, 3)
    if session.is_json:
        session.document("gc", {**found, "seconds": seconds})
        return
    counts = {name: found[name] for name in ("runs", "skips", "folders")}
    facts = {
        "removed": translate("manual.removed_text", **counts),
        "size": translate(
            "manual.size_text",
            before=size_text(found["size_before"]),
            after=size_text(found["size"]),
            free=size_text(found["free"]),
        ),
        "took": duration_text(seconds),
    }
    session.pairs([(translate(f"manual.fact_{name}"), text) for name, text in facts.items()])
    if not found["is_vacuumed"] and found["free"] >= _LITTLE:
        session.hint(translate("manual.next_vacuum"), "tsk gc --vacuum")
