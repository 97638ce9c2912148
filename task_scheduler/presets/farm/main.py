"""The farm's predefined tasks in the foreground: ``python task_scheduler.py``, ``scripts/run``.

Responsible for: which scripts and settings run (the user's own before the bundled ones), standing
in for a device or server that is not configured, and telling where everything is. Scheduling is the
scheduler's.
"""

from __future__ import annotations

import argparse
import os
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from task_scheduler.config import Config
from task_scheduler.config.settings import Settings
from task_scheduler.errors import TaskSchedulerError
from task_scheduler.i18n import translate
from task_scheduler.presets.farm.demo import Demo, DemoError
from task_scheduler.presets.farm.starter import SCRIPTS, bundled_file
from task_scheduler.presets.language import choose_language
from task_scheduler.scheduler import TaskScheduler

__all__ = ["main"]

_STATE = ".scheduler"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the farm of the current folder until told to stop; return the exit code."""
    choose_language(None, os.environ)
    options = _parser().parse_args(argv)
    choose_language(options.lang, os.environ)
    try:
        # As if the user had started there: relative paths of settings and scripts mean that folder.
        os.chdir(options.dir)
        settings = Config.load().settings
        language = choose_language(options.lang or settings.scheduler.language, os.environ)
        return _run(_Farm.found_in(Path.cwd(), language), settings)
    except KeyboardInterrupt:
        return 130
    except (TaskSchedulerError, DemoError, OSError) as error:
        print(translate("farm.cannot_start", reason=error), file=sys.stderr)
        return 1


@dataclass(frozen=True, slots=True)
class _Farm:
    """What a folder holds of a farm, and what stands in for the rest."""

    folder: Path
    language: str
    has_own_table: bool
    """Whether devices and server are in a farm.toml of its own."""
    needs_device: bool
    needs_server: bool

    @classmethod
    def found_in(cls, folder: Path, language: str) -> _Farm:
        """Look at a folder; raises OSError where its farm.toml cannot be read."""
        has_own_table = (folder / "farm.toml").exists()
        own = {task_id for task_id, script in SCRIPTS.items() if (folder / script).exists()}
        table = _read_table(
            folder / "farm.toml" if has_own_table else bundled_file("farm.toml", language)
        )
        has_device = all(device.get("host") for device in table.get("devices", []))
        has_server = bool(table.get("server", {}).get("url") or os.environ.get("FARM_SERVER_URL"))
        # Scripts of the user's own with no farm.toml have their own way to devices and server.
        uses_device = has_own_table or "sensor_collection" not in own
        uses_server = has_own_table or not own >= {"data_upload", "heartbeat"}
        return cls(
            folder,
            language,
            has_own_table,
            needs_device=uses_device and not has_device and not os.environ.get("FARM_DEVICE"),
            needs_server=uses_server and not has_server,
        )

    @property
    def data(self) -> Path:
        """Return where the scripts keep their data."""
        return self.folder / "data" if self.has_own_table else self.folder / _STATE / "farm"

    def variables(self, log: Path) -> dict[str, str]:
        """Return what the scripts are told by the environment."""
        table = (
            self.folder if self.has_own_table else bundled_file("farm.toml", self.language).parent
        )
        return {
            "FARM_FOLDER": str(table),
            "FARM_DATA": str(self.data),
            "FARM_LOG": str(log),
            "FARM_LANGUAGE": self.language,
        }

    def entries(self, log_dir: Path) -> dict[str, Any]:
        """Return the predefined tasks, each with the user's own script where there is one."""
        config = Config.load(bundled_file("scheduler_config.json", self.language), environ={})
        entries = {name: dict(entry) for name, entry in config.plain()["entries"].items()}
        for task_id, script in SCRIPTS.items():
            own = self.folder / script
            if own.exists():
                # What arguments it takes only its author knows.
                entries[task_id].update(script_path=str(own), args=[])
            else:
                entries[task_id]["script_path"] = str(bundled_file(script, self.language))
        entries["log_cleanup"]["log_dir"] = str(log_dir)
        return entries


def _run(farm: _Farm, settings: Settings) -> int:
    options: dict[str, Any] = {"language": farm.language}
    if not settings.entries:
        options["entries"] = farm.entries(settings.logging.log_dir)
    state = farm.folder / _STATE
    state.mkdir(mode=0o700, exist_ok=True)
    (state / "farm").mkdir(mode=0o700, exist_ok=True)
    with Demo(state / "farm") as demo:
        places = _start_missing(farm, demo)
        os.environ.update(farm.variables(settings.logging.path))
        scheduler = TaskScheduler(**options)
        places |= {
            "readings": farm.data / "farm.db",
            "ledger": settings.storage.path,
            "log": settings.logging.path,
        }
        _tell(farm.folder, places)
        return scheduler.run_forever()


def _start_missing(farm: _Farm, demo: Demo) -> dict[str, Any]:
    """Start what stands in for device and server, tell the scripts, and return where they are."""
    places = {}
    if farm.needs_device:
        places["device"] = demo.start("pond_device")
        os.environ["FARM_DEVICE"] = places["device"].partition("://")[2]
    if farm.needs_server:
        database = str(farm.folder / _STATE / "farm" / "collector.db")
        places["collector"] = demo.start("collector", "--database", database)
        os.environ["FARM_SERVER_URL"] = places["collector"]
    return places


def _tell(folder: Path, places: Mapping[str, Any]) -> None:
    """Print where everything is."""
    print(translate("farm.runs_in", folder=folder))
    sentences = {
        "device": translate("farm.at_device"),
        "collector": translate("farm.at_collector"),
        "readings": translate("farm.at_readings"),
        "ledger": translate("farm.at_ledger"),
        "log": translate("farm.at_log"),
    }
    for name, place in places.items():
        print(f"  {place}  {sentences[name]}")
    print(translate("farm.how_to_stop"), flush=True)


def _read_table(path: Path) -> dict[str, Any]:
    """Return a farm.toml; one that is broken stops the start instead of every script."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise OSError(f"{path}: {error}") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="task_scheduler.py",
        description=translate("farm.help_main"),
    )
    parser.add_argument("--dir", type=Path, default=Path(), help=translate("farm.help_dir"))
    parser.add_argument("--lang", metavar="LANG", help=translate("farm.help_lang"))
    return parser


if __name__ == "__main__":
    sys.exit(main())
