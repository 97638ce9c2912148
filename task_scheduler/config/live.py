"""`LiveMapping`: the configuration as nested dicts that refuse what would make it wrong.

Responsible for: reading and writing like a dict at any depth. Whoever holds the values decides
whether a change is allowed.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, Protocol

from task_scheduler.config.problems import KeyPath
from task_scheduler.config.settings import TWINS

__all__ = ["LiveHolder", "LiveMapping"]


class LiveHolder(Protocol):
    """Who has the values; either method is atomic, and changes nothing when it raises."""

    def plain(self) -> Mapping[str, Any]:
        """Return the values of the moment; they are not to be changed."""
        ...

    def assign(self, path: KeyPath, values: Mapping[str, Any]) -> None:
        """Set keys of the mapping at a path; raises ConfigError."""
        ...

    def remove(self, path: KeyPath) -> None:
        """Remove a key; raises ConfigError where it has to stay."""
        ...


class LiveMapping(MutableMapping[str, Any]):
    """One mapping of the configuration, at the moment of each access.

    A list that is read is a copy: change it and assign it again.
    """

    def __init__(self, holder: LiveHolder, path: KeyPath = ()) -> None:
        self._holder = holder
        self._path = path

    def __getitem__(self, key: str) -> Any:
        values = self._values()
        # Both names of a key can be read, whichever it was written under.
        twin = TWINS.get(key) if self._path == ("tasks",) else None
        name = twin if twin is not None and key not in values else key
        value = values[name]
        if isinstance(value, dict):
            return LiveMapping(self._holder, (*self._path, name))
        return copy.deepcopy(value)

    def __setitem__(self, key: str, value: Any) -> None:
        self._holder.assign(self._path, {key: value})

    def __delitem__(self, key: str) -> None:
        if key not in self._values():
            raise KeyError(key)
        self._holder.remove((*self._path, key))

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._values()))

    def __len__(self) -> int:
        return len(self._values())

    def __repr__(self) -> str:
        return repr(self._values())

    def update(self, *args: Any, **values: Any) -> None:
        """Set several keys as one change: all of them, or none."""
        self._holder.assign(self._path, dict(*args, **values))

    def copy(self) -> dict[str, Any]:
        """Return the values as plain dicts and lists, of which every part may be changed."""
        return copy.deepcopy(dict(self._values()))

    def _values(self) -> Mapping[str, Any]:
        found: Any = self._holder.plain()
        for part in self._path:
            found = found[part]
        values: Mapping[str, Any] = found
        return values
