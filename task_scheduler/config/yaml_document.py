"""YAML, read so that every value knows its line and column.

Responsible for: having PyYAML's safe loader find the parts of a text, and making values of them.
Scalars are read as YAML 1.2 does and not as 1.1: ``22:00`` is a time of day and no number to the
base of sixty, a date stays the text that was written, ``no`` is Norway and ``on`` the key of a rule
of alerts; only ``true`` and ``false`` are no text. Merged keys (``<<``) and aliases are followed.
"""

from __future__ import annotations

import math
import re
from typing import Any

from task_scheduler.config.document import DEPTH_LIMIT, DIGITS_LIMIT, Document
from task_scheduler.config.problems import KeyPath, dotted
from task_scheduler.errors import ConfigError
from task_scheduler.i18n import translate

__all__ = ["parse_yaml"]

_MOST_REPEATED = 50_000
"""Parts that aliases stand for, counted every time: a few lines of them can stand for billions."""
_DEEP = re.compile(r"(?:[-?:][ \t]+){%d}" % DEPTH_LIMIT)  # noqa: UP031  braces
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_WORDS = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}
_TAGS = "tag:yaml.org,2002:"
_KNOWN_TAGS = frozenset(
    f"{_TAGS}{name}"
    for name in ("str", "int", "float", "bool", "null", "timestamp", "map", "seq", "value")
)
_MERGE = f"{_TAGS}merge"


def parse_yaml(text: str, name: str) -> Document:
    """Read a text; raises ConfigError with place and excerpt where the grammar is broken.

    Repeated keys and impossible numbers are in `Document.problems`.
    """
    import yaml

    document = Document(text, name)
    deep = _deep_offset(text)
    if deep is not None:
        # The loader would find that out too, at the cost of its stack.
        document.fail(deep, translate("config.too_deep", limit=DEPTH_LIMIT))
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        node = yaml.compose(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        offset = 0 if mark is None else document.offset_at(mark.line + 1, mark.column + 1)
        reason = ", ".join(part for part in (error.context, error.problem) if part)
        document.fail(offset, translate("config.yaml_syntax", reason=reason))
    except yaml.reader.ReaderError as error:
        offset = error.position if isinstance(error.position, int) else 0
        document.fail(offset, translate("config.yaml_syntax", reason=error.reason))
    except RecursionError:
        document.fail(0, translate("config.too_deep", limit=DEPTH_LIMIT))
    if node is None:
        raise ConfigError("config.empty_yaml", path=name)
    document.value = _Values(document).of(node, ())
    return document


def _deep_offset(text: str) -> int | None:
    """Return where more parts stand open within each other than a configuration ever needs."""
    deep = _DEEP.search(text)
    if deep is not None:
        return deep.start()
    depth = 0
    for match in re.finditer(r"[\[\]{}]", text):
        depth = depth + 1 if match.group() in "[{" else max(0, depth - 1)
        if depth > DEPTH_LIMIT:
            return match.start()
    return None


class _Values:
    """Makes values of nodes, and notes where each stands."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._seen: set[int] = set()
        self._repeated = 0
        self._merging: set[int] = set()
        """The mappings whose keys are just being taken."""

    def of(self, node: Any, path: KeyPath) -> Any:
        """Return the value of a node."""
        document = self._document
        start = self._count(node)
        if len(path) > DEPTH_LIMIT:
            document.fail(start, translate("config.too_deep", limit=DEPTH_LIMIT))
        if node.tag not in _KNOWN_TAGS:
            document.note(start, path, translate("config.yaml_tag", tag=node.tag))
            return None
        document.value_offsets[path] = start
        document.value_ends[path] = self._end(node, start)
        if node.id == "mapping":
            return self._mapping(node, path)
        if node.id == "sequence":
            return [self.of(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, path, start)

    def _count(self, node: Any) -> int:
        """Count a node that is met anew, and return where it begins; they may be too many."""
        start = self._offset(node.start_mark)
        if id(node) in self._seen:
            self._repeated += 1
        self._seen.add(id(node))
        if self._repeated > _MOST_REPEATED:
            self._document.fail(start, translate("config.yaml_aliases", limit=_MOST_REPEATED))
        return start

    def _mapping(self, node: Any, path: KeyPath) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, value in node.value:
            # First, so that a key of its own stands where it is written and not where it came from.
            if key.tag == _MERGE:
                self._merge(value, path, merged)
        for key, value in node.value:
            if key.tag == _MERGE:
                continue
            offset = self._offset(key.start_mark)
            if key.id != "scalar":
                self._document.note(offset, path, translate("config.yaml_key"))
                continue
            name = str(key.value)
            inner = (*path, name)
            if name in own:
                first = self._document.place_at(self._document.key_offsets[inner])
                reason = translate("config.repeated_key", key=dotted(inner), line=first.line)
                self._document.note(offset, inner, reason)
            self._document.key_offsets[inner] = offset
            own[name] = self.of(value, inner)
        return {**merged, **own}

    def _merge(self, node: Any, path: KeyPath, merged: dict[str, Any]) -> None:
        """Take the keys of other mappings in; of several the first that has a key wins."""
        for part in node.value if node.id == "sequence" else [node]:
            offset = self._count(part)
            # Not of itself, be it by way of others, either.
            if part.id != "mapping" or id(part) in self._merging:
                self._document.note(offset, path, translate("config.yaml_merge"))
                continue
            self._merging.add(id(part))
            for name, value in self._mapping(part, path).items():
                merged.setdefault(name, value)
            self._merging.discard(id(part))

    def _scalar(self, node: Any, path: KeyPath, start: int) -> Any:
        text = str(node.value)
        if node.style in ('"', "'", "|", ">"):
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.fullmatch(text) and len(text) <= DIGITS_LIMIT:
            return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        if _INTEGER.fullmatch(text):
            reason = translate("config.long_number", key=dotted(path), limit=DIGITS_LIMIT)
            self._document.note(start, path, reason)
            return None
        is_number = _FLOAT.fullmatch(text) is not None
        if is_number and math.isfinite(float(text)):
            return float(text)
        if is_number or _NOT_FINITE.fullmatch(text):
            reason = translate("config.not_finite", key=dotted(path), value=text)
            self._document.note(start, path, reason)
            return None
        return text

    def _offset(self, mark: Any) -> int:
        return self._document.offset_at(mark.line + 1, mark.column + 1)

    def _end(self, node: Any, start: int) -> int:
        """Return where a value ends; the loader counts the gap before the next one to it."""
        end = max(start, self._offset(node.end_mark))
        return start + len(self._document.text[start:end].rstrip())
