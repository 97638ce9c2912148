"""What a code of an error means, as `tsk help` shows it and docs/errors.md lists it.

Responsible for: the page of one code, the list of all, and the documents:
``python -m task_scheduler.cli.error_pages docs`` writes them. What they say is in the catalogue.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from task_scheduler.error_codes import AREAS, CODES
from task_scheduler.i18n import LANGUAGES, translate, translate_into

__all__ = ["document", "document_name", "list_items", "page_items"]


def page_items(code: str) -> list[tuple[str, str]]:
    """Return the facts of one code: what it means, where it comes from, what to type next."""
    return [
        (code, translate(f"codes.{code}")),
        (translate("codes.cause"), translate(f"codes.{code}_cause")),
        (translate("codes.next"), translate(f"codes.{code}_next")),
    ]


def list_items() -> list[tuple[str, list[tuple[str, str]]]]:
    """Return every area with its codes and what they mean."""
    return [
        (
            translate(f"codes.area_{area}"),
            [(code, translate(f"codes.{code}")) for code in _codes_of(area)],
        )
        for area in AREAS
    ]


def document_name(language: str) -> str:
    """Return the name of the document in a language; the first language has the plain one."""
    return "errors.md" if language == LANGUAGES[0] else f"errors.{language}.md"


def document(language: str) -> str:
    """Return the document of all codes in a language."""

    def say(name: str, **values: object) -> str:
        return translate_into(language, f"codes.{name}", **values)

    lines = [f"# {say('page_title')}", "", say("page_head"), ""]
    others = [each for each in LANGUAGES if each != language]
    lines += [" · ".join(f"[{each}]({document_name(each)})" for each in others)]
    heads = [say(name) for name in ("column_code", "column_meaning", "column_cause", "column_next")]
    for area in AREAS:
        lines += ["", f"## E{area}: {say(f'area_{area}')}", "", _row(heads), "|---|---|---|---|"]
        lines += [
            _row([code, say(code), say(f"{code}_cause"), say(f"{code}_next")])
            for code in _codes_of(area)
        ]
    return "\n".join(lines) + "\n"


def _codes_of(area: str) -> list[str]:
    return [code for code in CODES if code[1] == area]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    for each in LANGUAGES:
        Path(sys.argv[1], document_name(each)).write_text(document(each), encoding="utf-8")
