"""What the last whole campaign found, and the document that tells of it.

Responsible for: `results.json` and docs/regressions.md. Everything in the document follows from the
rows, the bugs and the results; `test_replant` checks that it is as they are.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.regressions.rows import FILES, ROWS, Row
from tests.replant.bugs import BUGS, Bug
from tests.replant.campaign import Finding

__all__ = ["DOCUMENT", "document", "keep", "results"]

DOCUMENT = Path(__file__).parents[2] / "docs" / "regressions.md"
_RESULTS = Path(__file__).with_name("results.json")
_HEAD = """\
# Bugs that others had

The list is made of threads of other schedulers: 88 bugs that were lived through elsewhere, and what
each of them was. Each that can happen here has a test of its own in `tests/regressions`, named
after its first thread. `scripts/replant --keep` writes this document, from
`tests/regressions/rows.toml` and `tests/replant`; a test checks that it is true.

```bash
scripts/test tests/regressions     # all of them, in seconds
scripts/replant                    # the same bugs planted into our source: is each of them caught?
```
"""
_REPLANTED = """\
## Planted again

A test that never failed proves little. So the bugs of the list are planted into a copy of today's
source (`tests/replant/bugs.toml`: a file, lines that stand in it once, and what takes their place),
and the tests have to fail: first those that are named after the row, then the layers of the
arsenal, the quickest first. `scripts/replant` plants all of them, `--all-layers` asks every layer
about every bug, `--seeds N` lets the simulation look for it. CI plants a few, drawn by a seed, and
checks that each can still be planted.
"""


def results() -> dict[str, dict[str, Any]]:
    """Return what was found last of each bug, by its name."""
    if not _RESULTS.exists():
        return {}
    found: dict[str, dict[str, Any]] = json.loads(_RESULTS.read_text("utf-8"))
    return found


def keep(findings: Sequence[Finding]) -> None:
    """Remember what a campaign found, and write the document anew."""
    known = results()
    for finding in findings:
        kept = known.setdefault(finding.name, {})
        kept |= {"verdict": finding.verdict, "layer": finding.layer, "test": finding.test}
        if len(finding.layers) > 1:
            kept["layers"] = finding.layers
        if finding.seeds is not None:
            kept["seeds"] = finding.seeds
    known = {bug.name: known[bug.name] for bug in BUGS if bug.name in known}
    _RESULTS.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n", "utf-8")
    DOCUMENT.write_text(document(), "utf-8")


def document() -> str:
    """Return the text of docs/regressions.md."""
    without = [row for row in ROWS if not row.tests]
    lines = [_HEAD, f"{len(ROWS) - len(without)} of {len(ROWS)} rows have a test.\n"]
    for letter, title, file, first, last in FILES:
        lines += [f"## {letter}. {title}\n", f"`tests/regressions/{file}`\n"]
        lines += ["| # | threads | what happened | tests |", "|---|---|---|---|"]
        lines += [_row(row) for row in ROWS[first - 1 : last]]
        lines.append("")
    return "\n".join([*lines, _REPLANTED, *_planted(results())]) + "\n"


def _row(row: Row) -> str:
    tests = "<br>".join(f"`{name}`" for name in row.tests)
    cell = "<br>".join(part for part in (tests, row.note) if part)
    return f"| {row.number} | {row.threads} | {_escaped(row.symptom)} | {cell} |"


def _planted(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    caught = [bug for bug in BUGS if found.get(bug.name, {}).get("verdict") == "caught"]
    lines = [f"Caught: {len(caught)} of {len(BUGS)} bugs of {len({bug.row for bug in BUGS})} rows."]
    if len(caught) == len(BUGS):
        lines[0] += f" Below {3 / len(BUGS):.1%} of such bugs survive (rule of three, 95 %)."
    layers = Counter(found[bug.name]["layer"] for bug in caught)
    lines[0] += (
        " First layer: " + ", ".join(f"{n} {name}" for name, n in layers.most_common()) + "."
    )
    seeds = sorted(n for bug in BUGS if (n := found.get(bug.name, {}).get("seeds")))
    asked = sum(found.get(bug.name, {}).get("seeds") is not None for bug in BUGS)
    if seeds:
        middle = seeds[len(seeds) // 2]
        lines[0] += f" The simulation found {len(seeds)} of {asked}, half of them by seed {middle}."
    lines += [
        "",
        "| row | bug | file | caught by | other layers | seeds |",
        "|---|---|---|---|---|---|",
    ]
    return [*lines, *(_bug(bug, found.get(bug.name, {})) for bug in BUGS)]


def _bug(bug: Bug, found: Mapping[str, Any]) -> str:
    test = str(found.get("test", "")).partition("::")[2].partition("[")[0]
    by = f"{found.get('layer', '')}: `{test}`" if test else str(found.get("layer", "not asked yet"))
    first = found.get("layer")
    others = [n for n, v in found.get("layers", {}).items() if v == "caught" and n != first]
    seeds = {None: "", 0: "none"}.get(found.get("seeds"), str(found.get("seeds")))
    cells = (bug.row, _escaped(bug.name), f"`{bug.file}`", by, ", ".join(others), seeds)
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")
