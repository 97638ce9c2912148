"""The simulation as a catcher: after how many seeds it names a planted bug.

Responsible for: asking one seed after the other. It runs in the workshop itself, as a program.
"""

from __future__ import annotations

import re
import sys

from tests.replant.workshop import Workshop

__all__ = ["seeds_until_caught"]

_SECONDS = 60.0
"""A seed takes a second at most: a series that takes so long hangs in its last one."""
_DAYS = 40.0


def seeds_until_caught(workshop: Workshop, most: int) -> int:
    """Return after how many seeds the simulation failed; 0 where none of them did."""
    code, output, _ = workshop.run(
        ["-m", "tests.replant.seeds", str(most)], seconds=_SECONDS + 2.0 * most
    )
    begun = re.findall(r"^seed (\d+)$", output, re.MULTILINE)
    return 0 if code == 0 else int(begun[-1]) if begun else 1


def main(most: int) -> int:
    """Live seeds, random worlds and years by turns; 1 at the first in which something is wrong."""
    from tests.simulation.campaign import live

    for number in range(1, most + 1):
        print(f"seed {number}", flush=True)
        name = f"w{number}" if number % 2 else str(number)
        if live(name, days=_DAYS).violation is not None:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
