"""Findings have their sentences, and one of them is the bottleneck."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import task_scheduler.doctor
from task_scheduler.doctor.findings import CHECKS, Finding, Level, bottleneck, worst

SOURCES = sorted(Path(task_scheduler.doctor.__file__).parent.glob("*.py"))


def sentences() -> set[str]:
    """Return the keys of the catalogue."""
    path = resources.files("task_scheduler.i18n") / "catalogues" / "doctor.en.json"
    return set(json.loads(path.read_text(encoding="utf-8")))


def named() -> Iterator[str]:
    """Yield every sentence that a finding names literally."""
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Finding":
                for keyword in node.keywords:
                    if keyword.arg in ("sentence", "remedy"):
                        yield from _texts(keyword.value)


def _texts(value: ast.expr) -> Iterator[str]:
    for node in ast.walk(value):
        # Only what a choice ends in, not what it hangs on.
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
            yield node.value


def test_every_sentence_of_a_finding_is_in_the_catalogue() -> None:
    found = set(named())

    assert len(found) > 30
    assert found - sentences() == set()


def test_every_check_has_its_name() -> None:
    assert {f"check_{check}" for check in CHECKS} - sentences() == set()


def of(check: str, level: Level) -> Finding:
    return Finding(check=check, level=level, sentence="faults_none")


def test_the_bottleneck_is_the_cause_and_not_what_follows_from_it() -> None:
    found = [
        of("lateness", Level.PROBLEM),
        of("seats", Level.PROBLEM),
        of("commits", Level.WARNING),
        of("clock", Level.WARNING),
    ]

    cause = bottleneck(found)

    assert cause is not None
    assert cause.check == "commits"


def test_what_is_fine_or_unknown_is_no_bottleneck() -> None:
    found = [of("seats", Level.FINE), of("commits", Level.UNKNOWN), of("zones", Level.WARNING)]

    assert bottleneck(found) is None
    assert worst(found) is Level.WARNING


def test_a_finding_travels_as_plain_values() -> None:
    finding = Finding(
        check="zones",
        level=Level.WARNING,
        sentence="zones_old",
        remedy="zones_remedy",
        command="apt-get install tzdata",
        figures={"version": "2019a", "years": 7},
    )

    assert json.loads(json.dumps(finding.plain())) == {
        "check": "zones",
        "level": "warning",
        "sentence": "edition 2019a is 7 years old: countries have changed their clocks since",
        "figures": {"version": "2019a", "years": 7},
        "remedy": "Bring it up to date: apt-get install tzdata",
        "command": "apt-get install tzdata",
    }
