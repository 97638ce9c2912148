"""Inputs from a seed: sound ones, cut up, mixed, and salted with what breaks parsers.

Responsible for: making them, each from one random number generator, so that a seed and a number are
an input.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

__all__ = ["mutated"]

SALT = (
    "",
    "\0",
    "\n",
    "\r\n",
    "\t",
    " ",
    "\u202e",
    "\u2028",
    "\x1b[2J",
    "\ud800",
    "\U0001f41f",
    "é",
    "0",
    "-1",
    "1e400",
    "-0",
    "NaN",
    "Infinity",
    "null",
    "true",
    "[]",
    "{}",
    '"',
    "'",
    "\\",
    "/",
    "*",
    ",",
    "-",
    "#",
    "?",
    "L",
    "W",
    "H",
    "~",
    ";",
    ":",
    "=",
    "..",
    "../../etc/passwd",
    "${env:HOME}",
    "${file:/etc/passwd}",
    "${secret:x}",
    "%s",
    "%n",
    "{0}",
    "{x.__class__}",
    "9" * 30,
    "9" * 5_000,
    "1-59/1," * 50,
    "(" * 200,
    "[" * 3_000,
    "a" * 3_000,
    "__class__",
    "__proto__",
    "os:system",
    "builtins:exec",
    "<script>",
    "'; DROP TABLE runs; --",
    "9999",
    "10000",
    "-9223372036854775809",
    "18446744073709551616",
    "0x10",
    "1_000",
    "٣",
    "²",
)


def mutated(draw: random.Random, corpus: Sequence[str]) -> str:
    """Return one input: a sound one, changed in one to six ways."""
    text = draw.choice(corpus)
    for _ in range(draw.choice((1, 1, 1, 2, 3, 6))):
        text = draw.choice(_CHANGES)(draw, text, corpus)
    return text[:20_000]


def _insert(draw: random.Random, text: str, _: Sequence[str]) -> str:
    at = draw.randint(0, len(text))
    return text[:at] + draw.choice(SALT) + text[at:]


def _replace(draw: random.Random, text: str, _: Sequence[str]) -> str:
    begin = draw.randint(0, len(text))
    end = min(len(text), begin + draw.choice((1, 1, 2, 5, 20)))
    return text[:begin] + draw.choice(SALT) + text[end:]


def _cut(draw: random.Random, text: str, _: Sequence[str]) -> str:
    begin = draw.randint(0, len(text))
    return text[:begin] + text[begin + draw.choice((1, 2, 10, 100)) :]


def _double(draw: random.Random, text: str, _: Sequence[str]) -> str:
    begin = draw.randint(0, len(text))
    piece = text[begin : begin + draw.choice((1, 3, 10, 40))]
    return text[:begin] + piece * draw.choice((2, 3, 50)) + text[begin:]


def _cross(draw: random.Random, text: str, corpus: Sequence[str]) -> str:
    other = draw.choice(corpus)
    return text[: draw.randint(0, len(text))] + other[draw.randint(0, len(other)) :]


def _flip(draw: random.Random, text: str, _: Sequence[str]) -> str:
    if not text:
        return text
    at = draw.randrange(len(text))
    return text[:at] + chr(ord(text[at]) ^ (1 << draw.randrange(8))) + text[at + 1 :]


def _number(draw: random.Random, text: str, _: Sequence[str]) -> str:
    digits = [index for index, mark in enumerate(text) if mark.isdigit()]
    if not digits:
        return text
    at = draw.choice(digits)
    return text[:at] + str(draw.choice((0, 1, 7, 59, 60, 99, 2**31, 2**63, -1))) + text[at + 1 :]


_CHANGES: tuple[Callable[[random.Random, str, Sequence[str]], str], ...] = (
    _insert, _replace, _replace, _cut, _double, _cross, _flip, _number,
)  # fmt: skip
