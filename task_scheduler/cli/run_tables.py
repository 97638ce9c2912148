"""The tables of runs and of skips, the same in `tsk runs` and `tsk show`.

Responsible for: their columns and what stands in them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from task_scheduler.cli.moments import NOTHING, Moments, duration_text
from task_scheduler.cli.session import Session, state_cell
from task_scheduler.cli.tables import Cell, Column, Row
from task_scheduler.i18n import translate

__all__ = ["put_runs", "put_skips"]


def put_runs(
    session: Session, runs: Sequence[Mapping[str, Any]], moments: Moments, *, with_task: bool
) -> None:
    """Write a table of runs; an error stands below its run."""
    columns = [
        Column(translate("cli.column_run"), is_right=True),
        *([Column(translate("cli.column_task"), narrowest=16)] if with_task else []),
        Column(translate("cli.column_state"), narrowest=10),
        Column(translate("cli.column_scheduled"), narrowest=10),
        Column(translate("cli.column_started"), narrowest=10),
        Column(translate("cli.column_duration"), is_right=True),
        Column(translate("cli.column_attempt"), is_right=True),
    ]
    session.table(columns, [_run_row(run, moments, with_task=with_task) for run in runs])


def _run_row(run: Mapping[str, Any], moments: Moments, *, with_task: bool) -> Row:
    cells: list[Cell | str] = [
        str(run["run_id"]),
        *([Cell(run["task_id"], "bold")] if with_task else []),
        state_cell(run["state"]),
        moments.precise(run["scheduled_at"]),
        moments.short(run["started_at"]),
        duration_text(run["duration_seconds"]),
        str(run["attempt"] or NOTHING),
    ]
    return Row(cells, notes=_run_notes(run, moments))


def _run_notes(run: Mapping[str, Any], moments: Moments) -> tuple[Cell, ...]:
    notes = _state_notes(run, moments)
    if run.get("retry_of") is None:
        return notes
    return (*notes, Cell(translate("manual.again_of", run_id=run["retry_of"]), "dim"))


def _state_notes(run: Mapping[str, Any], moments: Moments) -> tuple[Cell, ...]:
    if run["state"] == "waiting" and run["waiting_for"]:
        text = translate(f"cli.waits_{run['waiting_for']}", due=moments.short(run["due_at"]))
        return (Cell(text, "dim"),)
    if run["state"] == "skipped" and run["reason"]:
        return (Cell(translate(f"cli.reason_{run['reason']}"), "yellow"),)
    if run["error"] and run["state"] != "succeeded":
        return (Cell(run["error"], "red"),)
    return ()


def put_skips(
    session: Session, skips: Sequence[Mapping[str, Any]], moments: Moments, *, with_task: bool
) -> None:
    """Write a table of skips: a range of moments a row, and why."""
    columns = [
        *([Column(translate("cli.column_task"), narrowest=16)] if with_task else []),
        Column(translate("cli.column_first"), narrowest=10),
        Column(translate("cli.column_until"), narrowest=10),
        Column(translate("cli.column_count"), is_right=True),
        Column(translate("cli.column_reason"), narrowest=16),
    ]
    rows = [
        Row(
            [
                *([Cell(skip["task_id"], "bold")] if with_task else []),
                moments.precise(skip["first"]),
                moments.precise(skip["last"]),
                "?" if skip["count"] is None else str(skip["count"]),
                _reason(skip),
            ]
        )
        for skip in skips
    ]
    session.table(columns, rows)


def _reason(skip: Mapping[str, Any]) -> Cell:
    text = translate(f"cli.reason_{skip['reason']}")
    if skip["blocker_run_id"] is not None:
        text += translate("cli.by_run", run_id=skip["blocker_run_id"])
    return Cell(text, "yellow")
