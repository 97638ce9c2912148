"""The farm as a folder of the user's own: ``tsk init --preset farm``.

Responsible for: which files make a farm, where the bundled ones lie, and writing those that a
folder lacks. Never changes a file that is there.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["SCRIPTS", "bundled_file", "write_farm"]

_HERE = Path(__file__).resolve().parent

SCRIPTS = {
    "data_upload": "client/updata.py",
    "sensor_collection": "sensor_data_collection.py",
    "heartbeat": "client/heart_beat.py",
}
"""The script of each predefined task, relative to the farm's folder."""

_TRANSLATED = ("scheduler_config.json", "farm.toml", "README.md")


def bundled_file(name: str, language: str) -> Path:
    """Return the bundled file that stands for `name` in a farm's folder."""
    if name in _TRANSLATED:
        return _HERE / "starting_point" / language / name
    return _HERE / name


def write_farm(folder: Path, language: str) -> list[tuple[Path, bool]]:
    """Write a farm into a folder; return each file, and whether it was written or kept as it was.

    `language` is ``en``, ``zh`` or ``ja``. Raises OSError where the folder cannot be written.
    """
    outcome = []
    for name in (*_TRANSLATED, *SCRIPTS.values()):
        path = folder / name
        content = bundled_file(name, language).read_bytes()
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            # Exclusive: even a file that appears at this moment is somebody's own.
            with path.open("xb") as file:
                if name == "farm.toml":
                    path.chmod(0o600)  # it may come to hold a token
                file.write(content)
        except FileExistsError:
            outcome.append((path, False))
        else:
            outcome.append((path, True))
    return outcome
