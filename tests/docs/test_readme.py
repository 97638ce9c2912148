"""The README's program runs as printed, and says something within a second or two."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from tests.integration.facade.bench import eventually

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_program_of_the_readme_runs_as_printed_until_it_is_told_to_end(tmp_path: Path) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "program.py").write_text(block, encoding="utf-8")
    (tmp_path / "client").mkdir()
    (tmp_path / "client" / "updata.py").write_text("open('uploaded', 'w').close()")
    said = tmp_path / "said"
    with said.open("wb") as output:
        program = subprocess.Popen(
            [sys.executable, "-u", "program.py"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(README.parent), "LC_ALL": "C"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )

    def has_worked() -> bool:
        return "alive" in said.read_text() and (tmp_path / "uploaded").exists()

    eventually("the first runs", has_worked)
    program.send_signal(signal.SIGINT)

    assert program.wait(20) == 0
    assert "Traceback" not in said.read_text()
