"""Exports of XXL-JOB in its three forms."""

from __future__ import annotations

import csv
import io
import json

import pytest

from task_scheduler.importing.found import Ids
from task_scheduler.importing.xxl_job import XxlJobError, read_xxl_jobs

SCRIPT = '#!/bin/bash\necho "it\'s $1"\n'
ROWS = [
    {
        "id": 1,
        "job_desc": "清理日志",
        "author": "li",
        "schedule_type": "CRON",
        "schedule_conf": "0 0/30 9-17 ? * 2-6",
        "misfire_strategy": "DO_NOTHING",
        "executor_block_strategy": "DISCARD_LATER",
        "executor_timeout": 60,
        "executor_fail_retry_count": 2,
        "executor_param": "a b",
        "glue_type": "GLUE_SHELL",
        "glue_source": SCRIPT,
        "trigger_status": 1,
    },
    {
        "id": 2,
        "job_desc": "poll",
        "schedule_type": "FIX_RATE",
        "schedule_conf": "30",
        "glue_type": "GLUE_PYTHON",
        "glue_source": "print(1)",
        "trigger_status": 0,
        "alarm_email": "a@b.c",
    },
    {"id": 3, "job_desc": "java", "glue_type": "BEAN", "executor_handler": "demoJobHandler"},
]
COLUMNS = [*ROWS[0], "alarm_email", "executor_handler"]


def as_csv() -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS)
    writer.writeheader()
    writer.writerows(ROWS)
    return out.getvalue()


def as_api() -> str:
    rows = [{_camel(key): value for key, value in row.items()} for row in ROWS]
    return json.dumps({"recordsTotal": 3, "data": rows})


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


def as_sql() -> str:
    def literal(value: object) -> str:
        if value is None or isinstance(value, int):
            return "NULL" if value is None else str(value)
        text = str(value).replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
        return f"'{text}'"

    rows = ",\n".join(f"({', '.join(literal(row.get(name)) for name in COLUMNS)})" for row in ROWS)
    body = ",\n".join(f"  `{name}` varchar(50) COMMENT 'x (y)'" for name in COLUMNS)
    table = f"CREATE TABLE `xxl_job_info` (\n{body},\n  PRIMARY KEY (`id`)\n) ENGINE=InnoDB;"
    other = "INSERT INTO `other` VALUES (1);"
    return f"-- dump\n{table}\nINSERT INTO `xxl_job_info` VALUES {rows};\n{other}"


@pytest.mark.parametrize("text", [json.dumps(ROWS), as_api(), as_csv(), as_sql()])
def test_every_form_says_the_same(text: str) -> None:
    found = read_xxl_jobs(text, "x", Ids())

    clean, poll = found.tasks
    assert clean.task_id == "清理日志"
    assert clean.entry == {
        "type": "script",
        "name": "清理日志",
        "description": "li",
        "script_path": "清理日志.sh",
        "interpreter": "bash",
        "args": ["a b", "0", "1"],
        "cron": "0/30 9-17 * * mon,tue,wed,thu,fri",
        "timezone": "Asia/Shanghai",
        "misfire": "skip",
        "overlap": "skip",
        "timeout": 60,
        "max_retries": 2,
    }
    assert found.files["清理日志.sh"] == SCRIPT
    assert (poll.entry["every"], poll.entry["enabled"], poll.is_enabled) == (30, False, False)
    assert {remark.key for remark in poll.remarks} == {"was_paused", "xxl_mail"}
    assert [refused.remark.key for refused in found.refused] == ["xxl_handler"]
    assert "demoJobHandler" in found.refused[0].remark.text()


@pytest.mark.parametrize(
    "text", ["", "hello", "{", '{"a": 1}', "INSERT INTO `xxl_job_info` VALUES ('a"]
)
def test_what_is_no_export_is_refused(text: str) -> None:
    with pytest.raises(XxlJobError):
        read_xxl_jobs(text, "x", Ids())
