"""Every document of `--json` and `--jsonl` is of the shape that docs/json.schema.json says."""

from __future__ import annotations

import ast
import copy
import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from task_scheduler.cli import commands
from tests.golden.world import ALERTS, ENTRIES, fill_busily
from tests.unit.cli.made_ledger import MadeLedger

ROOT = Path(__file__).parents[3]
SCHEMA = json.loads((ROOT / "docs" / "json.schema.json").read_text(encoding="utf-8"))
LINES = {
    "tsk.ls/1": "ls",
    "tsk.show/1": "show data_upload",
    "tsk.runs/1": "runs",
    "tsk.run_state/1": "runs --jsonl",
    "tsk.skips/1": "runs --skips",
    "tsk.skip/1": "runs --skips --jsonl",
    "tsk.logs/1": "logs 117",
    "tsk.log/1": "logs 117 --jsonl",
    "tsk.status/1": "status",
    "tsk.doctor/1": "doctor faults seats overlaps unresolved",
    "tsk.next/1": "next -n 3",
    "tsk.why/1": "why data_upload",
    "tsk.explain/1": "explain '0 9 1 * 1' -n 2",
    "tsk.simulate/1": "simulate",
    "tsk.occurrence/1": "simulate --jsonl",
    "tsk.simulation/1": "simulate --jsonl",
    "tsk.check/1": "check",
    "tsk.service/1": "install-service --print",
    "tsk.alerts/1": "alerts",
    "tsk.alert_state/1": "alerts --jsonl",
    "tsk.alert_log/1": "alerts log",
    "tsk.delivery/1": "alerts log --jsonl",
    "tsk.audit_verify/1": "audit verify",
    "tsk.audit/1": "audit",
    "tsk.change/1": "audit --jsonl",
    "tsk.restore/1": "restore",
    "tsk.backup/1": "backup night.backup",
    "tsk.import/1": "import crontab crontab",
    "tsk.version/1": "version",
    "tsk.completion/1": "completion fish",
    "tsk.exit-codes/1": "help exit-codes",
    "tsk.error_codes/1": "help errors",
    "tsk.error_code/1": "help E2101",
    "tsk.error/1": "show hartbeat",
    "tsk.pause/1": "pause heartbeat --for 2h",
    "tsk.resume/1": "resume backup",
    "tsk.rm/1": "rm heartbeat --yes",
    "tsk.run/1": "run heartbeat",
    "tsk.kill/1": "kill 120",
    "tsk.backfill/1": "backfill heartbeat --from 2026-11-24T01:00 --to 2026-11-24T01:05",
    "tsk.init/1": "init sub",
    "tsk.silence/1": "alerts silence heartbeat --for 2h",
    "tsk.unsilence/1": "alerts unsilence heartbeat",
    "tsk.ping/1": "ping nas",
    "tsk.add/1": "add fresh --every 10s -- true",
    "tsk.edit/1": "edit heartbeat --every 1m --yes",
    "tsk.enable/1": "enable heartbeat",
    "tsk.disable/1": "disable heartbeat",
    "tsk.retry/1": "retry 117",
    "tsk.run_tagged/1": "run tag:pond",
    "tsk.gc/1": "gc",
    "tsk.insights/1": "insights",
    "tsk.diff/1": "diff",
    "tsk.apply/1": "apply --yes",
    "tsk.alert_token/1": "alerts token nas",
    "tsk.alert_test/1": "alerts test chat",
}
ELSEWHERE = frozenset({"tsk.down/1", "tsk.metrics/1", "tsk.reload/1", "tsk.service/1"})
"""These need a scheduler that runs, or a machine that systemd runs."""


@pytest.fixture
def busy(farm: MadeLedger, monkeypatch: pytest.MonkeyPatch) -> MadeLedger:
    """A ledger with a run of every kind and an alert, in a folder with a crontab."""
    fill_busily(farm)
    assert farm.tsk("add", "pump", "--every", "1h", "--tag", "pond", "--", "true").code == 0
    config = {"entries": ENTRIES, "alerts": ALERTS, "logging": {"console": False}}
    farm.config.write_text(json.dumps(config), encoding="utf-8")
    (farm.folder / "crontab").write_text("0 3 * * 1-5 /bin/true\n@reboot /bin/start\n")
    monkeypatch.chdir(farm.folder)
    return farm


@pytest.mark.parametrize("schema", LINES)
def test_a_document_is_of_its_documented_shape(busy: MadeLedger, schema: str) -> None:
    line = shlex.split(LINES[schema])

    answer = busy.tsk(*([] if "--jsonl" in line else ["--json"]), *line)

    found = documents(answer.out, is_stream="--jsonl" in line)
    assert schema in {document["schema"] for document in found}, answer.err
    for document in found:
        problems = [f"{error.json_path}: {error.message}" for error in CLOSED.iter_errors(document)]
        assert problems == []


def test_every_document_of_the_source_has_a_schema_and_a_line() -> None:
    named = {name for file in sorted(_sources()) for name in _documents_of(file)}

    assert sorted(f"tsk.{name}/1" for name in named) == sorted(_schemas())
    assert sorted({*LINES, *ELSEWHERE}) == sorted(_schemas())


def documents(text: str, *, is_stream: bool) -> list[dict[str, Any]]:
    """Return what was printed: one document, or one a line."""
    return [json.loads(part) for part in (text.splitlines() if is_stream else [text])]


def _schemas() -> list[str]:
    return [name for name in SCHEMA["$defs"] if name.startswith("tsk.")]


def _sources() -> list[Path]:
    return list(Path(commands.__path__[0]).parent.rglob("*.py"))


def _documents_of(file: Path) -> set[str]:
    """Return the names that are literally given to `document` and `record`."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if is_call and node.func.attr in ("document", "record") and node.args:
            found |= {
                leaf.value
                for leaf in ast.walk(node.args[0])
                if isinstance(leaf, ast.Constant) and isinstance(leaf.value, str)
            }
    return found


def _closed(schema: Any) -> Any:
    """Return a schema that refuses keys which it does not name."""
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(part) for key, part in schema.items()}
    if closed.get("type") == "object" and "required" in closed and "$defs" not in closed:
        closed.setdefault("additionalProperties", False)
    return closed


CLOSED = Draft202012Validator(_closed(copy.deepcopy(SCHEMA)))
