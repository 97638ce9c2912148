"""The report of a case: its table, its targets and its surroundings, as Markdown and as JSON.

Responsible for: how results are shown. Measures nothing.
"""

from __future__ import annotations

import statistics
from typing import Any

from benchmarks.charts import chart
from benchmarks.contests import Case, Contender, Verdict, is_of_peer, judge
from benchmarks.measured import cell, number_text, ratio, title
from benchmarks.measuring import Measured

__all__ = ["document", "drawing", "page"]

_HIDDEN = ("count",)


def page(case: Case, measured: Measured, facts: dict[str, Any]) -> str:
    """Return the Markdown page of a case."""
    lines = [f"# {case.name}", "", f"{case.what[0].upper()}{case.what[1:]}.", ""]
    if measured.results:
        lines += [f"N = {measured.count:,}, {measured.rounds} rounds.", "", *_table(case, measured)]
        lines += ["", f"![{case.name}]({case.name}.svg)", ""]
    lines += _targets(judge(case, measured.results))
    if measured.not_tried:
        lines += ["## Without figures", ""]
        for name, reason in measured.not_tried.items():
            lines.append(f"- {name}: {reason.splitlines()[-1]}")
        lines.append("")
    lines += _losses(case)
    lines += ["## Measured on", ""]
    loads = measured.loads or [0.0]
    lines += [f"- {name}: {value}" for name, value in facts["machine"].items()]
    lines.append(f"- load average before each turn: {min(loads)} to {max(loads)}")
    lines += [f"- commit: {facts['commit']}", f"- date: {facts['date']}"]
    for environment, versions in facts["versions"].items():
        named = ", ".join(f"{name} {version}" for name, version in versions.items())
        lines.append(f"- {environment}: {named}")
    return "\n".join([*lines, ""])


def document(case: Case, measured: Measured, facts: dict[str, Any]) -> dict[str, Any]:
    """Return everything as JSON values."""
    return {
        "case": case.name,
        "what": case.what,
        "count": measured.count,
        "rounds": measured.rounds,
        **facts,
        "load_averages": measured.loads,
        "results": measured.results,
        "medians": {
            line: {name: statistics.median(values) for name, values in figures.items()}
            for line, figures in measured.results.items()
        },
        "not_tried": measured.not_tried,
        "targets": [
            {
                "contender": verdict.target.contender,
                "figure": verdict.target.figure,
                "wanted": verdict.wanted,
                "measured": verdict.measured,
                "is_met": verdict.is_met,
            }
            for verdict in judge(case, measured.results)
        ],
    }


def drawing(case: Case, measured: Measured) -> str:
    """Return the chart of a case."""
    names = case.charted or _figures(measured)[:1]
    groups = {
        name: {line: found[name] for line, found in measured.results.items() if name in found}
        for name in names
    }
    ours = [line for line in measured.results if _contender_of(case, line).environment == "ours"]
    return chart(case.name, {name: group for name, group in groups.items() if group}, ours)


def _table(case: Case, measured: Measured) -> list[str]:
    """Return the rows: each figure beside how many times better the line of reference is."""
    results = measured.results
    reference = case.reference or next(iter(results))
    base = results.get(reference, {})
    figures = _figures(measured)
    head = " | ".join(f"{title(name)} | ratio" for name in figures)
    lines = [f"| contender | {head} |", "|---" * (1 + 2 * len(figures)) + "|"]
    for line, found in results.items():
        cells = [f"**{line}**" if line == reference else line]
        for name in figures:
            values = found.get(name)
            if values is None:
                cells += ["", ""]
                continue
            cells.append(cell(values))
            is_compared = name in base and line != reference
            cells.append(_ratio_text(ratio(name, base[name], values)) if is_compared else "")
        lines.append(f"| {' | '.join(cells)} |")
    note = f"Cells are `median (least-greatest)`. Ratio: how many times better {reference} is."
    return [*lines, "", note]


def _ratio_text(value: float) -> str:
    return f"{number_text(value)}x" if value < 1_000_000 else "-"


def _figures(measured: Measured) -> list[str]:
    """Return the figures of all lines, in the order in which they were first printed."""
    names: dict[str, None] = {}
    for found in measured.results.values():
        names |= dict.fromkeys(name for name in found if name not in _HIDDEN)
    return list(names)


def _targets(verdicts: list[Verdict]) -> list[str]:
    if not verdicts:
        return []
    words = {True: "met", False: "**not met**", None: "not measured"}
    lines = ["## Targets", "", "| of | target | measured | |", "|---|---|---|---|"]
    for verdict in verdicts:
        is_met = words[verdict.is_met]
        name = verdict.target.contender
        lines.append(f"| {name} | {verdict.wanted} | {verdict.measured} | {is_met} |")
    return [*lines, ""]


def _losses(case: Case) -> list[str]:
    """Return what each loses in a crash: a figure says little without it."""
    known = [contender for contender in case.contenders if contender.loses]
    if not any(is_of_peer(contender) for contender in known):
        return []
    lines = ["## What is lost when it is killed in the middle", ""]
    return [*lines, *(f"- {contender.name}: {contender.loses}" for contender in known), ""]


def _contender_of(case: Case, line: str) -> Contender:
    """Return whose line it is: one contender may have several."""
    named = [c for c in case.contenders if line == c.name or line.startswith(f"{c.name}, ")]
    return max(named, key=lambda contender: len(contender.name))
