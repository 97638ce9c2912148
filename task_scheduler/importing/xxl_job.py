"""XXL-JOB: its table `xxl_job_info`, as JSON (a list, or the answer of its API), CSV or a SQL dump.

Responsible for: reading the three forms, and what a row means here. Jobs that call a Java handler
have no counterpart; scripts that are kept in the table become files.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from task_scheduler.errors import ScheduleError
from task_scheduler.importing.cron_words import CronError, cron_of_quartz
from task_scheduler.importing.found import Found, FoundTask, Ids, Refused, Remark
from task_scheduler.schedules.rule import ScheduleRule

__all__ = ["XxlJobError", "read_xxl_jobs"]

_TABLE = re.compile(
    r"INSERT\s+INTO\s+[`\"]?xxl_job_info[`\"]?\s*(?:\((?P<columns>[^)]*)\))?\s*VALUES\s*",
    re.IGNORECASE,
)
_COLUMNS = re.compile(
    r"CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?[`\"]?xxl_job_info[`\"]?\s*\((?P<body>.*?)\)\s*(?:ENGINE|;)",
    re.IGNORECASE | re.DOTALL,
)
_CHINESE_TIME = "Asia/Shanghai"
_SCRIPTS = {
    "GLUE_SHELL": ("sh", "bash"),
    "GLUE_PYTHON": ("py", "python3"),
    "GLUE_PYTHON2": ("py", "python2"),
    "GLUE_NODEJS": ("js", "node"),
    "GLUE_PHP": ("php", "php"),
}
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "0": "\0", "b": "\b", "Z": "\x1a"}


class XxlJobError(ValueError):
    """A text that is none of the three forms."""


def read_xxl_jobs(text: str, name: str, ids: Ids, *, zone: str = _CHINESE_TIME) -> Found:
    """Return the jobs of an export; raises XxlJobError.

    XXL-JOB knows no zones: its times are those of its server, which `zone` names.
    """
    found = Found()
    for row in _rows(text):
        plain = {_snake(key): value for key, value in row.items()}
        where = f"{name}:{plain.get('id', '?')}"
        origin = str(plain.get("job_desc") or plain.get("executor_handler") or "")
        made = _entry_of(plain, ids, zone, found.files)
        if isinstance(made, Remark):
            found.refused.append(Refused(where, origin, made))
            continue
        task_id, entry, remarks = made
        found.tasks.append(
            FoundTask(
                task_id, entry, where, origin, tuple(remarks), is_enabled="enabled" not in entry
            )
        )
    return found


def _entry_of(
    row: Mapping[str, Any], ids: Ids, zone: str, files: dict[str, str]
) -> tuple[str, dict[str, Any], list[Remark]] | Remark:
    glue = str(row.get("glue_type") or "BEAN").upper()
    if glue not in _SCRIPTS:
        handler = row.get("executor_handler") or glue
        return Remark("xxl_handler", {"handler": handler, "kind": glue})
    source = str(row.get("glue_source") or "")
    if not source.strip():
        return Remark("xxl_no_source")
    times = _times(row, zone)
    if isinstance(times, Remark):
        return times
    remarks: list[Remark] = []
    task_id = ids.of(str(row.get("job_desc") or f"xxl-{row.get('id', '')}"))
    suffix, interpreter = _SCRIPTS[glue]
    file = f"{task_id}.{suffix}"
    files[file] = source.replace("\r\n", "\n")
    parameter = str(row.get("executor_param") or "")
    entry: dict[str, Any] = {
        "type": "script",
        "name": str(row.get("job_desc") or task_id),
        "script_path": file,
        "interpreter": interpreter,
        # As XXL-JOB calls it: parameter, index and number of shards.
        "args": [parameter, "0", "1"],
        **times,
        "misfire": "run_once" if row.get("misfire_strategy") == "FIRE_ONCE_NOW" else "skip",
        "overlap": _overlap(row.get("executor_block_strategy")),
        "timeout": _number(row.get("executor_timeout")),
        "max_retries": _number(row.get("executor_fail_retry_count")),
    }
    if row.get("author"):
        entry["description"] = str(row["author"])
    if _number(row.get("trigger_status", 1)) != 1:
        entry["enabled"] = False
        remarks.append(Remark("was_paused"))
    if row.get("child_jobid"):
        remarks.append(Remark("xxl_children", {"ids": row["child_jobid"]}))
    if row.get("alarm_email"):
        remarks.append(Remark("xxl_mail", {"address": row["alarm_email"]}))
    if str(row.get("executor_route_strategy") or "FIRST") not in ("FIRST", "ROUND", "LAST"):
        remarks.append(Remark("xxl_route", {"name": row["executor_route_strategy"]}))
    return task_id, entry, remarks


def _times(row: Mapping[str, Any], zone: str) -> dict[str, Any] | Remark:
    # Before 2.3 there was only a cron expression.
    kind = str(row.get("schedule_type") or "CRON").upper()
    value = str(row.get("schedule_conf") or row.get("job_cron") or "")
    if kind == "FIX_RATE" and value.isdigit():
        return {"every": int(value)}
    if kind == "FIX_DELAY" and value.isdigit():
        return {"every": int(value), "kind": "fixed_delay"}
    if kind == "NONE":
        return {}
    try:
        expression = cron_of_quartz(value)
        ScheduleRule("cron", cron=expression)
    except (CronError, ScheduleError) as error:
        return Remark("xxl_cron", {"value": value, "reason": str(error)})
    return {"cron": expression, "timezone": zone}


def _overlap(strategy: Any) -> str:
    return {"DISCARD_LATER": "skip", "COVER_EARLY": "replace"}.get(str(strategy), "queue")


def _number(value: Any) -> int:
    text = str(value if value is not None else 0)
    return int(text) if text.lstrip("-").isdigit() else 0


def _snake(name: str) -> str:
    """Return a column's name for the API's name of it."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda match: "_" + match[1].lower(), name).lower()


