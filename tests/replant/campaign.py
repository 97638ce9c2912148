"""The campaign: every bug is planted, and the layers of the arsenal are asked until one catches it.

Responsible for: the order, the cursor that lets a broken-off campaign go on, and what is known of
each bug in the end.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.replant.bugs import BUGS, Bug, PlantingError
from tests.replant.layers import LAYERS, Layer, tests_of
from tests.replant.seeds import seeds_until_caught
from tests.replant.workshop import Answer, Verdict, Workshop

__all__ = ["Campaign", "Finding", "summary"]

UNPLANTED = "unplanted"


@dataclass(slots=True)
class Finding:
    """What became of one bug."""

    name: str
    verdict: str
    layer: str = ""
    """The first layer that caught it."""
    test: str = ""
    seconds: float = 0.0
    layers: dict[str, str] = field(default_factory=dict)
    """What each layer said that was asked."""
    seeds: int | None = None
    """After how many seeds the simulation caught it; 0: not within those that were tried."""
    detail: str = ""


class Campaign:
    """Plant bugs one after the other, in a workshop of its own."""

    def __init__(
        self,
        workshop: Workshop,
        *,
        layers: Sequence[Layer] = LAYERS,
        is_asking_all: bool = False,
        most_seeds: int = 0,
    ) -> None:
        self._workshop = workshop
        self._layers = layers
        self._is_asking_all = is_asking_all
        self._most_seeds = most_seeds

    def fault_without_a_bug(self, bugs: Sequence[Bug]) -> str:
        """Return what fails already where nothing is planted, with its output; empty for nothing.

        As long as anything does, a failure proves nothing.
        """
        for layer in self._layers:
            tests = dict.fromkeys(test for bug in bugs for test in tests_of(layer, bug))
            answer = self._workshop.ask(list(tests))
            if answer.verdict != Verdict.SURVIVED:
                return f"{layer.name}: {answer.test}\n{_end_of(answer)}"
        return ""

    def try_out(self, bug: Bug) -> Finding:
        """Plant one bug and ask."""
        finding = Finding(bug.name, Verdict.SURVIVED)
        try:
            with self._workshop.planted(bug):
                self._ask_layers(bug, finding)
                if self._most_seeds:
                    finding.seeds = seeds_until_caught(self._workshop, self._most_seeds)
        except PlantingError as error:
            return Finding(bug.name, UNPLANTED, detail=str(error))
        if finding.seeds and finding.verdict == Verdict.SURVIVED:
            finding.verdict, finding.layer = Verdict.CAUGHT, "simulation"
        return finding

    def _ask_layers(self, bug: Bug, finding: Finding) -> None:
        for layer in self._layers:
            tests = tests_of(layer, bug)
            if not tests:
                continue
            answer = self._workshop.ask(tests)
            finding.layers[layer.name] = answer.verdict
            finding.seconds = round(finding.seconds + answer.seconds, 1)
            if answer.verdict == Verdict.SURVIVED:
                continue
            if answer.verdict == Verdict.BROKEN:
                finding.verdict, finding.detail = Verdict.BROKEN, _end_of(answer)
                return
            if finding.verdict == Verdict.SURVIVED:
                finding.verdict, finding.layer, finding.test = (
                    answer.verdict,
                    layer.name,
                    answer.test,
                )
            if not self._is_asking_all:
                return


def go_through(
    campaign: Campaign,
    cursor: Path,
    *,
    bugs: Sequence[Bug] = BUGS,
    tell: Callable[[Finding], None],
) -> list[Finding]:
    """Try all bugs out; a series that was broken off goes on where it stopped."""
    known = _read(cursor)
    findings = []
    for bug in bugs:
        finding = known.get(bug.name)
        if finding is None:
            finding = campaign.try_out(bug)
            known[bug.name] = finding
            _write(cursor, known)
            tell(finding)
        findings.append(finding)
    cursor.unlink(missing_ok=True)
    return findings


def summary(findings: Sequence[Finding]) -> str:
    """Return the figures as one line, and what is wrong as more."""
    counts = {
        verdict: [f for f in findings if f.verdict == verdict]
        for verdict in (Verdict.CAUGHT, Verdict.SURVIVED, Verdict.BROKEN, UNPLANTED)
    }
    lines = [", ".join(f"{len(found)} {verdict}" for verdict, found in counts.items())]
    if len(counts[Verdict.CAUGHT]) == len(findings):
        # The rule of three: with none in n tries, the rate is below 3/n at 95 % confidence.
        lines[0] += (
            f"; below {3 / max(1, len(findings)):.1%} of such bugs survive (95 % confidence)"
        )
    for verdict in (Verdict.SURVIVED, Verdict.BROKEN, UNPLANTED):
        lines += [
            f"{verdict}: {f.name}{': ' + f.detail if f.detail else ''}" for f in counts[verdict]
        ]
    return "\n".join(lines)


def _end_of(answer: Answer) -> str:
    return "\n".join(answer.output.splitlines()[-12:])


def _read(cursor: Path) -> dict[str, Finding]:
    if not cursor.exists():
        return {}
    saved: Mapping[str, dict[str, object]] = json.loads(cursor.read_text("utf-8"))
    return {name: Finding(**values) for name, values in saved.items()}  # type: ignore[arg-type]


def _write(cursor: Path, known: Mapping[str, Finding]) -> None:
    cursor.parent.mkdir(parents=True, exist_ok=True)
    new = cursor.with_suffix(".new")
    new.write_text(json.dumps({name: asdict(f) for name, f in known.items()}), "utf-8")
    new.replace(cursor)
