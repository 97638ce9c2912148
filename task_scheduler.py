"""Run the farm's predefined tasks: the original's ``python task_scheduler.py``.

The package of the same name beside this file wins every import of ``task_scheduler``.
"""

import importlib.util
import sys
from pathlib import Path

NEEDS = (
    "click",
    "holidays",
    "httpx",
    "prometheus_client",
    "psutil",
    "pydantic",
    "pymodbus",
    "rich",
    "tzdata",
    "yaml",
)

if __name__ == "__main__":
    missing = [name for name in NEEDS if importlib.util.find_spec(name) is None]
    if sys.version_info < (3, 11) or missing:
        lacks = f"lacks {', '.join(missing)}" if missing else "is older than 3.11"
        here = Path(__file__).resolve().parent
        sys.exit(
            f"task_scheduler: {sys.executable} {lacks}. This sets up all it needs and starts:\n"
            f"    {here}/scripts/run"
        )

    from task_scheduler.presets.farm.main import main

    sys.exit(main(sys.argv[1:]))
