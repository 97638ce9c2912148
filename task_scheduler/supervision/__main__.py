"""The launcher as a program: ``python -I -S .../supervision/__main__.py <socket> <folder>``.

Responsible for: finding the package without site-packages and without the user's environment, in
which anything may stand.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Serve the orders that come through the socket."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    # Last on the path: a file of the user's that is named like a standard module must not win.
    sys.path.append(os.path.dirname(package))

    from task_scheduler.supervision.memory_layout import fill_holes

    # Before our own modules are loaded, of which supervisors use nearly everything.
    fill_holes()
    from task_scheduler.supervision.launcher import serve

    serve(int(sys.argv[1]), os.fsencode(sys.argv[2]))


if __name__ == "__main__":
    main()
