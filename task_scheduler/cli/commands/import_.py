"""`tsk import`: take over what another scheduler has, so that nothing is lost or runs twice.

First it only shows. With ``--held`` the tasks are added paused, while the other still fires them;
with ``--takeover`` the lines of a crontab are switched off, and the tasks go on from there.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import click
from pydantic import ValidationError

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.failures import CliError
from task_scheduler.cli.holders import refuse_mute, say_if_nobody_runs
from task_scheduler.cli.import_sources import SOURCES, Source, read_source
from task_scheduler.cli.parameters import Choice
from task_scheduler.cli.progress import Counter, progress
from task_scheduler.cli.session import Session
from task_scheduler.cli.tables import Cell, Column, Row
from task_scheduler.config.entries import ENTRY, Declared, Folders
from task_scheduler.config.entry_times import EntryError
from task_scheduler.config.written import document_text, kind_of
from task_scheduler.i18n import translate
from task_scheduler.importing.found import FoundTask, Ids, Refused, Remark
from task_scheduler.importing.shown import what_of
from task_scheduler.schedules.rule import describe

_MARGIN_SECONDS = 3.0
"""Around the turn of a minute cron reads its files and starts what is due: nobody changes them."""


@cli_command(
    "import",
    examples=(
        "tsk import crontab",
        "tsk import crontab --held",
        "tsk import crontab --takeover",
        "tsk import apscheduler jobs.sqlite --output entries.json",
        "tsk import celery proj",
    ),
)
@click.argument("source", type=Choice(SOURCES), metavar="|".join(SOURCES))
@click.argument("places", nargs=-1, metavar="[PLACE...]")
@click.option("--system", "is_system", is_flag=True)
@click.option("--dry-run", "is_dry_run", is_flag=True)
@click.option("--held", "is_held", is_flag=True)
@click.option("--live", "is_live", is_flag=True)
@click.option("--takeover", "is_takeover", is_flag=True)
@click.option("--output", "output", metavar="FILE")
def command(
    session: Session,
    source: str,
    places: tuple[str, ...],
    *,
    is_system: bool,
    is_dry_run: bool,
    is_held: bool,
    is_live: bool,
    is_takeover: bool,
    output: str | None,
) -> ExitCode:
    """Show what another scheduler has, or take it over."""
    if is_held + is_live + is_takeover + is_dry_run + (output is not None) > 1:
        raise click.UsageError(translate("imports.one_mode"))
    if is_takeover and source != "crontab":
        raise click.UsageError(translate("imports.only_crontab"))
    found = read_source(source, places, Ids(), is_system=is_system)
    declared = _declared(session, found)
    changed = None
    if output is not None:
        _write(Path(output), found)
        changed = translate("imports.written", path=output, count=len(declared))
    elif is_held or is_live or is_takeover:
        refuse_mute(session)
        try:
            changed = _add(session, found, declared, source, is_live=is_live)
            if is_takeover:
                changed = _take_over(session, found)
        finally:
            # What was opened to write alone: the ledger is free for whoever starts next.
            session.scheduler.stop(0)
    _show(session, source, found, declared, is_changed=changed is not None)
    if changed is not None:
        session.say(changed)
        if output is None:
            say_if_nobody_runs(session)
    elif declared:
        _say_next(session, source, places, is_system=is_system)
    return ExitCode.FINE if declared or not found.found.refused else ExitCode.PROBLEM


def _declared(session: Session, source: Source) -> dict[str, Declared]:
    """Make tasks of what was found; what our own rules refuse is refused here."""
    base = Path.cwd()
    folders = Folders(base, base)
    calendars = session.scheduler.config.calendars
    made: dict[str, Declared] = {}
    kept: list[FoundTask] = []
    for task in source.found.tasks:
        try:
            entry = ENTRY.validate_python(dict(task.entry))
            made[task.task_id] = entry.declare(
                task.task_id, folders, calendars, is_code_needed=False
            )
        except ValidationError as error:
            reason = "; ".join(f"{_place(each['loc'])}: {each['msg']}" for each in error.errors())
        except EntryError as error:
            reason = str(error.error)
        else:
            kept.append(task)
            continue
        refusal = Remark("not_possible", {"reason": reason})
        source.found.refused.append(Refused(task.where, task.origin, refusal))
    source.found.tasks[:] = kept
    return made


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location))


def _add(
    session: Session,
    source: Source,
    declared: Mapping[str, Declared],
    name: str,
    *,
    is_live: bool,
) -> str:
    """Add the tasks, paused unless they are to live; those that are here already stay."""
    _write_scripts(source)
    scheduler = session.scheduler
    known = set(scheduler.get_task_status()["tasks"])
    fresh = [task for task in source.found.tasks if task.task_id not in known]
    reasons = {
        task.task_id: translate("imports.held_reason", source=name)
        if task.is_enabled
        else translate("imports.off_reason", source=name)
        for task in fresh
        if not (is_live and task.is_enabled)
    }
    paused = Counter(len(reasons))
    with progress(session, translate("cli.progress_import"), paused):
        # First without times: nothing is due between the moments in which it is added and paused.
        scheduler.add_tasks([(declared[task_id].task, ()) for task_id in reasons])
        for task_id, reason in reasons.items():
            scheduler.pause_task(task_id, reason=reason)
            paused.done += 1
        ids = [task.task_id for task in fresh]
        scheduler.add_tasks([(declared[task_id].task, declared[task_id].rules) for task_id in ids])
    key = "imports.added" if is_live else "imports.held"
    return translate(key, count=len(fresh), known=len(declared) - len(fresh))


def _take_over(session: Session, source: Source) -> str:
    """Switch the lines of the crontabs off, and let the tasks go on from that moment."""
    second = time.localtime(session.clock.now() / 1_000_000).tm_sec
    if second < _MARGIN_SECONDS or second >= 60 - _MARGIN_SECONDS:
        session.say(translate("imports.minute_turns"))
        time.sleep((_MARGIN_SECONDS - second) % 60)
    now = datetime.fromtimestamp(session.clock.now() / 1_000_000, UTC)
    folder = session.scheduler.files.database.parent / "imported"
    kept = source.switch_off(folder, now.strftime("%Y%m%dT%H%M%SZ"))
    going_on = [task.task_id for task in source.found.tasks if task.is_enabled]
    for task_id in going_on:
        session.scheduler.resume_task(task_id)
    for copy in kept:
        session.say(translate("imports.kept", path=copy))
    return translate("imports.taken_over", count=len(going_on))


def _write_scripts(source: Source) -> None:
    for name, text in source.found.files.items():
        path = Path.cwd() / name
        if path.exists() and path.read_text(encoding="utf-8", errors="replace") != text:
            raise CliError(
                translate("imports.file_exists", path=path), ExitCode.CONFLICT, error="E6003"
            )
        path.write_text(text, encoding="utf-8")
        path.chmod(0o700)


def _write(path: Path, source: Source) -> None:
    """Write the entries as a part of a configuration; a file that is there stays."""
    _write_scripts(source)
    entries = {task.task_id: dict(task.entry) for task in source.found.tasks}
    text = document_text({"entries": entries}, kind_of(path.suffix))
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise CliError(
            translate("imports.file_exists", path=path), ExitCode.CONFLICT, error="E6003"
        ) from error


def _show(
    session: Session,
    name: str,
    source: Source,
    declared: Mapping[str, Declared],
    *,
    is_changed: bool,
) -> None:
    found = source.found
    if session.is_json:
        tasks = [
            {
                "task_id": task.task_id,
                "where": task.where,
                "origin": task.origin,
                "enabled": task.is_enabled,
                "entry": dict(task.entry),
                "remarks": [remark.text() for remark in task.remarks],
            }
            for task in found.tasks
        ]
        refused = [
            {"where": each.where, "origin": each.origin, "reason": each.remark.text()}
            for each in found.refused
        ]
        values = {"source": name, "is_changed": is_changed, "tasks": tasks, "refused": refused}
        session.document("import", values)
        return
    columns = [
        Column(""),
        Column(translate("imports.column_task"), 12),
        Column(translate("imports.column_times"), 16),
        Column(translate("imports.column_what"), 20, is_first_to_wrap=True),
    ]
    rows = [_row(task, declared[task.task_id]) for task in found.tasks]
    rows += [
        Row(
            (Cell("!", "yellow"), each.where, "", each.origin),
            [Cell(each.remark.text(), "yellow")],
        )
        for each in found.refused
    ]
    if rows:
        session.table(columns, rows)
    session.put(translate("imports.summary", taken=len(found.tasks), refused=len(found.refused)))


def _row(task: FoundTask, declared: Declared) -> Row:
    mark = Cell("+", "green") if task.is_enabled else Cell("-", "dim")
    notes = [Cell(remark.text(), "dim") for remark in task.remarks]
    times = "; ".join(describe(rule) for rule in declared.rules) or translate("imports.no_times")
    return Row((mark, task.task_id, times, what_of(task.entry)), notes)


def _say_next(session: Session, source: str, places: tuple[str, ...], *, is_system: bool) -> None:
    words = [source, *places, *(["--system"] if is_system else [])]
    session.say(translate("imports.nothing_changed"))
    session.hint(translate("imports.next_held"), "tsk import", *words, "--held")
    last = "takeover" if source == "crontab" else "live"
    session.hint(translate(f"imports.next_{last}"), "tsk import", *words, f"--{last}")
