"""How long ``import NAME`` and ``PROGRAM --help`` take in a fresh interpreter, by the median.

``--modules a,b`` imports each of them; ``--help-of prog`` is a program beside the interpreter. The
cost of an empty interpreter, measured in between, is taken off the import and left in the program.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

import figures

OPTIONS = figures.options(10, modules="", help_of="")


def took(command: list[str]) -> float:
    """Return the seconds of one start."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")
    return time.perf_counter() - began


def main() -> None:
    imports = ";".join(f"import {name}" for name in OPTIONS.modules.split(",") if name)
    program = [f"{Path(sys.executable).parent}/{OPTIONS.help_of}", "--help"]
    bare, loaded, helped = [], [], []
    for _ in range(OPTIONS.count):
        bare.append(took([sys.executable, "-c", "pass"]))
        if imports:
            loaded.append(took([sys.executable, "-c", imports]))
        if OPTIONS.help_of:
            helped.append(took(program))
    found = {}
    if loaded:
        found["import_ms"] = (statistics.median(loaded) - statistics.median(bare)) * 1_000
    if helped:
        found["help_ms"] = statistics.median(helped) * 1_000
    figures.say(**found)


if __name__ == "__main__":
    main()
