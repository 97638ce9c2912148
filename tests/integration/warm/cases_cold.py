"""Scripts that no template may start, and confined ones: they have to be as they always were."""

# ruff: noqa: E501  the lines of a script are as long as they are

from __future__ import annotations

from tests.integration.warm.case import Case

CASES = [
    Case(
        name="shadows/uses_json",
        source="import json\nprint(json.__file__)",
        files={"shadows/json.py": "print('the neighbour')\n"},
        stays_cold="module json",
    ),
    Case(
        name="namesake/json",
        source="import json\nprint('twice?', __name__)",
        stays_cold="module json",
    ),
    Case(name="import_times", source="print(1)", env={"PYTHONTRACEMALLOC": "3"}, stays_cold="-"),
    Case(name="random_hash", source="print(1)", env={"PYTHONHASHSEED": "random"}, stays_cold="-"),
    Case(
        name="tight_memory",
        source="print(1)",
        confinement={"limits": {"memory_bytes": 60_000_000}},
        stays_cold="memory",
    ),
    Case(
        name="limited",
        source=(
            "import resource\nprint([resource.getrlimit(n) for n in range(16)])\n"
            "try:\n    fs = [open('/dev/null') for _ in range(100)]\nexcept OSError as e:\n    print(e)"
        ),
        confinement={"limits": {"open_files": 40, "cpu_seconds": 9}, "nice": 5, "umask": 0o77},
    ),
    Case(
        name="cpu_limited",
        source="while True: pass",
        confinement={"limits": {"cpu_seconds": 1}},
    ),
    Case(
        name="no_privileges",
        source="print([l for l in open('/proc/self/status') if l.startswith(('NoNew', 'Cap', 'Uid'))])",
        confinement={"no_new_privileges": True},
    ),
]
