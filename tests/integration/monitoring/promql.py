"""As much of PromQL as is needed to know what an expression asks for.

Responsible for: the metrics of an expression with the labels and values that it matches, and the
labels by which it groups or joins.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<range>\[[^\]]*\])
      | (?P<number>[0-9][0-9.eE+]*[a-z]*)
      | (?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)
      | (?P<sign>=~|!~|!=|==|<=|>=|[-+*/%^=<>(){},])
    )""",
    re.VERBOSE,
)
_GROUPING = {"by", "without", "on", "ignoring", "group_left", "group_right"}
_WORDS = {"and", "or", "unless", "bool", "offset"}


@dataclass
class Selector:
    """One metric of an expression: label -> the values that it matches, as they stand there."""

    metric: str
    matchers: dict[str, str] = field(default_factory=dict)


@dataclass
class Asked:
    """What an expression asks for."""

    selectors: list[Selector]
    labels: set[str]

    @property
    def metrics(self) -> set[str]:
        return {selector.metric for selector in self.selectors}


def asked(expression: str) -> Asked:
    """Return what an expression asks for; raises ValueError for one that cannot be read."""
    tokens = list(_tokens(expression))
    found = Asked([], set())
    at = 0
    while at < len(tokens):
        kind, text = tokens[at]
        following = tokens[at + 1][1] if at + 1 < len(tokens) else ""
        if kind != "name" or text in _WORDS:
            at += 1
        elif text in _GROUPING:
            end = next(n for n in range(at, len(tokens)) if tokens[n][1] == ")")
            found.labels |= {name for sort, name in tokens[at + 1 : end] if sort == "name"}
            at = end + 1
        elif following == "(" or following in _GROUPING:
            at += 1  # a function, or an aggregation
        else:
            selector = Selector(text)
            found.selectors.append(selector)
            at += 1
            if following == "{":
                end = next(n for n in range(at, len(tokens)) if tokens[n][1] == "}")
                for n in range(at + 1, end):
                    if tokens[n][0] == "name":
                        selector.matchers[tokens[n][1]] = tokens[n + 2][1][1:-1]
                at = end + 1
    if not found.selectors:
        raise ValueError(f"no metric in {expression!r}")
    return found


def _tokens(expression: str) -> Iterator[tuple[str, str]]:
    at = 0
    expression = expression.strip()
    while at < len(expression):
        match = _TOKEN.match(expression, at)
        if match is None:
            raise ValueError(f"cannot read {expression[at:]!r}")
        at = match.end()
        if match.lastgroup != "range":
            yield str(match.lastgroup), match[str(match.lastgroup)]
