"""The rows of the live view as text of an exact width.

Responsible for: what stands in them and how wide it is; East Asian characters take two columns.
Draws nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from task_scheduler.cli.display_width import pad, showable, width_of
from task_scheduler.cli.foot_line import standing_text
from task_scheduler.cli.moments import NOTHING, Moments, duration_text
from task_scheduler.cli.standing import mark_of, result_cell, schedule_text
from task_scheduler.cli.top.reading import Reading
from task_scheduler.i18n import translate

__all__ = [
    "Piece",
    "coming_text",
    "cut",
    "facts_text",
    "header",
    "log_title",
    "needs_texts",
    "running_texts",
    "task_row",
]

_GAP = 2
_LEAD = 3
"""The columns before the id: whether it is selected, and how it stands."""
_WIDE, _NARROW = 100, 70
_NEEDS = 2
_NAMED = 3


class Piece(NamedTuple):
    """A stretch of a line in one style."""

    text: str
    style: str = ""


class _Layout(NamedTuple):
    """The columns of the table of tasks, and how wide each is; 0: there is no room for it."""

    task: int
    schedule: int
    last: int
    result: int
    following: int
    runs: int


def _layout(width: int) -> _Layout:
    """Return the widths of the columns; what is left over goes to schedule and id."""
    is_wide, is_narrow = width >= _WIDE, width < _NARROW
    last, result, following, runs = (14 if is_wide else 9), 12, 15, (7 if is_wide else 0)
    fixed = sum(size + _GAP for size in (last, result, following, runs) if size)
    rest = max(10, width - _LEAD - fixed)
    task = rest if is_narrow else max(12, min(32, rest // 2))
    schedule = 0 if is_narrow else rest - task - _GAP
    return _Layout(task, schedule, last, result, following, runs)


def cut(text: str, width: int) -> str:
    """Return a text in exactly so many columns; what does not fit ends with a mark."""
    text = showable(text)
    if width_of(text) <= width:
        return pad(text, width)
    while text and width_of(text) > width - 1:
        text = text[:-1]
    return pad(f"{text}…", width)


def header(width: int, sort: str, *, is_reversed: bool) -> list[Piece]:
    """Return the titles; an arrow stands at the one by which the tasks are ordered."""
    arrow = "▲" if is_reversed else "▼"
    layout = _layout(width)
    marked = {"status": "result", "needs": "", "next": "following"}.get(sort, sort)
    titles = []
    for name, size in layout._asdict().items():
        title = translate(f"cli.column_{'next' if name == 'following' else name}")
        if size:
            titles.append(cut(title + (arrow if name == marked else ""), size))
    lead = arrow if sort == "needs" else ""
    return [Piece(cut(pad(lead, _LEAD) + (" " * _GAP).join(titles), width), "dim")]


def task_row(
    task: Mapping[str, Any],
    last: Mapping[str, Any] | None,
    moments: Moments,
    width: int,
    *,
    is_late: bool,
    is_selected: bool,
) -> list[Piece]:
    """Return the row of a task."""
    layout = _layout(width)
    mark, result = mark_of(task, last), result_cell(last)
    last_text = moments.short if width >= _WIDE else moments.rough
    cells = (
        (schedule_text(task), layout.schedule, ""),
        (last_text(task["last_run_time"]), layout.last, "dim"),
        (result.text, layout.result, result.style),
        (_next_text(task, moments, layout.following), layout.following, ""),
        (_number(task["run_count"]), layout.runs, "dim"),
    )
    return [
        Piece("▸" if is_selected else " ", "bold"),
        Piece("▲ " if is_late else f"{mark.text} ", "yellow" if is_late else mark.style),
        Piece(cut(task["task_id"], layout.task), "bold"),
        *(Piece(" " * _GAP + cut(text, size), style) for text, size, style in cells if size),
    ]


def _number(count: int) -> str:
    """Return a number in at most six columns."""
    return str(count) if count < 1_000_000 else f"{count / 1e6:.1f}M"


def _next_text(task: Mapping[str, Any], moments: Moments, width: int) -> str:
    if task["status"] in ("paused", "finished", "unresolved"):
        return translate(f"cli.status_{task['status']}")
    text = moments.coming(task["next_run_time"])
    # How far away it is says more than a part of the date.
    return text if width_of(text) <= width else moments.rough(task["next_run_time"])


def facts_text(reading: Reading, zone: str) -> str:
    """Return the figures behind the verdict in one line."""
    counts = reading.counts
    if not counts:
        return ""
    holder = reading.holder
    return translate(
        "top.facts",
        process=NOTHING if holder is None else holder["pid"],
        tasks=counts["total_tasks"],
        running=counts["running_tasks"],
        waiting=counts["waiting"],
        retrying=counts["retrying"],
        zone=zone,
    )


def needs_texts(reading: Reading, width: int) -> list[str]:
    """Return what needs somebody, a cause a line; of many the first."""
    lines = []
    for cause, ids in reading.causes[:_NEEDS]:
        names = ", ".join(ids[:_NAMED])
        if len(ids) > _NAMED:
            names = translate("top.and_more", names=names, count=len(ids) - _NAMED)
        lines.append(cut(f"✕ {names}: {cause}", width).rstrip())
    if len(reading.causes) > _NEEDS and lines:
        more = translate("top.more_causes", count=len(reading.causes) - _NEEDS)
        room = width - width_of(more) - 2
        lines[-1] = f"{cut(lines[-1], room).rstrip()}  {more}"
    return lines


def running_texts(reading: Reading, now: int, width: int, height: int) -> list[str]:
    """Return what runs, the longest-running first, in at most so many lines."""
    shown = list(reading.running)
    is_cut = len(shown) > height
    lines = [
        standing_text(run, now, reading.usual.get(run["task_id"]), width=width)
        for run in shown[: height - is_cut]
    ]
    if is_cut:
        lines.append(translate("top.more_running", count=len(shown) - height + 1))
    return lines


def coming_text(reading: Reading, moments: Moments, width: int) -> str:
    """Return what is next of all tasks, as much as fits into a line."""
    text = translate("top.coming")
    is_first = True
    for task in reading.coming:
        if task["next_run_time"] is None:
            continue
        part = (
            f"{'' if is_first else ' · '}{moments.coming(task['next_run_time'])} {task['task_id']}"
        )
        if width_of(text + part) > width and not is_first:
            break
        text, is_first = text + showable(part), False
    if is_first:
        text += translate("top.nothing_comes")
    return cut(text, width).rstrip()


def log_title(reading: Reading | None, width: int, *, is_following: bool) -> str:
    """Return the line above the output: of which run it is, and how that stands."""
    run = None if reading is None else reading.run
    if run is None:
        return cut(translate("top.no_log"), width)
    words: Sequence[str] = (
        f"{run['task_id']} #{run['run_id']}",
        translate(f"cli.state_{run['state']}"),
        *([duration_text(run["duration_seconds"])] if run["duration_seconds"] is not None else []),
        *([translate("top.attempt", number=run["attempt"])] if (run["attempt"] or 0) > 1 else []),
        *([translate("top.following")] if is_following else [translate("top.scrolled")]),
    )
    return cut(" · ".join(words), width)
