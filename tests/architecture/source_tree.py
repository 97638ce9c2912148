"""The project's Python files, parsed once.

Responsible for: finding them, naming them as modules, and telling which of them imports which.
Knows no rule.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "task_scheduler"


@dataclass(frozen=True)
class SourceFile:
    """One Python file: its path from the root of the project, its text and its syntax tree."""

    path: str
    text: str
    tree: ast.Module

    @property
    def module(self) -> str:
        """Return the dotted name it is imported by; a package's is that of its folder."""
        parts = Path(self.path).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @functools.cached_property
    def lines(self) -> list[str]:
        """Return its lines, the first at index 0."""
        return self.text.splitlines()

    def at(self, node: ast.AST) -> str:
        """Return ``file:line`` of a node."""
        return f"{self.path}:{getattr(node, 'lineno', 1)}"


@dataclass(frozen=True)
class ImportedName:
    """One import of one of our modules by another, at a line."""

    importer: str
    imported: str
    where: str


def parse(path: str, text: str) -> SourceFile:
    """Parse one file's text."""
    return SourceFile(path, text, ast.parse(text, filename=path))


@functools.cache
def files_under(*folders: str) -> tuple[SourceFile, ...]:
    """Return every Python file under these folders of the project, by path."""
    return tuple(
        parse(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"))
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*"))
        if _is_python(path)
    )


def _is_python(path: Path) -> bool:
    """Tell a Python file by its suffix, or in a folder of commands by its first line."""
    if path.suffix == ".py":
        return True
    if path.suffix or not path.is_file() or path.parent.name != "scripts":
        return False
    return "python" in path.read_text(encoding="utf-8").split("\n", 1)[0]


def aliases_of(tree: ast.AST) -> Mapping[str, str]:
    """Map each imported name to what it stands for, as ``dt`` to ``datetime``."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                target = name.name if name.asname else name.name.split(".", 1)[0]
                names[name.asname or target] = target
        elif isinstance(node, ast.ImportFrom):
            for name in node.names:
                names[name.asname or name.name] = f"{node.module}.{name.name}"
    return names


def dotted_name(node: ast.AST, aliases: Mapping[str, str]) -> str:
    """Return what a name or attribute refers to, aliases resolved; empty for anything else."""
    if isinstance(node, ast.Name):
        return aliases.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        owner = dotted_name(node.value, aliases)
        return f"{owner}.{node.attr}" if owner else ""
    return ""


def imported_modules(tree: ast.AST) -> Iterator[tuple[str, ast.stmt]]:
    """Yield every module a tree imports, wherever: at the top, lazily, or for type checking only.

    ``from a import b`` yields ``a.b``: whether b is a module or a name in one, `a` tells.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield name.name, node
        elif isinstance(node, ast.ImportFrom):
            for name in node.names:
                yield f"{node.module}.{name.name}", node


def our_imports(files: tuple[SourceFile, ...]) -> list[ImportedName]:
    """Return who imports whom among these files."""
    modules = {file.module for file in files}
    found = []
    for file in files:
        for name, node in imported_modules(file.tree):
            target = name if name in modules else name.rpartition(".")[0]
            if target in modules:
                found.append(ImportedName(file.module, target, file.at(node)))
    return found


def is_under(module: str, owner: str) -> bool:
    """Tell whether a module is `owner` or lies inside it."""
    return module == owner or module.startswith(f"{owner}.")
