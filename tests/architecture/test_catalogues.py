"""Every sentence exists, in every language, with the same values in it."""

from __future__ import annotations

import ast
import json
import re
import string
from collections.abc import Iterator

import pytest

from task_scheduler.i18n import LANGUAGES
from tests.architecture.source_tree import PACKAGE, ROOT, SourceFile, files_under

CATALOGUES = ROOT / PACKAGE / "i18n" / "catalogues"


def catalogue(area: str, language: str) -> dict[str, str]:
    """Return the sentences of one area in one language."""
    path = CATALOGUES / f"{area}.{language}.json"
    sentences: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return sentences


def areas() -> list[str]:
    """Return the areas that have a catalogue in any language."""
    return sorted({path.name.split(".", 1)[0] for path in CATALOGUES.glob("*.json")})


@pytest.mark.parametrize("area", areas())
def test_an_area_says_the_same_in_every_language(area: str) -> None:
    english = catalogue(area, "en")
    for language in LANGUAGES[1:]:
        other = catalogue(area, language)

        assert sorted(other) == sorted(english), f"keys of {area}.{language}.json"
        for name, sentence in english.items():
            assert placeholders(other[name]) == placeholders(sentence), f"{area}.{name}, {language}"


def placeholders(sentence: str) -> set[str]:
    """Return the names that a sentence leaves open."""
    return {field for _, field, _, _ in string.Formatter().parse(sentence) if field is not None}


def test_every_sentence_that_the_code_names_is_in_the_catalogue() -> None:
    known = {f"{area}.{name}" for area in areas() for name in catalogue(area, "en")}

    unknown = [
        f"{file.at(node)} the sentence {key!r} is in no catalogue: add it to"
        f" {CATALOGUES.relative_to(ROOT)}/{key.split('.', 1)[0]}.<en|zh|ja>.json"
        for file in files_under(PACKAGE)
        for key, node in _sentences_named_in(file)
        if key not in known
    ]

    assert not unknown, "\n" + "\n".join(unknown)


def _sentences_named_in(file: SourceFile) -> Iterator[tuple[str, ast.Call]]:
    """Yield the keys given literally to `translate` and to our errors."""
    for node in ast.walk(file.tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        caller = ast.unparse(node.func).rpartition(".")[2]
        key = node.args[0]
        if caller != "translate" and not caller.endswith("Error"):
            continue
        text = key.value if isinstance(key, ast.Constant) else None
        if isinstance(text, str) and re.fullmatch(r"[a-z]\w*\.[a-z]\w*", text):
            yield text, node
