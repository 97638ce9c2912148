"""A process that confines itself and becomes the program: ``...confined PLAN ARGUMENTS...``.

Prints a refusal as JSON and ends with 99.
"""

from __future__ import annotations

import json
import os
import sys

from task_scheduler.confinement.plan import confine
from task_scheduler.confinement.refusal import StartRefusedError

REFUSED = 99


def main() -> int | None:
    """Start the program of the arguments."""
    try:
        argv, program = confine(json.loads(sys.argv[1]), [os.fsencode(a) for a in sys.argv[2:]])
    except StartRefusedError as refusal:
        print(json.dumps([refusal.reason, refusal.what]))
        return REFUSED
    os.execve(program or argv[0], argv, dict(os.environ))
    return None


if __name__ == "__main__":
    sys.exit(main())
