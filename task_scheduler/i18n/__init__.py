"""Message catalogues: every sentence a user sees, in English, 中文 and 日本語.

Responsible for: finding the sentence of a key in the current language and filling it in.
Knows nothing of who shows the sentence.

A key is ``area.name``; the sentences of one area and language are one file,
``catalogues/<area>.<language>.json``, read at the first use of the area. A test keeps the three
languages complete and their placeholders equal.
"""

from __future__ import annotations

import functools
import json
from importlib import resources

__all__ = [
    "LANGUAGES",
    "current_language",
    "language_of",
    "preload",
    "set_language",
    "translate",
    "translate_into",
]

LANGUAGES = ("en", "zh", "ja")
"""The languages that have a catalogue; the first is the fallback."""

_current = LANGUAGES[0]


def set_language(tag: str) -> str:
    """Choose the language of the process from a tag such as ``zh``, ``ja_JP.UTF-8`` or ``C``.

    Returns the language chosen: that of the tag where a catalogue exists, else English.
    """
    global _current
    _current = language_of(tag)
    return _current


def current_language() -> str:
    """Return the language in which `translate` answers now."""
    return _current


def language_of(tag: str) -> str:
    """Return the catalogue language of a locale tag; English where there is none."""
    language = tag.replace("-", "_").split("_", 1)[0].split(".", 1)[0].lower()
    return language if language in LANGUAGES else LANGUAGES[0]


def translate(key: str, /, **values: object) -> str:
    """Return the sentence of `key` in the current language with `values` filled in.

    An unknown key returns the key itself with its values: a missing sentence must never hide the
    fact that it was to tell.
    """
    return translate_into(_current, key, **values)


def translate_into(language: str, key: str, /, **values: object) -> str:
    """Return what `translate` would if `language` were the current one."""
    area, _, name = key.partition(".")
    try:
        sentence = _catalogue(area, language).get(name) or _catalogue(area, LANGUAGES[0]).get(name)
    except OSError:
        # Without a descriptor left, say; see `preload`.
        sentence = None
    if sentence is None:
        return f"{key} {values!r}" if values else key
    try:
        return sentence.format_map(values)
    except (KeyError, IndexError, ValueError):
        return f"{sentence} {values!r}"


def preload(*areas: str) -> None:
    """Read catalogues that are needed when files cannot be read any more."""
    for area in areas:
        for language in (_current, LANGUAGES[0]):
            _catalogue(area, language)


@functools.lru_cache(maxsize=64)
def _catalogue(area: str, language: str) -> dict[str, str]:
    """Read one catalogue file; an area without one is empty."""
    path = resources.files(__package__) / "catalogues" / f"{area}.{language}.json"
    try:
        sentences: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return sentences
