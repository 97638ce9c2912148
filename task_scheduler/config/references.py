"""References in values: ``${env:NAME}``, ``${env:NAME:-default}`` and ``${file:path}``.

Responsible for: replacing them. ``$${`` is a plain ``${``. What has another form, such as
``${HOME}``, is left as it is: it may be meant for the program that is started.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from task_scheduler.config.home_paths import home_path
from task_scheduler.errors import ConfigError
from task_scheduler.i18n import translate

__all__ = ["References"]

_REFERENCE = re.compile(r"\$\$\{|\$\{(?P<kind>env|file):(?P<body>[^}]*)(?P<end>\}?)")
_VARIABLE = re.compile(r"(?P<name>[^:]+)(?P<rest>:-(?P<default>.*))?", re.DOTALL)
_SIZE_LIMIT = 1024 * 1024
"""Bytes of a referenced file: a secret or a certificate, not data."""


@dataclass(frozen=True, slots=True)
class References:
    """Where references lead: the environment, and the folder where relative paths start."""

    environ: Mapping[str, str]
    folder: Path

    def resolve(self, text: str) -> tuple[str, bool]:
        """Return the text with its references replaced, and whether it was nothing but one.

        Raises ConfigError where one leads nowhere.
        """
        if "${" not in text:
            return text, False
        match = _REFERENCE.fullmatch(text)
        is_single = match is not None and match["kind"] is not None
        return _REFERENCE.sub(self._replacement, text), is_single

    def _replacement(self, match: re.Match[str]) -> str:
        if match["kind"] is None:
            return "${"
        if not match["end"]:
            raise ConfigError("config.open_reference", reference=match.group())
        return self._variable(match) if match["kind"] == "env" else self._file(match)

    def _variable(self, match: re.Match[str]) -> str:
        parts = _VARIABLE.fullmatch(match["body"])
        if parts is None:
            raise ConfigError("config.bad_reference", reference=match.group())
        value = self.environ.get(parts["name"])
        # As in a shell, :- also stands in for a variable that is set to nothing.
        if parts["rest"] and not value:
            return str(parts["default"])
        if value is None:
            raise ConfigError("config.no_variable", reference=match.group(), name=parts["name"])
        return value

    def _file(self, match: re.Match[str]) -> str:
        """Return the content of a file without its last line break."""
        if not match["body"].strip():
            raise ConfigError("config.bad_reference", reference=match.group())
        try:
            path = self.folder / home_path(match["body"])
            if path.exists() and not path.is_file():
                raise _unreadable(match, path, translate("config.no_regular_file"))
            with path.open("rb") as file:
                data = file.read(_SIZE_LIMIT + 1)
            if len(data) > _SIZE_LIMIT:
                reason = translate("config.long_file", limit=_SIZE_LIMIT)
                raise _unreadable(match, path, reason)
            return data.decode("utf-8").removesuffix("\n").removesuffix("\r")
        except OSError as error:
            raise _unreadable(match, path, error.strerror or str(error)) from error
        except UnicodeDecodeError:
            raise _unreadable(match, path, translate("config.not_text")) from None
        except (ValueError, RuntimeError) as error:  # a NUL in the path; no home folder
            if isinstance(error, ConfigError):
                raise
            raise _unreadable(match, Path(match["body"]), str(error)) from error


def _unreadable(match: re.Match[str], path: Path, reason: str) -> ConfigError:
    return ConfigError(
        "config.reference_unreadable", reference=match.group(), path=str(path), reason=reason
    )
