"""Show every kind of task and finish by itself: the original's ``python task_examples.py``."""

import importlib.util
import os
import sys
from pathlib import Path

NEEDS = (
    "click",
    "h11",
    "holidays",
    "httpx",
    "prometheus_client",
    "psutil",
    "pydantic",
    "rich",
    "tzdata",
    "yaml",
)

SENTENCES = {
    "old": {
        "en": "{python} is older than Python 3.11.",
        "zh": "{python} 早于 Python 3.11。",
        "ja": "{python} は Python 3.11 より前の版です。",
    },
    "lacks": {
        "en": "{python} lacks {missing}.",
        "zh": "{python} 缺少 {missing}。",
        "ja": "{python} には {missing} がありません。",
    },
    "remedy": {
        "en": "These set up all it needs and start:",
        "zh": "以下两条命令会安装所需的一切并启动：",
        "ja": "次の 2 つのコマンドが必要なものをすべて用意して起動します:",
    },
}


def sentence(key):
    """Return a sentence in the language of the machine; this must run without any package."""
    names = ("LC_ALL", "LC_MESSAGES", "LANG")
    tag = next((os.environ[name] for name in names if os.environ.get(name)), "en")[:2]
    return SENTENCES[key].get(tag, SENTENCES[key]["en"])


if __name__ == "__main__":
    missing = [name for name in NEEDS if importlib.util.find_spec(name) is None]
    if sys.version_info < (3, 11) or missing:
        told = sentence("lacks" if missing else "old")
        told = told.format(python=sys.executable, missing=", ".join(missing))
        here = Path(__file__).resolve().parent
        # Where scripts/setup makes it.
        venv = os.environ.get("TASK_SCHEDULER_VENV") or f"{here}/.venv"
        sys.exit(
            f"task_scheduler: {told}\n{sentence('remedy')}\n"
            f"    {here}/scripts/setup\n    {venv}/bin/python {here}/task_examples.py"
        )

    from task_scheduler.presets.examples import main

    sys.exit(main(sys.argv[1:]))
