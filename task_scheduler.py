"""Run the farm's predefined tasks: the original's ``python task_scheduler.py``.

The package of the same name beside this file wins every import of ``task_scheduler``.
"""

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
    "pymodbus",
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
        "en": "This sets up all it needs and starts:",
        "zh": "以下命令会安装所需的一切并启动：",
        "ja": "次のコマンドが必要なものをすべて用意して起動します:",
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
        sys.exit(f"task_scheduler: {told}\n{sentence('remedy')}\n    {here}/scripts/run")

    from task_scheduler.presets.farm.main import main

    sys.exit(main(sys.argv[1:]))
