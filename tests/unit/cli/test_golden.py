"""What a person sees, letter by letter, in three languages at 80 columns.

A change that is meant: ``TASK_SCHEDULER_RENEW_GOLDEN=1 scripts/test tests/unit/cli``, and read the
difference.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from task_scheduler.cli.display_width import width_of
from task_scheduler.i18n import LANGUAGES
from tests.unit.cli.made_ledger import MadeLedger

GOLDEN = Path(__file__).with_name("golden")
COMMANDS = (
    "ls",
    "ls --failed",
    "status",
    "show data_upload",
    "runs",
    "runs --skips",
    "next -n 5",
    "logs data_upload",
    "check",
    "help exit-codes",
    "--help",
    "logs --help",
    "show hartbeat",
)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_reads_as_it_was_approved(farm: MadeLedger, language: str) -> None:
    pages = []
    for line in COMMANDS:
        answer = farm.tsk("--lang", language, *line.split())
        pages.append(f"$ tsk {line}\n{answer.out}-- stderr, exit {answer.code}\n{answer.err}")
    text = "\n".join(pages).replace(str(farm.folder), "/farm")
    text = "\n".join(line.rstrip() for line in text.split("\n"))
    path = GOLDEN / f"{language}.txt"
    if os.environ.get("TASK_SCHEDULER_RENEW_GOLDEN"):
        path.write_text(text, encoding="utf-8")

    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("line", ["ls", "runs", "runs --skips", "next", "logs --help"])
def test_no_line_is_wider_than_the_terminal(farm: MadeLedger, language: str, line: str) -> None:
    answer = farm.tsk("--lang", language, *line.split())

    assert [line for line in answer.out.splitlines() if width_of(line) > 80] == []
