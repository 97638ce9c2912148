"""The shapes of a benchmark: a case, its contenders, and what we want to reach.

Responsible for: those shapes, and whether a target is met.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from benchmarks.measured import is_more_better, number_text, ratio, title

__all__ = ["Case", "Contender", "Guard", "Results", "Target", "Verdict", "is_of_peer", "judge"]

Results = Mapping[str, Mapping[str, Sequence[float]]]
"""By contender, by figure: one value a round."""


class Contender(NamedTuple):
    """One line of a case: how it is called, its script and the script's options."""

    name: str
    script: str
    options: tuple[str, ...] = ()
    environment: str = "ours"
    """The environment that it runs in (`environments.py`)."""
    share: float = 1.0
    """The part of the case's count that it gets, where the whole would take too long."""
    is_peer: bool = True
    """Whether it is somebody else's; not so of our own, nor of a floor: a loop without features."""
    loses: str = ""
    """What it loses when it is killed in the middle, of what was acknowledged."""


class Target(NamedTuple):
    """What issue 6 asks of one of our contenders."""

    figure: str
    contender: str
    bound: float | None = None
    """At least this, or at most, as the figure's name says."""
    times: float | None = None
    """Or: at least so many times better than the best peer."""
    beside: tuple[str, ...] = ()
    """The peers that are meant; empty: all."""


class Guard(NamedTuple):
    """A ratio of ours to a peer that must not become clearly worse."""

    figure: str
    contender: str
    peer: str


class Case(NamedTuple):
    """The same work for everybody."""

    name: str
    what: str
    contenders: tuple[Contender, ...]
    """The first is ours."""
    count: int
    quick: int
    """The count of a short run, which the guard takes."""
    targets: tuple[Target, ...] = ()
    guards: tuple[Guard, ...] = ()
    charted: tuple[str, ...] = ()
    """The figures of the chart; empty: the first."""
    reference: str = ""
    """The line that ratios are taken of; empty: the first."""


class Verdict(NamedTuple):
    """Whether a target was met."""

    target: Target
    wanted: str
    measured: str
    is_met: bool | None
    """None: it was not measured."""


def is_of_peer(contender: Contender) -> bool:
    """Whether it is neither ours nor a floor."""
    return contender.is_peer and contender.environment != "ours"


def judge(case: Case, results: Results) -> list[Verdict]:
    """Return what became of the targets of a case."""
    return [_judge(case, target, results) for target in case.targets]


def _judge(case: Case, target: Target, results: Results) -> Verdict:
    values = results.get(target.contender, {}).get(target.figure)
    is_more = is_more_better(target.figure)
    name = title(target.figure)
    if target.bound is not None:
        wanted = f"{name} {'>=' if is_more else '<='} {number_text(target.bound)}"
        if not values:
            return Verdict(target, wanted, "-", None)
        middle = statistics.median(values)
        is_met = middle >= target.bound if is_more else middle <= target.bound
        return Verdict(target, wanted, number_text(middle), is_met)
    wanted = f"{name} {target.times:g}x better than the best peer"
    names = target.beside or tuple(c.name for c in case.contenders if is_of_peer(c))
    ratios = {
        peer: ratio(target.figure, values, theirs)
        for peer in names
        if values and (theirs := results.get(peer, {}).get(target.figure))
    }
    if not ratios or target.times is None:
        return Verdict(target, wanted, "-", None)
    best = min(ratios, key=lambda peer: ratios[peer])
    return Verdict(target, wanted, f"{ratios[best]:.2g}x ({best})", ratios[best] >= target.times)
