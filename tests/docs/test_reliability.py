"""What the page of evidence names exists: documents, tests, commands; and it has every promise."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reliability.md"


@pytest.fixture(scope="module")
def text() -> str:
    return PAGE.read_text(encoding="utf-8")


def test_every_test_and_script_that_it_names_exists(text: str) -> None:
    named = set(re.findall(r"(?<![\w/])((?:tests|scripts|benchmarks)/[\w./-]*\w)", text))

    assert {"scripts/soak", "scripts/stops", "tests/checker"} <= named
    assert sorted(path for path in named if not (ROOT / path).exists()) == []


def test_every_document_that_it_links_to_exists(text: str) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text)

    assert sorted(link for link in links if not (PAGE.parent / link).exists()) == []


def test_every_option_that_it_names_is_one_of_the_command(text: str) -> None:
    missing = []
    for script, option in re.findall(r"`scripts/(\w+) (--[\w-]+)", text):
        (module,) = re.findall(r"-m (\S+)", (ROOT / "scripts" / script).read_text(encoding="utf-8"))
        program = ROOT / Path(*module.split(".")) / "__main__.py"
        if f'"{option}"' not in program.read_text(encoding="utf-8"):
            missing.append(f"scripts/{script} {option}")

    assert missing == []


def test_every_promise_of_the_readme_has_its_evidence(text: str) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    promises = re.findall(r"^\d\. \*([^*]+)\*", readme, re.MULTILINE)

    headings = [title.rstrip(".") for title in re.findall(r"^## \d\. (.+)$", text, re.MULTILINE)]

    assert headings == [promise.rstrip(".") for promise in promises]
    assert len(headings) == 7


def test_every_zero_has_its_number_of_tries_and_its_bound(text: str) -> None:
    table = text[text.index("## Figures") : text.index("## Stops")]
    rows = [line.split("|") for line in table.splitlines() if line.startswith("| ")][1:]

    assert len(rows) >= 8
    for row in rows:
        what, tries, wrong, bound = (cell.strip() for cell in row[1:5])
        if wrong != "0" or not bound.endswith("%"):
            continue
        number = int(tries.split()[0].replace(",", ""))
        assert float(bound.rstrip(" %")) == pytest.approx(300 / number, rel=0.1), what
