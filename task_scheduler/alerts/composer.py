"""The composer: notices in, messages out, in the language of the scheduler.

Responsible for: what a message says: what failed, where, when in the task's own zone, which attempt
of how many, what it printed last, when it last went well, what was changed since, and what to type.
Reads the ledger and outputs; decides nothing.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import tzinfo
from pathlib import Path
from typing import Any

from task_scheduler.alerts.excerpt import harmless, last_lines
from task_scheduler.alerts.memory import Sample
from task_scheduler.alerts.messages import Message
from task_scheduler.alerts.notices import Notice, NoticeKind
from task_scheduler.alerts.rules import AlertKind
from task_scheduler.core.model import SECOND, Microseconds
from task_scheduler.core.policies import from_plain
from task_scheduler.core.tags import tags_of
from task_scheduler.errors import ScheduleError, StoreError
from task_scheduler.i18n import translate
from task_scheduler.ledger_view import iso
from task_scheduler.observe.spans import Span
from task_scheduler.schedules.instants import datetime_at
from task_scheduler.schedules.zones import local_zone, zone_named

__all__ = ["Composer", "Identity"]

_LINES = 20
_LONGEST_SUBJECT = 150
_NEWEST = (1 << 63) - 1
_OTHERS = 30
"""The alerts that a summary names."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who speaks: the scheduler's name, its machine and its ledger."""

    name: str
    host: str
    ledger: str
    ledger_id: str


