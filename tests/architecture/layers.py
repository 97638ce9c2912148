"""Who may import whom: the layers of the package, and the few exceptions with their reasons.

Responsible for: the table, and for naming the imports that break it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from tests.architecture.source_tree import PACKAGE, ImportedName, is_under

LAYERS: tuple[tuple[str, ...], ...] = (
    ("cli", "api", "web", "presets", "__main__"),
    ("",),  # the package's own __init__: the public names
    # The facade, the only wiring, with its part for the ledger; the same parts in virtual time.
    (
        "scheduler",
        "ledger_care",
        "facade_part",
        "alert_care",
        "manual_care",
        "config_care",
        "checkup",
        "monitoring_care",
        "registration",
        "testing",
    ),
    ("runtime", "engine_loop", "holding", "control", "offers", "forks", "vigil"),
    (
        "dispatcher",
        "bindings",
        "config",
        "config_watch",
        "folder_bell",
        "importing",
        "foreground",
        "task_rules",
        "launch_guard",
        "warm_rules",
        "vault",
        "fault_board",
        "memory_care",
        "watchdog",
        "event_stream",
        "alerts",
        "monitoring",
    ),
    (
        "ledger_view",
        "declaration_plan",
        "retention",
        "rollups",
        "state_files",
        "explanation",
        "rollback",
        "restoring",
        "trouble",
        "doctor",
        "insights",
    ),
    ("tasks", "stores", "executors", "observe", "supervision"),
    ("clock", "clock_watch", "confinement", "masking", "targets", "actors", "service"),
    ("core",),
    ("schedules",),
    ("errors",),
    ("i18n", "version", "error_codes"),
)
"""From the top down. A module imports from its own layer and from those below it."""

ADAPTERS = LAYERS[6]
"""These stand side by side and never import each other."""


class AllowedImport(NamedTuple):
    """An import that the table forbids and the house allows, for a reason."""

    importer: str
    imported: str
    reason: str


ALLOWED = (
    AllowedImport(
        "executors",
        "supervision",
        "an executor of processes is the client of the supervisors that hold them",
    ),
    AllowedImport(
        "schedules",
        "clock",
        "a user may ask a rule for its next moment without naming one: `now` is then read lazily",
    ),
)


def level_of(module: str) -> int | None:
    """Return the index of a module's layer, 0 at the top; None where the table does not name it."""
    if module == PACKAGE:
        return next(level for level, names in enumerate(LAYERS) if "" in names)
    for level, names in enumerate(LAYERS):
        if any(name and is_under(module, f"{PACKAGE}.{name}") for name in names):
            return level
    return None


def upward_imports(imports: Iterable[ImportedName]) -> list[str]:
    """Name every import that points up the table."""
    problems = []
    for found in imports:
        importer, imported = level_of(found.importer), level_of(found.imported)
        if importer is None or imported is None or imported >= importer or _is_allowed(found):
            continue
        problems.append(
            f"{found.where} {found.importer} imports {found.imported}, which is a layer above it."
            " Take the value as an argument or through a port of core/ports.py, or move the noun"
            " down; the layers stand in tests/architecture/layers.py."
        )
    return problems


def sideways_imports(imports: Iterable[ImportedName]) -> list[str]:
    """Name every import of one adapter by another."""
    problems = []
    for found in imports:
        importer, imported = _adapter_of(found.importer), _adapter_of(found.imported)
        if not importer or not imported or importer == imported or _is_allowed(found):
            continue
        problems.append(
            f"{found.where} the adapter {importer!r} imports the adapter {imported!r}."
            " Adapters meet only in scheduler.py: pass what is needed in, or move it to core/."
        )
    return problems


def import_cycles(imports: Iterable[ImportedName]) -> list[str]:
    """Name every ring of modules that import each other, type-checking imports included."""
    graph: dict[str, dict[str, str]] = {}
    for found in imports:
        if found.importer != found.imported:
            graph.setdefault(found.importer, {}).setdefault(found.imported, found.where)
    rings: dict[frozenset[str], str] = {}
    for start in sorted(graph):
        ring = _way_back(graph, start)
        if ring:
            steps = " -> ".join([*ring, start])
            rings.setdefault(
                frozenset(ring),
                f"{graph[start][ring[1] if len(ring) > 1 else start]} import cycle: {steps}."
                " Move what both need into a third module below them.",
            )
    return list(rings.values())


def _way_back(graph: dict[str, dict[str, str]], start: str) -> list[str]:
    """Return the shortest way from a module back to itself; empty where there is none."""
    ways = [[start]]
    seen = {start}
    for way in ways:
        for following in graph.get(way[-1], {}):
            if following == start:
                return way
            if following not in seen:
                seen.add(following)
                ways.append([*way, following])
    return []


def _adapter_of(module: str) -> str:
    for name in ADAPTERS:
        if is_under(module, f"{PACKAGE}.{name}"):
            return name
    return ""


def _is_allowed(found: ImportedName) -> bool:
    return any(
        is_under(found.importer, f"{PACKAGE}.{rule.importer}")
        and is_under(found.imported, f"{PACKAGE}.{rule.imported}")
        for rule in ALLOWED
    )
