"""Show every kind of task and finish by itself: the original's ``python task_examples.py``."""

import importlib.util
import sys
from pathlib import Path

NEEDS = (
    "click",
    "holidays",
    "prometheus_client",
    "psutil",
    "pydantic",
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
            f"task_scheduler: {sys.executable} {lacks}. These set up all it needs and start:\n"
            f"    {here}/scripts/setup\n    {here}/.venv/bin/python {here}/task_examples.py"
        )

    from task_scheduler.presets.examples import main

    sys.exit(main(sys.argv[1:]))
