"""``python -m tests.checker HISTORY.json``: the verdict over a history that a campaign left.

Responsible for: the command line alone.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests import checker
from tests.checker.shrinking import rows_of


def main(path: str) -> int:
    """Print what is wrong with a history; the exit code says whether anything is."""
    history = checker.from_plain(json.loads(Path(path).read_text()))
    found = checker.violations(history)
    print(checker.figures(history), *(violation.show() for violation in found), sep="\n")
    if found:
        print("", "The first of them, in as few rows as show it:", sep="\n")
        print(*rows_of(checker.shrink(history, found[0])), sep="\n")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
