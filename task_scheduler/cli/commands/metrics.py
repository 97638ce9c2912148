"""`tsk metrics`: what the running scheduler counts, in Prometheus' text format."""

from __future__ import annotations

from typing import Any

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.failures import CliError
from task_scheduler.cli.holders import needs_scheduler
from task_scheduler.cli.session import Session
from task_scheduler.i18n import translate


@cli_command("metrics", examples=("tsk metrics", "tsk metrics --json"))
def command(session: Session) -> ExitCode:
    """Print the metrics of the scheduler of this ledger."""
    holder = needs_scheduler(session)
    text = session.scheduler.running_metrics()
    if text is None:
        # It ended in between: say what is said where nobody runs.
        needs_scheduler(session)
    if not text:
        raise CliError(
            translate("cli.metrics_off", pid=holder["pid"]),
            ExitCode.PROBLEM,
            hint=translate("cli.metrics_on"),
            command="tsk check",
            error="E4010",
        )
    if session.is_json:
        session.document("metrics", {"pid": holder["pid"], "samples": _samples(text)})
    else:
        session.put(text.rstrip("\n"))
    return ExitCode.FINE


def _samples(text: str) -> list[dict[str, Any]]:
    from prometheus_client.parser import text_string_to_metric_families

    return [
        {"name": sample.name, "labels": sample.labels, "value": sample.value}
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]
