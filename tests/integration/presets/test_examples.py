"""``python task_examples.py`` shows every kind of task and finishes by itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source_tree import ROOT


@pytest.mark.parametrize(
    ("locale", "word"),
    [("C.UTF-8", "succeeded in"), ("zh_CN.UTF-8", "成功"), ("ja_JP.UTF-8", "再試行")],
)
def test_the_examples_finish_by_themselves(tmp_path: Path, locale: str, word: str) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "task_examples.py")],
        env={**os.environ, "LC_ALL": locale, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert word in done.stdout
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