# -- the three forms --------------------------------------------------------------------------


def _rows(text: str) -> Iterator[dict[str, Any]]:
    stripped = text.lstrip("\ufeff").lstrip()
    if stripped.startswith(("[", "{")):
        yield from _json_rows(stripped)
    elif _TABLE.search(stripped):
        yield from _sql_rows(stripped)
    elif "glue_type" in stripped.partition("\n")[0].lower().replace("gluetype", "glue_type"):
        yield from csv.DictReader(io.StringIO(stripped))
    else:
        raise XxlJobError("neither JSON, nor CSV with a header, nor a dump of xxl_job_info")


def _json_rows(text: str) -> Iterator[dict[str, Any]]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise XxlJobError(str(error)) from error
    while isinstance(found, dict):
        inner = next((found[key] for key in ("data", "content", "RECORDS") if key in found), None)
        if inner is None:
            break
        found = inner
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise XxlJobError("the JSON holds no list of jobs")
    yield from found


def _sql_rows(text: str) -> Iterator[dict[str, Any]]:
    table = _COLUMNS.search(text)
    names = re.findall(r"^\s*[`\"](\w+)[`\"]\s", table["body"], re.MULTILINE) if table else []
    for statement in _TABLE.finditer(text):
        given = statement["columns"]
        columns = [name.strip(' `"\n\t') for name in given.split(",")] if given else names
        if not columns:
            raise XxlJobError("the dump names no columns of xxl_job_info")
        for values in _tuples(text, statement.end()):
            yield dict(zip(columns, values, strict=False))


def _tuples(text: str, position: int) -> Iterator[list[Any]]:
    """Return the rows of a VALUES list, up to its semicolon."""
    values: list[Any] = []
    while position < len(text):
        mark = text[position]
        if mark == ";":
            return
        if mark == "'":
            value, position = _quoted(text, position + 1)
            values.append(value)
        elif mark == "(":
            values, position = [], position + 1
        elif mark == ")":
            yield values
            position += 1
        elif mark in ", \t\r\n":
            position += 1
        else:
            end = position
            while end < len(text) and text[end] not in ",) \t\r\n":
                end += 1
            word = text[position:end]
            values.append(None if word.upper() == "NULL" else word)
            position = max(end, position + 1)


def _quoted(text: str, position: int) -> tuple[str, int]:
    """Return the text of a literal and the position behind it."""
    parts = []
    while position < len(text):
        mark = text[position]
        if mark == "\\" and position + 1 < len(text):
            parts.append(_ESCAPES.get(text[position + 1], text[position + 1]))
            position += 2
        elif mark == "'":
            if text[position + 1 : position + 2] != "'":
                return "".join(parts), position + 1
            parts.append("'")
            position += 2
        else:
            parts.append(mark)
            position += 1
    raise XxlJobError("a literal has no end")
