"""The JSON Schema of a configuration file, for editors and other programs.

Responsible for: making it from the models, and adding what the models do not show: references,
other names, and that an entry has one time. ``python -m task_scheduler.config.schema`` prints it.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from task_scheduler.config.entries import entry_types
from task_scheduler.config.entry_times import TIMES
from task_scheduler.config.files import INCLUDE
from task_scheduler.config.sections import PolicyKeys
from task_scheduler.config.settings import Settings

__all__ = ["schema_of_file", "schema_text"]

_REFERENCE = {
    "description": "Text from elsewhere.",
    "type": "string",
    "pattern": r"^\$\{(env|file):[^}]+\}$",
}


def schema_of_file() -> dict[str, Any]:
    """Return the schema of the file once comments and trailing commas are gone."""
    schema = Settings.model_json_schema()
    parts = schema["$defs"]
    for part in parts.values():
        for key, value in part["properties"].items():
            part["properties"][key] = _with_reference(value)
    parts["Reference"] = _REFERENCE
    tasks = parts["TasksSection"]
    tasks["properties"]["default_timeout"] = tasks["properties"]["timeout"]
    tasks["not"] = {"required": ["timeout", "default_timeout"]}
    for model in entry_types().values():
        entry = parts[model.__name__]
        times = [{"required": [key]} for key in TIMES]
        entry["oneOf"] = [*times, {"required": ["after"], "not": {"anyOf": times}}]
        for key in PolicyKeys.model_fields:
            # Not these defaults, but whatever the section `tasks` says.
            entry["properties"][key].pop("default", None)
    name = {"type": "string", "minLength": 1}
    schema["properties"][INCLUDE] = {
        "anyOf": [name, {"type": "array", "items": name}],
        "description": "Other files, by paths or patterns seen from the folder of this one.",
    }
    schema["patternProperties"] = {r"^(\$schema|x-)": {}}
    schema["title"] = "scheduler_config.json"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def schema_text() -> str:
    """Return the schema as it is committed."""
    return json.dumps(schema_of_file(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _with_reference(value: dict[str, Any]) -> dict[str, Any]:
    """Allow a reference where something else than free text stands."""
    forms = value.get("anyOf", [value])
    is_free_text = any(
        form.get("type") == "string" and not {"pattern", "enum"} & set(form) for form in forms
    )
    if is_free_text or "const" in value:
        return value
    notes: dict[str, Any] = {
        key: value[key] for key in ("default", "title", "description") if key in value
    }
    inner = [{k: v for k, v in form.items() if k not in notes} for form in forms]
    return {**notes, "anyOf": [*inner, {"$ref": "#/$defs/Reference"}]}


if __name__ == "__main__":
    sys.stdout.write(schema_text())
