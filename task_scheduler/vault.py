"""The vault: where secrets come from, and what takes their place until a program starts.

Responsible for: the references ``${secret:NAME}`` and ``${secret-file:NAME}`` in the environment of
tasks. What is stored, shown and logged is the reference; the value is read at each start, handed
over, and masked from then on wherever it appears.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from task_scheduler.errors import DefinitionError
from task_scheduler.masking import SHORTEST, Masker

__all__ = ["SecretSource", "Vault"]

_REFERENCE = re.compile(r"\$\{secret:(?P<name>[^}]*)\}")
_FILE_REFERENCE = re.compile(r"\$\{secret-file:(?P<name>[^}]*)\}")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_SIZE_LIMIT = 1024 * 1024
_CREDENTIALS = "CREDENTIALS_DIRECTORY"
"""Where systemd puts the credentials of a service (`LoadCredential=`)."""


@dataclass(frozen=True, slots=True)
class SecretSource:
    """Where a secret lies: in a file, in a variable of the scheduler, or among its credentials."""

    kind: str
    place: str


@dataclass(slots=True)
class Vault:
    """Finds secrets by name, and lets what it found be masked."""

    sources: Mapping[str, SecretSource] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    masker: Masker = field(default_factory=Masker)

    @property
    def variables(self) -> set[str]:
        """The variables of the scheduler that hold secrets; no task inherits them."""
        return {source.place for source in self.sources.values() if source.kind == "env"}

    def fill(self, env: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        """Return an environment with its secrets, and the contents of files that it wants.

        A variable that is nothing but ``${secret-file:NAME}`` is to name a file with the secret.
        Raises DefinitionError for a secret that cannot be found.
        """
        filled, files = {}, {}
        for variable, value in env.items():
            wanted = _FILE_REFERENCE.fullmatch(value)
            if wanted is not None:
                files[variable] = self.read(wanted["name"])
            else:
                filled[variable] = _REFERENCE.sub(lambda match: self.read(match["name"]), value)
        return filled, files

    def read(self, name: str) -> str:
        """Return a secret as it is now; a line break at its end is not part of it.

        Raises DefinitionError where it cannot be found or read.
        """
        if not _NAME.fullmatch(name):
            raise DefinitionError("confinement.bad_secret_name", name=name)
        source = self.sources.get(name) or SecretSource("credential", name)
        value = self._value(name, source)
        if len(value.encode("utf-8", "surrogateescape")) >= SHORTEST:
            self.masker.learn([value])
        return value

    def _value(self, name: str, source: SecretSource) -> str:
        if source.kind == "env":
            value = self.environ.get(source.place)
            if value is None:
                raise DefinitionError("confinement.no_secret", name=name, place=f"${source.place}")
            return value
        if source.kind == "credential":
            folder = self.environ.get(_CREDENTIALS)
            if folder is None:
                raise DefinitionError("confinement.unknown_secret", name=name)
            return _content(name, Path(folder) / source.place)
        return _content(name, Path(source.place))


def _content(name: str, path: Path) -> str:
    try:
        # Not blocking: a pipe in its place must not hold the start of a task.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(_SIZE_LIMIT + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DefinitionError(
            "confinement.secret_unreadable", name=name, path=str(path), reason=reason
        ) from error
    if len(data) > _SIZE_LIMIT or b"\0" in data:
        raise DefinitionError("confinement.secret_unfit", name=name, path=str(path))
    return data.decode("utf-8", "surrogateescape").removesuffix("\n").removesuffix("\r")
