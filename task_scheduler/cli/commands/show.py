"""`tsk show`: everything about one task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from task_scheduler.cli.backup_text import say_if_held
from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.display_width import showable
from task_scheduler.cli.moments import NOTHING, Moments, duration_text
from task_scheduler.cli.parameters import Number
from task_scheduler.cli.run_output import has_output
from task_scheduler.cli.run_tables import put_runs, put_skips
from task_scheduler.cli.session import Session
from task_scheduler.cli.standing import is_failing, problem_of, schedule_text
from task_scheduler.explanation import parent_text
from task_scheduler.i18n import translate

_WAITING = 5


@cli_command("show", examples=("tsk show data_upload", "tsk show data_upload --json"))
@click.argument("task", metavar="TASK")
@click.option("-n", "--last", "count", type=Number(), default=10, metavar="N")
def command(session: Session, task: str, count: int) -> None:
    """Print a task, its last runs and its last skips."""
    found = session.view.task(task)
    runs = session.view.runs(task, limit=count)
    skips = session.view.skips(task, limit=count)
    if session.is_json:
        session.document("show", {"task": found, "runs": runs, "skips": skips})
        return
    moments = session.moments()
    last = session.view.last_runs([task]).get(task)
    after = ", ".join(parent_text(parent) for parent in session.view.parents(task))
    waiting = session.view.runs(task, state="waiting", limit=_WAITING)
    facts = _facts(found, last, moments, after=after, waiting=waiting)
    if last is not None and (usage := _usage_text(session.view.run(last["run_id"]))):
        facts.insert(-1, (translate("cli.fact_usage"), usage))
    session.pairs(facts)
    if runs:
        session.put(f"\n{translate('cli.last_runs')}")
        put_runs(session, runs, moments, with_task=False)
    if skips:
        session.put(f"\n{translate('cli.last_skips')}")
        put_skips(session, skips, moments, with_task=False)
    say_if_held(session)
    if not runs and not skips:
        session.say(translate("cli.never_ran"))
        if found["status"] != "unresolved":
            session.hint(translate("cli.next_run_it"), "tsk run", task)
    elif is_failing(last) and last is not None and _has_output(session, last["run_id"]):
        session.hint(translate("cli.next_logs"), f"tsk logs {last['run_id']}")


def _has_output(session: Session, run_id: int) -> bool:
    return has_output(session.view.run(run_id), session.scheduler.files.runs)


def _usage_text(run: Mapping[str, Any]) -> str:
    """Return what the last attempt of a program used, all that it started included."""
    measured = [attempt for attempt in run["attempts"] if attempt["cpu_seconds"] is not None]
    if not measured:
        return ""
    last = measured[-1]
    return translate(
        "cli.usage_text",
        cpu=duration_text(last["cpu_seconds"]),
        memory=_megabytes(last["peak_memory_bytes"]),
        read=_megabytes(last["read_bytes"]),
        written=_megabytes(last["written_bytes"]),
    )


def _megabytes(count: int | None) -> str:
    return NOTHING if count is None else f"{count / 1e6:.1f} MB"


def _facts(
    task: Mapping[str, Any],
    last: Mapping[str, Any] | None,
    moments: Moments,
    *,
    after: str,
    waiting: Sequence[Mapping[str, Any]],
) -> list[tuple[str, str]]:
    facts = {
        "task": task["task_id"],
        "name": task["name"],
        "description": task["description"],
        "tags": ", ".join(task["tags"]),
        "kind": translate("cli.kind_text", kind=task["kind"], origin=task["origin"]),
        "status": translate(f"cli.status_{task['status']}"),
        "waiting": "; ".join(_wait_text(run, task, moments) for run in waiting),
        "problem": problem_of(task, last),
        "paused": _pause_text(task, moments),
        "schedule": schedule_text(task),
        "after": after,
        "next": moments.due(task["next_run_time"]),
        "last": moments.full(task["last_run_time"]),
        "runs": _runs_text(task),
        "durations": _durations_text(task) if task["run_count"] else "",
        "last_error": "" if task["last_error"] is None else str(task["last_error"]),
        "definition": _plain_text(task["definition"], leave_out=("description", "tags")),
        "policies": _policies_text(task["policies"]),
        "added": moments.precise(task["added_at"]),
        "zone": moments.zone_name(),
    }
    return [(translate(f"cli.fact_{name}"), showable(text)) for name, text in facts.items() if text]


def _runs_text(task: Mapping[str, Any]) -> str:
    """Return how many runs there were and how they ended."""
    rate = task["success_rate"]
    if rate is None:
        return translate("cli.runs_none", skipped=task["skip_count"])
    return translate(
        "cli.runs_text",
        count=task["run_count"],
        succeeded=task["success_count"],
        failed=task["failure_count"],
        skipped=task["skip_count"],
        rate=f"{rate:.1%}",
    )


def _durations_text(task: Mapping[str, Any]) -> str:
    return translate(
        "cli.durations_text",
        last=duration_text(task["last_duration_seconds"]),
        average=duration_text(task["average_duration_seconds"]),
        p95=duration_text(task["p95_duration_seconds"]),
        longest=duration_text(task["max_duration_seconds"]),
    )


def _wait_text(run: Mapping[str, Any], task: Mapping[str, Any], moments: Moments) -> str:
    """Return which run waits and for what; of a next try, what became of the one before."""
    text = translate("cli.waits_due", due=moments.full(run["due_at"]))
    if run["waiting_for"]:
        text = translate(f"cli.waits_{run['waiting_for']}", due=moments.full(run["due_at"]))
    error = run["error"] or task["last_error"]
    if run["waiting_for"] == "retry" and error:
        ended = translate("cli.attempt_error", attempt=run["attempt"], error=error)
        text = f"{text}  ({ended})"
    return f"#{run['run_id']} {text}"


def _pause_text(task: Mapping[str, Any], moments: Moments) -> str:
    if task["paused_at"] is None:
        return ""
    reason = task["pause_reason"]
    text = moments.full(task["paused_at"])
    if task["paused_until"] is not None:
        until = translate("cli.pause_until", until=moments.full(task["paused_until"]))
        text = f"{text}  {until}"
    return f"{text}: {reason}" if reason else text


def _policies_text(policies: Mapping[str, Any]) -> str:
    """Return the policies that are not as the release has them."""
    from task_scheduler.core.model import Policies
    from task_scheduler.core.policies import to_plain

    usual = to_plain(Policies())
    unusual = {
        name: value
        for name, value in policies.items()
        # Told by itself, with how the other tasks stand.
        if name != "after" and usual.get(name) != value
    }
    return "  ".join(f"{name}={value}" for name, value in unusual.items()) or translate(
        "cli.usual_policies"
    )


def _plain_text(values: Mapping[str, Any], *, leave_out: tuple[str, ...] = ()) -> str:
    """Return settings as ``key=value``: those that are set."""
    return "  ".join(
        f"{name}={value}"
        for name, value in values.items()
        if name not in leave_out and value not in (None, "", [], {})
    )
