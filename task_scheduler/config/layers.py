"""The layers of a configuration: defaults, the file, the environment, options; each over the last.

Responsible for: reading each of them as plain data that knows where it stands, and laying one over
the other. Whether a value is right is decided in `checks`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from task_scheduler.config.document import Document
from task_scheduler.config.problems import KeyPath, Place, Problem, dotted, hint_for, shown
from task_scheduler.config.references import References
from task_scheduler.config.settings import NAMED_SECTIONS, SECTIONS, TWINS, known_keys
from task_scheduler.errors import ConfigError
from task_scheduler.i18n import translate

__all__ = [
    "PREFIX",
    "Layer",
    "Merged",
    "environment_layer",
    "file_layer",
    "mapping_layer",
    "merge",
    "options_layer",
    "plain_copy",
]

PREFIX = "TASK_SCHEDULER__"
"""Of the environment variables that override a key: ``TASK_SCHEDULER__LOGGING__LOG_DIR``."""

_SECTION_NAMES = (*SECTIONS, *NAMED_SECTIONS)
_NOT_OURS = ("$schema", "x-")
"""How keys begin that are for others: editors, and aliases (``x-usual``)."""
_WIDEST = 1000
"""Bits of an integer; a float holds some 1,024."""
_LAST = 2
"""How many keys deep layers are laid over each other: an entry or a value is replaced whole."""


@dataclass(slots=True)
class Layer:
    """Plain values of one origin."""

    values: dict[str, Any]
    place: Callable[[KeyPath, bool], Place]
    """Returns where a value stands or, if the flag is set, its key."""
    texts: dict[KeyPath, str] = field(default_factory=dict)
    """The values that are text because their origin knows nothing else, and how to show them."""
    problems: list[Problem] = field(default_factory=list)
    references: dict[KeyPath, str] = field(default_factory=dict)
    """The values that were made of references, and how they are written: they may be secrets."""
    is_file: bool = False
    """Whether it is one of several files, of which each says something else."""


@dataclass(slots=True)
class Merged:
    """All layers in one, every value with the layer that it came from."""

    values: dict[str, dict[str, Any]]
    owners: dict[KeyPath, Layer] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place(self, path: KeyPath, *, of_key: bool = False) -> Place:
        """Return where a value, or its key, was given."""
        return self.owners[path[:_LAST]].place(path, of_key)

    def text_at(self, path: KeyPath) -> str | None:
        """Return what to show of a value that is text by origin; None if it is not."""
        owner = self.owners.get(path[:_LAST])
        return None if owner is None else owner.texts.get(path)

    def references_in(self, path: KeyPath) -> dict[KeyPath, str]:
        """Return the values below a path that were made of references, as they are written."""
        owner = self.owners.get(path[:_LAST])
        references = {} if owner is None else owner.references
        depth = len(path)
        return {at[depth:]: text for at, text in references.items() if at[:depth] == path}


def file_layer(
    document: Document, references: References, *, without: Collection[str] = ()
) -> Layer:
    """Return what a file says, but for some keys at its root."""
    layer = Layer({}, lambda at, of_key: document.place(at, of_key=of_key), is_file=True)
    layer.problems.extend(document.problems)
    values = document.value
    if isinstance(values, dict):
        values = {key: value for key, value in values.items() if key not in without}
    _fill(layer, values, references)
    return layer


def mapping_layer(
    values: Mapping[str, Any], label: str, references: References | None = None
) -> Layer:
    """Return what a program gave as a dict; `label` tells what it was given as."""
    layer = Layer({}, lambda _at, _of_key: Place(label))
    if references is None:
        layer.values = plain_copy(values)
    else:
        _fill(layer, plain_copy(values), references)
    return layer


def options_layer(options: Mapping[str, Any], references: References) -> Layer:
    """Return the keyword options of the facade: keys of `scheduler` directly, other sections whole.

    ``storage`` may also be nothing but its path.
    """
    own = known_keys("scheduler")
    sections = [name for name in _SECTION_NAMES if name != "scheduler"]
    layer = Layer({}, lambda at, _of_key: Place(translate("config.option", name=_option(at))))
    values: dict[str, Any] = {}
    for name, given in options.items():
        value = plain_copy(given)
        if name in own:
            values.setdefault("scheduler", {})[name] = value
        elif name == "storage" and not isinstance(value, dict):
            values["storage"] = {"path": value}
        elif name in sections:
            values[name] = value
        else:
            known = [*own, *sections]
            sentence = translate(
                "config.unknown_option",
                name=name,
                hint=hint_for(name, known),
                known=", ".join(known),
            )
            place = Place(translate("config.option", name=name))
            layer.problems.append(Problem(place, name, sentence))
    _fill(layer, values, references)
    return layer


def environment_layer(environ: Mapping[str, str]) -> Layer:
    """Return the overrides of the environment; references in them are not replaced."""
    layer = Layer({}, _variable_place)
    for name in sorted(name for name in environ if name.upper().startswith(PREFIX)):
        path = tuple(name[len(PREFIX) :].lower().split("__"))
        problem = _variable_problem(path)
        if problem is not None:
            layer.problems.append(Problem(_variable_place(path, False), dotted(path), problem))
            continue
        section, key = path
        layer.values.setdefault(section, {})[key] = environ[name]
        layer.texts[path] = shown(environ[name])
    return layer


def merge(layers: Sequence[Layer]) -> Merged:
    """Lay each layer over those before it; the first has every section."""
    merged = Merged({name: {} for name in _SECTION_NAMES})
    for layer in layers:
        merged.problems.extend(layer.problems)
        for section, values in layer.values.items():
            if section in merged.values and isinstance(values, dict):
                for key, value in values.items():
                    _put(merged, layer, (section, key), value)
            elif not section.startswith(_NOT_OURS):
                is_known = section in merged.values
                sentence = _not_object(section, values) if is_known else _unknown_section(section)
                place = layer.place((section,), not is_known)
                merged.problems.append(Problem(place, section, sentence))
    return merged


def plain_copy(value: Any) -> Any:
    """Return a value of a program as JSON would hold it, as far as it can be told."""
    if isinstance(value, Mapping):
        return {str(key): plain_copy(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_copy(item) for item in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, int) and value.bit_length() > _WIDEST:
        # No setting is so large, and neither pydantic nor Python can show it to refuse it.
        return math.inf if value > 0 else -math.inf
    return value.isoformat() if isinstance(value, datetime) else value


def _put(merged: Merged, layer: Layer, path: tuple[str, str], value: Any) -> None:
    """Put a value over that of the layers before, under whichever of its names it stood."""
    section, key = path
    earlier = merged.owners.get(path)
    if layer.is_file and earlier is not None and earlier.is_file and earlier is not layer:
        other = earlier.place(path, True)
        sentence = translate("config.declared_twice", key=dotted(path), other=other.label)
        merged.problems.append(Problem(layer.place(path, True), dotted(path), sentence))
        return
    twin = TWINS.get(key)
    if section == "tasks" and twin is not None:
        former = merged.owners.get((section, twin))
        if former is layer:
            sentence = translate("config.given_twice", key=key, other=twin)
            place = layer.place(path, True)
            merged.problems.append(Problem(place, dotted(path), sentence))
            return
        if former is not None:
            del merged.values[section][twin], merged.owners[section, twin]
    merged.values[section][key] = value
    merged.owners[path] = layer


def _fill(layer: Layer, values: Any, references: References) -> None:
    """Take values into a layer, with their references replaced."""
    if not isinstance(values, dict):
        sentence = translate("config.root_not_object", value=shown(values))
        layer.problems.append(Problem(layer.place((), False), "", sentence))
        return
    layer.values = {
        key: value if key.startswith(_NOT_OURS) else _resolved(layer, value, (key,), references)
        for key, value in values.items()
    }


def _resolved(layer: Layer, value: Any, path: KeyPath, references: References) -> Any:
    if isinstance(value, dict):
        return {k: _resolved(layer, item, (*path, k), references) for k, item in value.items()}
    if isinstance(value, list):
        return [_resolved(layer, item, (*path, i), references) for i, item in enumerate(value)]
    if not isinstance(value, str):
        return value
    try:
        text, is_single = references.resolve(value)
    except ConfigError as error:
        layer.problems.append(Problem(layer.place(path, False), dotted(path), str(error)))
        return value
    if text != value:
        layer.references[path] = value
    if is_single:
        # As it is written: what it stands for may be a secret.
        layer.texts[path] = shown(value)
    return text


def _variable_place(path: KeyPath, _of_key: bool) -> Place:
    name = PREFIX + "__".join(str(part) for part in path).upper()
    return Place(translate("config.variable", name=name))


def _variable_problem(path: Sequence[str]) -> str | None:
    """Say why a variable names no key; None if it does."""
    section = path[0]
    if section in NAMED_SECTIONS:
        return translate("config.variable_entries", section=section)
    if section not in SECTIONS:
        return _unknown_section(section)
    if len(path) != _LAST or not path[1]:
        return translate("config.variable_form", prefix=PREFIX)
    return None


def _unknown_section(section: str) -> str:
    homes = [name for name in SECTIONS if section in known_keys(name)]
    if homes:
        return translate("config.misplaced_key", key=section, section=homes[0])
    known = ", ".join(_SECTION_NAMES)
    hint = hint_for(section, _SECTION_NAMES)
    return translate("config.unknown_section", section=section, hint=hint, known=known)


def _not_object(section: str, value: Any) -> str:
    reason = translate("config.must_be_object")
    return translate("config.wrong_value", key=section, value=shown(value), reason=reason)


def _option(path: KeyPath) -> str:
    """Return a path as the option by which it was given."""
    return dotted(path[1:] if path[0] == "scheduler" and len(path) > 1 else path)
