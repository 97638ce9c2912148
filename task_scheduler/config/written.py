"""Writing values as the kinds of configuration files have them: JSON, TOML and YAML.

Responsible for: the text of a value, of a key, and of a whole document. What is written here is
read again as it was (`files`); null, which TOML does not know, is left out there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["KINDS", "document_text", "key_text", "kind_of", "value_text"]

KINDS = ("json", "toml", "yaml")
"""The kinds of files, by the words by which they are asked for."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_WIDTH = 96
_LAST = 2
"""How many keys deep objects always have a header: sections, and what they hold by name."""
_UNSEEN = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_NOT_PLAIN = re.compile(
    r"|~|null|Null|NULL|[tT]rue|TRUE|[fF]alse|FALSE|0o[0-7]+|0x[0-9a-fA-F]+"
    r"|[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|nan)",
    re.IGNORECASE,
)
"""Text that stands for something else unless it is quoted."""


def kind_of(suffix: str) -> str:
    """Return the kind of a file by its suffix; JSON where it says nothing."""
    return {".toml": "toml", ".yaml": "yaml", ".yml": "yaml"}.get(suffix.lower(), "json")


def document_text(values: Mapping[str, Any], kind: str) -> str:
    """Return a whole document: sections, and in them entries and other objects."""
    if kind == "toml":
        return "".join(f"{line}\n" for line in _toml_lines(values, ())).lstrip("\n")
    if kind == "yaml":
        return _yaml(values)
    return json.dumps(values, ensure_ascii=False, indent=2) + "\n"


def value_text(value: Any, kind: str) -> str:
    """Return a value in one line; for YAML as JSON, which is YAML too."""
    return _toml(value) if kind == "toml" else _escaped(value)


def key_text(key: str, kind: str) -> str:
    """Return a key as it stands before its value."""
    if kind == "toml":
        return key if _BARE.fullmatch(key) else _toml(key)
    is_plain = kind == "yaml" and _BARE.fullmatch(key) and not _NOT_PLAIN.fullmatch(key)
    return key if is_plain else _escaped(key)


def _toml_lines(values: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    """Give the lines of a table: plain values first, then the tables in it."""
    given = {key: value for key, value in values.items() if value is not None}
    tables = {key: value for key, value in given.items() if _is_table(key, value, path)}
    if path and (not tables or len(tables) < len(given)):
        yield ""
        yield f"[{'.'.join(key_text(part, 'toml') for part in path)}]"
    for key, value in given.items():
        if key not in tables:
            yield f"{key_text(key, 'toml')} = {_toml(value)}"
    for key, value in tables.items():
        yield from _toml_lines(value, (*path, key))


def _is_table(key: str, value: Any, path: tuple[str, ...]) -> bool:
    """Whether an object is a table of its own: a section, an entry, or one too long for a line."""
    if not isinstance(value, Mapping):
        return False
    return len(path) < _LAST or len(key) + len(_toml(value)) > _WIDTH - 3


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        pairs = (f"{key_text(k, 'toml')} = {_toml(v)}" for k, v in value.items() if v is not None)
        inner = ", ".join(pairs)
        return f"{{{inner}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(item) for item in value if item is not None)}]"
    # Its escapes are those of JSON.
    return _escaped(str(value))


def _escaped(value: Any) -> str:
    """Return a value as JSON, without the characters that YAML and TOML do not take as they are."""
    text = json.dumps(value, ensure_ascii=False)
    return _UNSEEN.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def _yaml(values: Mapping[str, Any]) -> str:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes text in quotes wherever it would be read as something else."""

        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  the library's signature
            return True

        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
            super().increase_indent(flow, indentless=False)

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        is_quoted = _NOT_PLAIN.fullmatch(value) or _UNSEEN.search(value)
        style = '"' if is_quoted else "|" if "\n" in value.rstrip("\n") else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    return yaml.dump(dict(values), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH)
