"""What the documents name exists: commands, files, links; and the original is the original."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys

import pytest

from tests.architecture.source_tree import PACKAGE, ROOT


def test_the_original_readme_is_the_original() -> None:
    text = (ROOT / "tests" / "docs" / "original-readme.zh.md").read_bytes()

    assert hashlib.sha256(text).hexdigest() == (
        "ac82516b48d5a14583824c406cf4ac45c371dc211a58f694dbec0677c24b4e53"
    ), "tests/docs/original-readme.zh.md is a verbatim copy: take it back from the history"


def shell_lines_of(document: str) -> list[str]:
    """Return the commands in a document's shell blocks."""
    blocks = re.findall(
        r"^ *```(?:bash|sh|shell|console)\n(.*?)^ *```", document, re.MULTILINE | re.DOTALL
    )
    lines = [line.strip().removeprefix("$ ") for block in blocks for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_every_script_that_a_document_names_exists(name: str) -> None:
    text = _read_document(name)
    named = set(re.findall(r"(?<![\w/])(?:\./)?((?:scripts|\.ci)/[\w./-]*\w)", text))
    for line in shell_lines_of(text):
        named.update(re.findall(r"^(?:\S*/)?python3? ([\w./-]+\.py)\b", line))

    assert named, f"{name} names no command at all"
    assert sorted(path for path in named if not (ROOT / path).is_file()) == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_every_link_to_a_file_leads_somewhere(name: str) -> None:
    links = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", _read_document(name))

    assert sorted(link for link in links if not (ROOT / link).exists()) == []


def test_every_subcommand_in_the_readme_exists() -> None:
    named = set()
    for line in shell_lines_of(_read_document("README.md")):
        named.update(re.findall(r"^(?:\S*/)?(?:tsk|task-scheduler) ([a-z][\w-]*)", line))

    unknown = [name for name in sorted(named) if not _is_subcommand(name)]

    assert unknown == []


def _is_subcommand(name: str) -> bool:
    done = subprocess.run(
        [sys.executable, "-m", PACKAGE, name, "--help"], capture_output=True, cwd=ROOT, check=False
    )
    return done.returncode == 0


def _read_document(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")
