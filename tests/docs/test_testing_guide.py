"""docs/testing.md says what is: its examples run as printed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.docs.document import ROOT, blocks_of, environment, run

BLOCKS = blocks_of(ROOT / "docs" / "testing.md")


def test_the_month_of_the_first_example_prints_what_the_guide_says(tmp_path: Path) -> None:
    assert run(tmp_path, BLOCKS["python 1"]) == BLOCKS["text 1"].text


def test_the_example_with_a_fixture_passes(tmp_path: Path) -> None:
    (tmp_path / "test_backup.py").write_text(BLOCKS["python 2"].text, encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_backup.py"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
