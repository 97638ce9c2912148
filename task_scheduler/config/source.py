"""The file of a configuration: finding it and reading its text.

Responsible for: where a file is looked for, which kinds there are, and saying what is wrong with
one that cannot be read as UTF-8 text. Knows nothing of what it says.
"""

from __future__ import annotations

import codecs
from pathlib import Path

from task_scheduler.errors import ConfigError
from task_scheduler.i18n import translate

__all__ = ["DEFAULT_NAME", "DEFAULT_NAMES", "SUFFIXES", "default_file", "read_text"]

DEFAULT_NAME = "scheduler_config.json"
SUFFIXES = (".json", ".toml", ".yaml", ".yml", ".py")
"""Of the kinds of files there are; whatever ends otherwise is read as JSON."""
DEFAULT_NAMES = tuple(f"scheduler_config{suffix}" for suffix in SUFFIXES if suffix != ".py")
"""What is read where no file is named. No Python: it would run whatever lies in a folder."""
_SIZE_LIMIT = 16 * 1024 * 1024
"""Bytes. Room for some 50,000 declared tasks; more is a slip, such as the path of the database."""
_FOREIGN_SUFFIXES = frozenset({".ini", ".cfg", ".xml"})
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def default_file(folder: Path) -> Path | None:
    """Return the configuration file of a folder; None if it has none.

    Raises ConfigError where there are several: which one was meant, nobody can know.
    """
    paths = [folder / name for name in DEFAULT_NAMES]
    # A dangling link, or a folder of that name, was meant to be read: it is told, not passed over.
    found = [path for path in paths if path.exists() or path.is_symlink()]
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise ConfigError("config.several_files", folder=str(folder), names=names)
    return found[0] if found else None


def read_text(path: Path) -> str:
    """Return the text of a file; raises ConfigError that says what stands in the way."""
    name = str(path)
    if path.suffix.lower() in _FOREIGN_SUFFIXES:
        raise ConfigError("config.not_json_file", path=name, suffix=path.suffix)
    try:
        if path.is_dir():
            raise ConfigError("config.is_folder", path=name, default=DEFAULT_NAME)
        if path.exists() and not path.is_file():
            reason = translate("config.no_regular_file")
            raise ConfigError("config.unreadable", path=name, reason=reason)
        with path.open("rb") as file:
            data = file.read(_SIZE_LIMIT + 1)
    except FileNotFoundError:
        raise ConfigError("config.missing_file", path=name) from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError("config.unreadable", path=name, reason=reason) from error
    except ValueError as error:  # a NUL character in the path
        raise ConfigError("config.unreadable", path=repr(name), reason=str(error)) from error
    if len(data) > _SIZE_LIMIT:
        raise ConfigError("config.too_big", path=name, limit=_SIZE_LIMIT)
    return _decoded(data, name)


def _decoded(data: bytes, name: str) -> str:
    if data.startswith(codecs.BOM_UTF8):
        raise ConfigError("config.byte_order_mark", path=name)
    if data.startswith(_UTF_16):
        raise ConfigError("config.utf_16", path=name)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = len(before.rpartition(b"\n")[2].decode("utf-8")) + 1
        byte = data[error.start]
        raise ConfigError(
            "config.not_utf_8", path=name, line=line, column=column, byte=f"0x{byte:02x}"
        ) from None
