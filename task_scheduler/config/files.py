"""The files of a configuration: the one that is named, and those that it includes.

Responsible for: reading each by its kind (JSON, TOML, YAML, Python), finding what ``include``
names, and a fingerprint by which it is known whether they are still the same. What they say is
checked elsewhere, for all kinds in the same way.
"""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from task_scheduler.config.document import Document, parse_document
from task_scheduler.config.home_paths import home_path
from task_scheduler.config.layers import Layer, file_layer
from task_scheduler.config.problems import KeyPath, Problem, dotted, shown
from task_scheduler.config.python_source import read_python
from task_scheduler.config.references import References
from task_scheduler.config.source import read_text
from task_scheduler.config.toml_document import parse_toml
from task_scheduler.config.yaml_document import parse_yaml
from task_scheduler.errors import ConfigError
from task_scheduler.i18n import translate

__all__ = ["INCLUDE", "ConfigFiles", "parse_text", "read_document", "read_files"]

INCLUDE = "include"
"""The key of the file that is named under which it names others."""
_MOST_FILES = 10_000
_PARSERS = {".toml": parse_toml, ".yaml": parse_yaml, ".yml": parse_yaml}


@dataclass(slots=True)
class ConfigFiles:
    """What was read of the disk, and where."""

    layers: list[Layer] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)
    """The file that is named, first, and those that it includes."""
    patterns: list[Path] = field(default_factory=list)
    """What it includes, as absolute patterns: a new file may come to match."""
    fingerprint: str = ""
    """Of names and contents; the same as long as nothing was changed."""

    def is_changed(self) -> bool:
        """Whether the files are not those any more that were read; none of them is run."""
        digest = hashlib.sha256()
        for path in self.paths:
            try:
                _add(digest, path, read_text(path))
            except ConfigError:
                return True
        included = {path for pattern in self.patterns for path in _matching(pattern)}
        is_same = included - set(self.paths[:1]) == set(self.paths[1:])
        return digest.hexdigest() != self.fingerprint or not is_same


def parse_text(text: str, path: Path) -> Document:
    """Read a text by the kind of its file; raises ConfigError where the grammar is broken."""
    return _PARSERS.get(path.suffix.lower(), parse_document)(text, str(path))


def read_document(path: Path) -> Document:
    """Read a file by its kind; raises ConfigError. One of Python is run."""
    if path.suffix.lower() == ".py":
        return read_python(read_text(path), path)
    return parse_text(read_text(path), path)


def read_files(path: Path, environ: Mapping[str, str]) -> ConfigFiles:
    """Read a file and those that it includes; raises ConfigError where one cannot be read.

    Relative paths in all of them start at the folder of the first.
    """
    found = ConfigFiles(paths=[path])
    references = References(environ, path.parent)
    digest = hashlib.sha256()
    document = _read(path, digest)
    layer = file_layer(document, references, without=(INCLUDE,))
    found.layers.append(layer)
    for included in _included(document, layer, path, found):
        part = _read(included, digest)
        found.paths.append(included)
        found.layers.append(_part(part, references))
    found.fingerprint = digest.hexdigest()
    return found


def _read(path: Path, digest: Any) -> Document:
    document = read_document(path)
    _add(digest, path, document.text)
    return document


def _add(digest: Any, path: Path, text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    digest.update(f"{path}\0{len(data)}\0".encode("utf-8", "surrogatepass"))
    digest.update(data)


def _part(document: Document, references: References) -> Layer:
    """Return what an included file says; it includes no others."""
    layer = file_layer(document, references, without=(INCLUDE,))
    if isinstance(document.value, dict) and INCLUDE in document.value:
        place = document.place((INCLUDE,), of_key=True)
        layer.problems.append(Problem(place, INCLUDE, translate("config.nested_include")))
    return layer


def _included(document: Document, layer: Layer, path: Path, found: ConfigFiles) -> list[Path]:
    """Return the files that the key ``include`` names, in order, each once."""
    value = document.value
    if not isinstance(value, dict) or INCLUDE not in value:
        return []
    names = value[INCLUDE]
    listed = [names] if isinstance(names, str) else names
    if not isinstance(listed, list):
        listed = [listed]
    paths: dict[Path, None] = {}
    for index, name in enumerate(listed):
        at: KeyPath = (INCLUDE, index) if isinstance(names, list) else (INCLUDE,)
        if not isinstance(name, str) or not name or "\0" in name:
            sentence = translate("config.must_be_include", value=shown(name))
            layer.problems.append(Problem(document.place(at), dotted(at), sentence))
            continue
        pattern = Path(os.path.abspath(path.parent / home_path(name)))  # noqa: PTH100  keeps links
        found.patterns.append(pattern)
        matching = _matching(pattern)
        if not matching and not glob.has_magic(name):
            sentence = translate("config.no_include", path=str(pattern))
            layer.problems.append(Problem(document.place(at), dotted(at), sentence))
        paths.update(dict.fromkeys(each for each in matching if each != path))
    if len(paths) > _MOST_FILES:
        raise ConfigError("config.many_includes", limit=_MOST_FILES)
    return list(paths)


def _matching(pattern: Path) -> list[Path]:
    """Return the files that a pattern names, ordered; hidden ones are somebody's leftovers."""
    names = sorted(glob.glob(str(pattern)))  # noqa: PTH207  an absolute pattern
    return [Path(name) for name in names if not Path(name).is_dir()]
