"""The language in which a program of the presets speaks.

Responsible for: reading the user's choice. Knows no sentence.
"""

from __future__ import annotations

from collections.abc import Mapping

from task_scheduler.i18n import set_language

__all__ = ["choose_language"]


def choose_language(option: str | None, environ: Mapping[str, str]) -> str:
    """Speak the language of `option`, else of the locale; return it as ``en``, ``zh`` or ``ja``."""
    names = ("FARM_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
    return set_language(option or next((environ[name] for name in names if environ.get(name)), ""))
