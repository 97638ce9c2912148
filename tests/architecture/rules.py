"""The house rules that one file alone can break.

Responsible for: finding the places. Each rule takes a file and returns one sentence per place,
with file, line and remedy; which files it is asked about is decided in test_rules.py.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import PurePath

from tests.architecture.source_tree import (
    PACKAGE,
    SourceFile,
    aliases_of,
    dotted_name,
    imported_modules,
    is_under,
)

MAX_FUNCTION_LINES = 70
MAX_FILE_LINES = 500
MAX_POSITIONAL = 5

BANNED_NAMES = frozenset({"utils", "helpers", "common", "base"})

CLOCK_READERS = frozenset(
    f"time.{name}{suffix}"
    for name in ("time", "monotonic", "perf_counter", "clock_gettime")
    for suffix in ("", "_ns")
) | {
    "time.ctime",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "datetime.date.today",
}
NOW_WITHOUT_ARGUMENT = {
    "time.localtime": 0,
    "time.gmtime": 0,
    "time.asctime": 0,
    "time.strftime": 1,
}
"""These read the clock when they get no more arguments than this."""

FENCES = ("attempt", "rule", "tick", "listener", "request")

VALUE_MODULES = frozenset(
    {
        "__future__", "abc", "bisect", "collections", "contextlib", "dataclasses", "datetime",
        "decimal", "difflib", "enum", "fractions", "functools", "hashlib", "heapq", "itertools",
        "json", "math", "operator", "re", "string", "textwrap", "types", "typing",
    }
)  # fmt: skip
"""The standard library that computes with values: no clock, thread, file, socket or chance."""

DANGEROUS_MODULES = frozenset({"pickle", "marshal", "shelve", "dill", "cloudpickle"})
DANGEROUS_CALLS = frozenset({"eval", "exec", "os.system", "os.popen", "yaml.load", "yaml.load_all"})

Function = ast.FunctionDef | ast.AsyncFunctionDef


def long_files(file: SourceFile) -> list[str]:
    """Name a file of more than 500 lines."""
    count = len(file.lines)
    if count <= MAX_FILE_LINES:
        return []
    problem = (
        f"{file.path}:{count} the file has {count} lines, at most {MAX_FILE_LINES} are allowed."
        " Which second noun lives in it? Give that its own file."
    )
    return [problem]


def long_functions(file: SourceFile) -> list[str]:
    """Name the functions of more than 70 lines."""
    problems = []
    for node in _functions(file):
        count = (node.end_lineno or node.lineno) - node.lineno + 1
        if count > MAX_FUNCTION_LINES:
            problems.append(
                f"{file.at(node)} {node.name}() has {count} lines, at most {MAX_FUNCTION_LINES} are"
                " allowed. Keep the decisions in it and move the loops and leaves below it."
            )
    return problems


def many_positional_parameters(file: SourceFile) -> list[str]:
    """Name the functions with more than 5 parameters that can be given by position."""
    problems = []
    for node in _functions(file):
        names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
        count = len(names) - (names[:1] in (["self"], ["cls"]))
        if count > MAX_POSITIONAL:
            problems.append(
                f"{file.at(node)} {node.name}() takes {count} positional parameters, at most"
                f" {MAX_POSITIONAL} are allowed. Put `*` before the options: they go by keyword."
            )
    return problems


def banned_module_names(file: SourceFile) -> list[str]:
    """Name a module that says nothing, or that a module of the standard library is named after."""
    parts = [part.removesuffix(".py") for part in PurePath(file.path).parts]
    name = parts[-2] if parts[-1] == "__init__" and len(parts) > 1 else parts[-1]
    if name in BANNED_NAMES:
        return [
            f"{file.path}:1 {name!r} says nothing about what is in it. Name it after its one noun."
        ]
    if name in sys.stdlib_module_names and not name.startswith("__"):
        problem = (
            f"{file.path}:1 {name!r} is a module of the standard library too."
            " Choose another noun or its plural, as logs.py for logging."
        )
        return [problem]
    return []


def clock_readers(file: SourceFile) -> list[str]:
    """Name the places that read a clock, whatever the name under which they imported it."""
    aliases = aliases_of(file.tree)
    problems = []
    for node, name in _references(file):
        if name in CLOCK_READERS:
            problems.append(_clock_problem(file, node, name))
    for call in ast.walk(file.tree):
        if isinstance(call, ast.Call):
            name = dotted_name(call.func, aliases)
            allowed = NOW_WITHOUT_ARGUMENT.get(name)
            if allowed is not None and len(call.args) + len(call.keywords) <= allowed:
                problems.append(_clock_problem(file, call, name))
    return problems


def _clock_problem(file: SourceFile, node: ast.AST, name: str) -> str:
    return (
        f"{file.at(node)} reads the time with {name}. Only clock.py does: take `now` as an"
        " argument, or a Clock of core/ports.py."
    )


def sleeps(file: SourceFile) -> list[str]:
    """Name the places that sleep."""
    return [
        f"{file.at(node)} sleeps. Here time is an argument: move the virtual clock, or wait for the"
        " thing itself (an event, a queue). Tests of real processes belong to tests/integration."
        for node, name in _references(file)
        if name == "sleep" or name.endswith(".sleep")
    ]


def broad_excepts(file: SourceFile) -> list[str]:
    """Name the broad except clauses that stand at no named fence.

    One whose last statement is a bare ``raise`` contains nothing: it may clean up anywhere.
    """
    aliases = aliases_of(file.tree)
    problems = []
    for node in ast.walk(file.tree):
        if isinstance(node, ast.ExceptHandler):
            passes_on = isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None
            found = _is_broad(node.type) and not passes_on
        elif isinstance(node, ast.Call):
            suppresses = dotted_name(node.func, aliases).endswith("suppress")
            found = suppresses and any(_is_broad(argument) for argument in node.args)
        else:
            continue
        if found and not _is_fence(file.lines[node.lineno - 1]):
            problems.append(
                f"{file.at(node)} catches everything outside the named fences. Name the exceptions"
                " that can come, or, if this place is a fence, end the line with"
                f" `# fence: <{'|'.join(FENCES)}>`."
            )
    return problems


def _is_broad(caught: ast.expr | None) -> bool:
    if isinstance(caught, ast.Tuple):
        return any(_is_broad(element) for element in caught.elts)
    return caught is None or (
        isinstance(caught, ast.Name) and caught.id in ("Exception", "BaseException")
    )


def _is_fence(line: str) -> bool:
    return re.search(rf"# fence: (?:{'|'.join(FENCES)})\b", line) is not None


def impure_imports(file: SourceFile) -> list[str]:
    """Name what core/ may not import: all of the standard library that does more than compute."""
    ours = [f"{PACKAGE}.{name}" for name in ("core", "schedules", "errors", "i18n")]
    return [
        f"{file.at(node)} core/ imports {name}, which is not a module of plain values. Take what it"
        " gives as an argument, or through a port of core/ports.py."
        for name, node in imported_modules(file.tree)
        if name.split(".", 1)[0] not in VALUE_MODULES
        and not any(is_under(name, owner) for owner in ours)
    ]


def dangerous_calls(file: SourceFile) -> list[str]:
    """Name the places that would run what a stranger wrote: pickle, eval, a shell."""
    remedy = " Definitions are JSON, programs are argument lists, YAML is read with safe_load."
    problems = [
        f"{file.at(node)} imports {name}, which runs what it reads.{remedy}"
        for name, node in imported_modules(file.tree)
        if name.split(".", 1)[0] in DANGEROUS_MODULES
    ]
    problems += [
        f"{file.at(node)} uses {name}, which runs what it is given.{remedy}"
        for node, name in _references(file)
        if name in DANGEROUS_CALLS
    ]
    problems += [
        f"{file.at(node.value)} starts a shell.{remedy}"
        for node in ast.walk(file.tree)
        if isinstance(node, ast.keyword) and node.arg == "shell" and not _is_false(node.value)
    ]
    return problems


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def missing_docstrings(file: SourceFile) -> list[str]:
    """Name the public modules, classes, functions and methods without a docstring."""
    problems = []
    if not ast.get_docstring(file.tree):
        problems.append(
            f"{file.path}:1 the module has no docstring. Say what it is responsible for, and what"
            " it deliberately does not know."
        )
    problems += [
        f"{file.at(node)} {node.name} is public and has no docstring. Write one imperative"
        " sentence, then units and errors; or begin its name with an underscore."
        for node in _public_definitions(file.tree)
        if not ast.get_docstring(node)
    ]
    return problems


def _public_definitions(owner: ast.Module | ast.ClassDef) -> Iterator[Function | ast.ClassDef]:
    """Yield what can be named from outside; an overload's text is that of what it overloads."""
    for node in owner.body:
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        marks = {ast.unparse(mark).rpartition(".")[2] for mark in node.decorator_list}
        if node.name.startswith("_") or marks & {"overload", "setter", "override"}:
            continue
        yield node
        if isinstance(node, ast.ClassDef):
            yield from _public_definitions(node)


def _functions(file: SourceFile) -> Iterator[Function]:
    for node in ast.walk(file.tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def _references(file: SourceFile) -> Iterator[tuple[ast.expr, str]]:
    """Yield every name that the file uses, called or handed on, with what it stands for."""
    aliases = aliases_of(file.tree)
    for node in ast.walk(file.tree):
        if isinstance(node, (ast.Name, ast.Attribute)):
            name = dotted_name(node, aliases) or (
                f"?.{node.attr}" if isinstance(node, ast.Attribute) else ""
            )
            if name:
                yield node, name
