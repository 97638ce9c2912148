"""Whether a figure rises: the slope of a straight line through its samples, and how sure that is.

Responsible for: ordinary least squares, with the interval widened for samples that follow each
other (a figure that stays where it was for ten samples is one observation rather than ten).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean


@dataclass(frozen=True, slots=True)
class Trend:
    """A slope and its 95 % confidence interval, per unit of x."""

    slope: float
    low: float
    high: float

    @property
    def is_flat(self) -> bool:
        """Whether the interval contains 0."""
        return self.low <= 0 <= self.high


def trend_of(xs: Sequence[float], ys: Sequence[float]) -> Trend:
    """Fit ``y = a + slope * x``; needs at least 8 samples."""
    count = len(xs)
    if count < 8:
        raise ValueError(f"{count} samples tell nothing of a trend; at least 8 are needed")
    mean_x, mean_y = fmean(xs), fmean(ys)
    spread = sum((x - mean_x) ** 2 for x in xs)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread
    rest = [y - mean_y - slope * (x - mean_x) for x, y in zip(xs, ys, strict=True)]
    squares = sum(r * r for r in rest)
    if squares == 0:
        return Trend(slope, slope, slope)
    # Of n samples whose neighbours resemble each other by r, about n (1-r) / (1+r) are independent
    # (the first-order correction of Bayley and Hammersley, 1946).
    likeness = max(0.0, sum(a * b for a, b in itertools.pairwise(rest)) / squares)
    independent = max(4.0, count * (1 - likeness) / (1 + likeness))
    error = math.sqrt(squares / count * independent / (independent - 2) / (spread / count))
    error /= math.sqrt(independent)
    reach = _student(independent - 2) * error
    return Trend(slope, slope - reach, slope + reach)


def _student(freedom: float) -> float:
    """Return the 97.5 % quantile of Student's t (expansion of Cornish and Fisher)."""
    z = NormalDist().inv_cdf(0.975)
    first = (z**3 + z) / (4 * freedom)
    second = (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    return z + first + second + third
