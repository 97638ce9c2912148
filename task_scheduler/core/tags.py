"""Tags: words by which entries are found together.

Responsible for: what may be a tag, the pattern ``tag:NAME`` that stands for every entry which has
it, and the index of tags in the ledger. The tags of an entry are a part of its definition; the
index, a copy of them, finds the entries of a tag.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from task_scheduler.core.model import Entry
from task_scheduler.core.ports import Store

__all__ = ["TAG_PATTERN", "TagIndex", "checked_tags", "tag_of", "tags_in", "tags_of"]

TAG_PATTERN = r"^[^\s,*?\[\]'\"`]{1,64}$"
"""What may be a tag, for those who check it by themselves."""

_PREFIX = "tag:"
_LONGEST = 64
_MOST = 32
_REFUSED = frozenset(",*?[]'\"`")
"""A tag is typed in a shell, listed with commas, and is no pattern itself."""


def checked_tags(value: object) -> tuple[str, ...] | None:
    """Return tags sorted and each once; None where a value holds something that may be none.

    A tag is 1 to 64 characters that can be shown, without blanks, commas, quotes and ``*?[]``.
    """
    if isinstance(value, str) or not isinstance(value, Iterable) or isinstance(value, Mapping):
        return None
    tags = list(value)
    if len(tags) > _MOST or not all(map(_is_tag, tags)):
        return None
    return tuple(sorted(set(tags)))


def tag_of(pattern: str) -> str | None:
    """Return the tag that a pattern such as ``tag:pond`` names; None where it names none."""
    return pattern.removeprefix(_PREFIX) if pattern.startswith(_PREFIX) else None


def tags_in(patterns: Iterable[str]) -> set[str]:
    """Return the tags that patterns name."""
    return {tag for pattern in patterns if (tag := tag_of(pattern)) is not None}


def tags_of(definition: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the tags of a stored definition; none where somebody wrote nonsense there."""
    return checked_tags(definition.get("tags", ())) or ()


class TagIndex:
    """Keeps which entries have which tag; inside the transaction that changes the entries."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def put(self, entries: Iterable[Entry], *, known: Collection[str]) -> None:
        """Note the tags of entries; `known` are the ids of those that may have had others."""
        if known:
            self.remove(list(known))
        tagged = [e for e in entries if "tags" in e.definition]
        rows = [(tag, e.task_id) for e in tagged for tag in tags_of(e.definition)]
        if rows:
            self._store.execute("put_tags", rows=rows)

    def remove(self, task_ids: Sequence[str]) -> None:
        """Forget the tags of entries."""
        self._store.execute("drop_tags", ids=list(task_ids))


def _is_tag(value: object) -> bool:
    return (
        isinstance(value, str)
        and 0 < len(value) <= _LONGEST
        and value.isprintable()
        and not any(mark.isspace() or mark in _REFUSED for mark in value)
    )
