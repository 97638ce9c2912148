"""The environments of the peers: pinned to exact versions, apart from ours and from each other.

Responsible for: making one from its list (`environments/*.txt`) where it is missing or the list has
changed, and for the interpreter that a contender runs with. ``python -m benchmarks.environments``
makes all of them; `scripts/setup bench` does that.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["OURS", "make", "python_of", "versions_of"]

OURS = "ours"
_LISTS = Path(__file__).with_name("environments")
_ROOT = Path(__file__).resolve().parent.parent


def names() -> list[str]:
    """Return the environments that there are lists for."""
    return sorted(path.stem for path in _LISTS.glob("*.txt"))


def python_of(name: str) -> str:
    """Return the interpreter of an environment; raises FileNotFoundError where it was not made."""
    if name == OURS:
        return sys.executable
    python = _folder(name) / "bin" / "python"
    if not (_folder(name) / "installed-for").exists():
        raise FileNotFoundError(f"{python} is not there; make it with: scripts/setup bench")
    return str(python)


def versions_of(name: str) -> dict[str, str]:
    """Return what is installed in an environment, by name."""
    done = subprocess.run(
        [python_of(name), "-m", "pip", "freeze", "--disable-pip-version-check"],
        capture_output=True,
        text=True,
        check=False,
    )
    pairs = (line.partition("==") for line in done.stdout.splitlines() if "==" in line)
    return {package: version for package, _, version in pairs}


def make(name: str) -> None:
    """Make an environment, or leave it alone if it has what its list says.

    Raises SystemExit with pip's words where the packages are not to be had.
    """
    folder, wanted = _folder(name), (_LISTS / f"{name}.txt").read_text(encoding="utf-8")
    stamp = folder / "installed-for"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    sys.stderr.write(f"task_scheduler: installing the peers of '{name}' into '{folder}'\n")
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    done = subprocess.run(
        [
            *(str(folder / "bin" / "python"), "-m", "pip", "install"),
            *("--disable-pip-version-check", "--no-deps", "-r", str(_LISTS / f"{name}.txt")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"the packages of '{name}' could not be installed:\n{done.stderr}")
    stamp.write_text(wanted, encoding="utf-8")


def _folder(name: str) -> Path:
    """Return where an environment lies: beside ours."""
    ours = os.environ.get("TASK_SCHEDULER_VENV") or str(_ROOT / ".venv")
    return Path(f"{Path(ours).absolute()}-bench-{name}")


def main() -> None:
    """Make every environment."""
    for name in names():
        make(name)


if __name__ == "__main__":
    main()