class Composer:
    """Write messages; `fetch` reads the ledger, `mask` takes secrets out of what was printed."""

    def __init__(
        self,
        fetch: Callable[..., Any],
        *,
        runs_folder: Path,
        mask: Callable[[str], str],
        identity: Callable[[], Identity],
    ) -> None:
        self._fetch = fetch
        self._runs_folder = runs_folder
        self._mask = mask
        self._identity = identity

    def message(self, notice: Notice) -> Message:
        """Return what is told by a notice."""
        identity = self._identity()
        facts = self._facts(notice)
        headline = self._headline(notice, facts)
        subject = harmless(self._mask(f"[{identity.name}] {headline}"))[:_LONGEST_SUBJECT]
        lines = [headline, "", *self._table(notice, facts, identity)]
        lines += self._list_of_others(notice)
        if facts["lines"]:
            lines += ["", translate("alerts.output", count=len(facts["lines"]))]
            # Each behind a mark: no line of an output can pass for one of ours.
            lines += [f"  | {line}" for line in facts["lines"]]
        lines += ["", translate("alerts.to_act"), *(f"  {line}" for line in facts["commands"])]
        text = "\n".join(self._mask(line) for line in lines) + "\n"
        return Message(
            subject=subject,
            text=text,
            thread=f"tsk.{identity.ledger_id}.alert-{notice.alert_id}",
            is_first=notice.kind is NoticeKind.OPENED,
            values=self._values(notice, facts, identity, subject=subject, text=text),
        )

    def test_message(self, channel: str, at: Microseconds) -> Message:
        """Return what is told to try a channel."""
        identity = self._identity()
        headline = translate("alerts.head_test", channel=channel)
        place = translate("alerts.place", name=identity.name, host=identity.host)
        lines = [
            headline,
            "",
            translate("alerts.test_text"),
            f"{translate('alerts.row_where')}: {place} {identity.ledger}",
            f"{translate('alerts.row_when')}: {_moment(at, local_zone().tz)}",
        ]
        subject, text = f"[{identity.name}] {headline}", "\n".join(lines) + "\n"
        values = {
            "schema": "tsk.alert/1",
            "notice": NoticeKind.TEST.value,
            "at": iso(at),
            "scheduler": identity.name,
            "host": identity.host,
            "ledger": identity.ledger,
            "subject": subject,
            "text": text,
        }
        key = f"tsk.{identity.ledger_id}.test-{channel}-{at}"
        return Message(subject=subject, text=text, thread=key, key=key, values=values)

    def keyed(self, message: Message, delivery_id: int) -> Message:
        """Return a message with what no other delivery has."""
        return replace(message, key=f"tsk.{self._identity().ledger_id}.{delivery_id}")

    # -- what is known --------------------------------------------------------------------------

    def _facts(self, notice: Notice) -> dict[str, Any]:
        """Return what the ledger and outputs say about the failure that is shown."""
        facts: dict[str, Any] = {
            "lines": [],
            "tags": [],
            "attempts": None,
            "exit_code": None,
            "last_success": None,
            "changes": [],
            "zone": local_zone().tz,
            "commands": ["tsk alerts", "tsk status"],
        }
        sample = notice.sample
        if sample is None or AlertKind.FAULT is notice.about or notice.kind is NoticeKind.SUMMARY:
            return facts
        if notice.about is AlertKind.SILENT:
            facts["commands"] = [f"tsk ping {shlex.quote(sample.task_id)}", "tsk alerts"]
            return facts
        facts["commands"] = _commands(notice, sample)
        try:
            rows = self._fetch("load_entries", ids=[sample.task_id])
            if rows:
                facts["zone"] = _zone_of(rows[0][5])
                facts["attempts"] = from_plain(rows[0][6] or {}).max_retries + 1
                facts["tags"] = list(tags_of(rows[0][4] or {}))
            self._add_run(facts, sample)
            self._add_past(facts, sample)
        except StoreError:
            # A message that knows less is better than none.
            pass
        return facts

    def _add_run(self, facts: dict[str, Any], sample: Sample) -> None:
        if sample.run_id is None:
            return
        found = self._fetch("alert_attempts", ids=[sample.run_id]).get(str(sample.run_id))
        if not found:
            return
        facts["exit_code"], output = found
        if output:
            path = self._runs_folder / output
            facts["lines"] = [self._mask(line) for line in last_lines(path, _LINES)]

    def _add_past(self, facts: dict[str, Any], sample: Sample) -> None:
        before = _NEWEST if sample.run_id is None else sample.run_id
        success = self._fetch("alert_last_success", task_id=sample.task_id, before=before)
        facts["last_success"] = None if success is None else success[1]
        since = 0 if success is None else success[1]
        facts["changes"] = [
            {"at": at, "actor": actor, "action": action, "keys": _changed(old, new)}
            for at, actor, action, old, new in self._fetch(
                "alert_changes", task_id=sample.task_id, since=since
            )
            if success is not None
        ]

    # -- what is said ---------------------------------------------------------------------------

    def _headline(self, notice: Notice, facts: dict[str, Any]) -> str:
        """Return the one line that has to say it all."""
        if notice.kind is NoticeKind.SUMMARY:
            return translate("alerts.head_summary", count=len(notice.others))
        sample = notice.sample
        who = "" if sample is None else sample.task_id
        if notice.about is AlertKind.FAULT:
            who = translate("alerts.scheduler")
        if notice.task_count > 1:
            who = translate("alerts.tasks_more", task_id=who, count=notice.task_count - 1)
        what = self._what(notice, facts)
        return translate(f"alerts.head_{notice.kind}", who=who, what=what, count=notice.count)

    def _what(self, notice: Notice, facts: dict[str, Any]) -> str:
        """Return what is wrong, as a few words."""
        sample = notice.sample
        error = "" if sample is None else harmless(sample.error)
        match notice.about:
            case AlertKind.FAILED:
                return error or notice.cause
            case AlertKind.MISSED:
                return translate(
                    "alerts.what_missed", reason=translate(f"logs.skip_{notice.cause}")
                )
            case AlertKind.LATE:
                due = "" if sample is None else _moment(sample.at, facts["zone"])
                return translate("alerts.what_late", due=due)
            case AlertKind.OVERRUN:
                began = "" if sample is None else _moment(sample.at, facts["zone"])
                return translate("alerts.what_overrun", began=began)
            case AlertKind.SLOW:
                took, _, usual = error.partition("/")
                return translate("alerts.what_slow", took=took, usual=usual)
            case AlertKind.HEAVY:
                used, _, most = error.partition("/")
                name, is_bytes = notice.cause, notice.cause.endswith("_bytes")
                return translate(
                    f"alerts.what_heavy_{name}",
                    used=_amount(used, is_bytes=is_bytes),
                    most=_amount(most, is_bytes=is_bytes),
                )
            case AlertKind.UNRESOLVED:
                return error or translate("alerts.what_unresolved")
            case AlertKind.SILENT:
                since = "" if sample is None else _moment(sample.at, facts["zone"])
                key = f"alerts.what_silent_{notice.cause}"
                return translate(key, since=since, text=error)
            case AlertKind.FAULT:
                return error

    def _table(self, notice: Notice, facts: dict[str, Any], identity: Identity) -> list[str]:
        zone = facts["zone"]
        sample = notice.sample
        rows: list[tuple[str, str]] = []
        if sample is not None and notice.kind is not NoticeKind.SUMMARY:
            is_named = sample.name not in (sample.task_id, sample.task_id.lstrip("@"))
            name = f" ({harmless(sample.name)})" if is_named else ""
            if notice.about is not AlertKind.FAULT:
                rows.append(("task", f"{sample.task_id}{name}"))
            rows.append(("what", self._what(notice, facts)))
            if notice.cause and notice.about is AlertKind.FAILED:
                rows.append(("cause", harmless(notice.cause)))
            rows.append(("when", self._when(sample, facts)))
        place = translate("alerts.place", name=identity.name, host=identity.host)
        rows.append(("where", f"{place} {identity.ledger}"))
        rows.append(("since", _moment(notice.opened_at, zone)))
        if notice.closed_at is not None:
            lasted = Span(notice.closed_at - notice.opened_at)
            until = _moment(notice.closed_at, zone)
            rows.append(("until", translate("alerts.until_lasted", until=until, lasted=lasted)))
        if notice.count > 1:
            rows.append(("count", translate("alerts.count", count=notice.count, news=notice.news)))
        if notice.task_count > 1 and notice.task_ids:
            named = ", ".join(notice.task_ids[:10])
            rest = notice.task_count - len(notice.task_ids[:10])
            more = translate("alerts.and_more", count=rest) if rest > 0 else ""
            rows.append(("tasks", f"{notice.task_count}: {named}{more}"))
        if notice.held_back:
            rows.append(("held_back", str(notice.held_back)))
        rows += self._past(notice, facts)
        return [f"{translate(f'alerts.row_{name}')}: {value}" for name, value in rows]

    def _when(self, sample: Sample, facts: dict[str, Any]) -> str:
        parts = [_moment(sample.at, facts["zone"])]
        if sample.run_id is not None:
            parts.append(translate("alerts.run", run_id=sample.run_id))
        if sample.attempt:
            of = max(sample.attempt, facts["attempts"] or sample.attempt)
            parts.append(translate("alerts.attempt", attempt=sample.attempt, of=of))
        if facts["exit_code"] is not None:
            parts.append(translate("alerts.exit", code=facts["exit_code"]))
        return ", ".join(parts)

    def _past(self, notice: Notice, facts: dict[str, Any]) -> list[tuple[str, str]]:
        if notice.about not in (AlertKind.FAILED, AlertKind.MISSED, AlertKind.SLOW):
            return []
        if notice.kind is NoticeKind.SUMMARY:
            return []
        success = facts["last_success"]
        last = translate("alerts.never") if success is None else _moment(success, facts["zone"])
        rows = [("last_success", last)]
        if success is not None:
            changes = [
                translate(
                    "alerts.change",
                    at=_moment(change["at"], facts["zone"]),
                    actor=harmless(change["actor"]),
                    action=change["action"],
                    keys=", ".join(change["keys"]),
                )
                for change in facts["changes"]
            ]
            rows.append(("changed", "; ".join(changes) or translate("alerts.nothing_changed")))
        return rows

    def _list_of_others(self, notice: Notice) -> list[str]:
        lines = []
        for other in notice.others[:_OTHERS]:
            what = translate(f"alerts.kind_{other.kind}")
            cause = harmless(other.cause)
            key = "alerts.other_over" if other.is_over else "alerts.other"
            lines.append(
                "  "
                + translate(key, task_id=other.task_id, what=what, cause=cause, count=other.count)
            )
        if len(notice.others) > _OTHERS:
            more = len(notice.others) - _OTHERS
            lines.append("  " + translate("alerts.and_more", count=more).lstrip(", "))
        return ["", *lines] if lines else []

    # -- what programs read ---------------------------------------------------------------------

    def _values(
        self,
        notice: Notice,
        facts: dict[str, Any],
        identity: Identity,
        *,
        subject: str,
        text: str,
    ) -> dict[str, Any]:
        sample = notice.sample
        return {
            "schema": "tsk.alert/1",
            "notice": notice.kind.value,
            "kind": notice.about.value,
            "alert_id": notice.alert_id,
            "rule": notice.rule,
            "is_open": notice.closed_at is None,
            "cause": self._mask(harmless(notice.cause)),
            "count": notice.count,
            "news": notice.news,
            "task_count": notice.task_count,
            "task_ids": list(notice.task_ids),
            "tags": facts["tags"],
            "opened_at": iso(notice.opened_at),
            "closed_at": iso(notice.closed_at),
            "at": iso(notice.at),
            "task_id": None if sample is None else sample.task_id,
            "name": None if sample is None else sample.name,
            "run_id": None if sample is None else sample.run_id,
            "attempt": None if sample is None else sample.attempt,
            "attempts": facts["attempts"],
            "exit_code": facts["exit_code"],
            "error": None if sample is None else self._mask(harmless(sample.error)),
            "output": facts["lines"],
            "last_success_at": iso(facts["last_success"]),
            "changes": [{**change, "at": iso(change["at"])} for change in facts["changes"]],
            "commands": facts["commands"],
            "scheduler": identity.name,
            "host": identity.host,
            "ledger": identity.ledger,
            "others": [
                {
                    "kind": other.kind.value,
                    "cause": self._mask(harmless(other.cause)),
                    "count": other.count,
                    "task_id": other.task_id,
                    "is_open": not other.is_over,
                }
                for other in notice.others
            ],
            "subject": subject,
            "text": text,
        }


