"""docs/troubleshooting.md: every command of the page answers what the page says, step by step."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.walkthrough import ROOT, Reader, sections_of

PAGE = ROOT / "docs" / "troubleshooting.md"
ORIGINAL = ROOT / "tests" / "docs" / "original-readme.zh.md"
SECTIONS = sections_of(PAGE)
TROUBLES = {
    "A task does not run": "任务不执行",
    "A script fails": "脚本执行失败",
    "It takes too much memory": "内存使用过高",
}
"""The page's headings, and what the original README calls them."""


@pytest.mark.parametrize("title", SECTIONS)
def test_the_way_through_a_trouble_is_as_the_page_says(title: str, tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    try:
        for step in SECTIONS[title]:
            reader.does(step)
    finally:
        reader.leaves()


def test_the_page_has_the_troubles_of_the_original() -> None:
    original = ORIGINAL.read_text(encoding="utf-8")
    listed = original.partition("### 常见问题")[2]
    troubles = re.findall(r"^\d\. \*\*(.+)\*\*$", listed, re.MULTILINE)

    assert list(TROUBLES.values()) == troubles
    assert set(TROUBLES) <= set(SECTIONS)


def test_every_document_that_it_links_to_exists() -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", PAGE.read_text(encoding="utf-8"))

    assert sorted(link for link in links if not (PAGE.parent / link).exists()) == []