def _zone_of(rules: list[dict[str, Any]]) -> tzinfo:
    """Return the zone in which a task's times are written."""
    for rule in rules:
        try:
            if rule.get("timezone"):
                return zone_named(str(rule["timezone"])).tz
        except ScheduleError:
            continue
    return local_zone().tz


def _moment(at: Microseconds, zone: tzinfo) -> str:
    there = datetime_at(at - at % SECOND, zone)
    return f"{there:%Y-%m-%d %H:%M:%S} {there:%Z}".rstrip()


def _changed(before: Any, after: Any) -> list[str]:
    """Return which parts of a definition an edit changed."""
    old = before if isinstance(before, dict) else {}
    new = after if isinstance(after, dict) else {}
    return sorted(key for key in {*old, *new} if old.get(key) != new.get(key))


def _commands(notice: Notice, sample: Sample) -> list[str]:
    """Return what to type about it, the likeliest first."""
    task_id = shlex.quote(sample.task_id)
    if notice.kind is NoticeKind.RECOVERED:
        return [f"tsk runs {task_id}", "tsk alerts"]
    commands = [f"tsk show {task_id}"]
    if sample.run_id is not None and notice.about is AlertKind.FAILED:
        commands.append(f"tsk logs {sample.run_id}")
    if notice.about in (AlertKind.LATE, AlertKind.MISSED):
        commands.append(f"tsk why {task_id}")
    if notice.about in (AlertKind.OVERRUN, AlertKind.SLOW) and sample.run_id is not None:
        commands.append(f"tsk logs {sample.run_id} -f")
        commands.append(f"tsk kill {sample.run_id}")
    if notice.about in (AlertKind.FAILED, AlertKind.MISSED):
        commands.append(f"tsk run {task_id}")
    return [*dict.fromkeys(commands), f"tsk alerts silence {task_id} --for 2h"]


def _amount(text: str, *, is_bytes: bool) -> str:
    """Return an amount as people write it; what is none stays as it is."""
    try:
        number = float(text)
    except ValueError:
        return text
    return f"{number / 1e6:.1f} MB" if is_bytes else f"{number:.1f} s"
