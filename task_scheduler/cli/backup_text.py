"""What a backup holds and what a hold is, as people read it.

Responsible for: their lines, the same in `backup`, `restore`, `status` and below lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from task_scheduler.cli.moments import NOTHING, duration_text
from task_scheduler.i18n import translate

if TYPE_CHECKING:
    from task_scheduler.cli.session import Session

__all__ = [
    "hold_problems",
    "hold_sentence",
    "put_contents",
    "put_hold",
    "say_if_held",
    "size_text",
]

_SHOWN = 10


def put_contents(session: Session, found: Mapping[str, Any], seconds: float | None = None) -> None:
    """Write what is in a backup."""
    moments = session.moments()
    facts = {
        "file": found["path"],
        "made": moments.full(found["backed_up_at"]),
        "contents": translate("cli.backup_counts", entries=found["entries"], runs=found["runs"]),
        "newest": moments.full(found["newest_run_at"]),
        "size": size_text(found["size"]),
    }
    if seconds is not None:
        facts["took"] = duration_text(seconds)
    session.pairs([(translate(f"cli.fact_{name}"), text) for name, text in facts.items()])


def hold_sentence(session: Session, hold: Mapping[str, Any]) -> str:
    """Return in one sentence why nothing starts."""
    values = {"moment": session.moments().full(hold["moment"])}
    return translate(f"cli.held_{hold['reason']}", **values)


def say_if_held(session: Session) -> None:
    """Tell that nothing starts, and how it does again, where the ledger is held."""
    hold = None if session.is_quiet else session.view.hold()
    if hold is not None:
        session.say(hold_sentence(session, hold))
        session.hint(translate("cli.next_resume_now"), "tsk restore --resume-from now")


def hold_problems(session: Session) -> list[dict[str, Any]]:
    """Return the hold of the ledger as `tsk status` tells of problems; nothing without one."""
    hold = session.view.hold()
    if hold is None:
        return []
    return [
        {
            "kind": "ledger_held",
            "what": translate("cli.held_what"),
            "since": hold["held_at"],
            "where": str(session.scheduler.files.database),
            "why": hold_sentence(session, hold),
            "remedy": "tsk restore",
        }
    ]


def put_hold(session: Session, hold: Mapping[str, Any]) -> None:
    """Write why the ledger is held, what is known that came after it, and what to type."""
    moments = session.moments()
    session.put_sentence(hold_sentence(session, hold), "red")
    facts = {
        "held": moments.full(hold["held_at"]),
        "moment": moments.full(hold["moment"]),
        "waiting": _waiting_text(hold["waiting"]),
        "later": _attempts_text(session, hold["later"]),
        "living": _attempts_text(session, hold["living"]),
    }
    items = [(translate(f"cli.hold_fact_{name}"), text) for name, text in facts.items()]
    session.pairs(items, indent="  ")
    session.hint(translate("cli.next_resume_now"), "tsk restore --resume-from now")
    session.hint(translate("cli.next_resume_moment"), "tsk restore --resume-from MOMENT")
    session.hint(translate("cli.next_resume_backup"), "tsk restore --resume-from backup")


def _waiting_text(waiting: list[Mapping[str, Any]]) -> str:
    """Return how many runs wait, and which."""
    if not waiting:
        return NOTHING
    names = ", ".join(
        f"#{run['run_id']} {run['task_id']} ({_why_waiting(run)})" for run in waiting[:_SHOWN]
    )
    more = " …" if len(waiting) > _SHOWN else ""
    return translate("cli.hold_waiting", count=len(waiting), names=names + more)


def _why_waiting(run: Mapping[str, Any]) -> str:
    return translate(f"cli.waits_as_{'retry' if run['attempt'] else run['origin']}")


def _attempts_text(session: Session, attempts: list[Mapping[str, Any]]) -> str:
    """Return how many attempts there are, and the newest of them."""
    if not attempts:
        return NOTHING
    moments = session.moments()
    newest = max(attempts, key=lambda attempt: str(attempt["at"]))
    shown = attempts[-_SHOWN:]
    names = ", ".join(
        f"#{a['run_id']}" + (f" ({a['pid']})" if a["pid"] is not None else "") for a in shown
    )
    more = " …" if len(attempts) > len(shown) else ""
    return translate(
        "cli.hold_attempts",
        count=len(attempts),
        newest=moments.full(newest["at"]),
        names=names + more,
    )


def size_text(size: int) -> str:
    """Return a number of bytes in its greatest unit."""
    number, unit = float(size), "B"
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024 or unit == "GiB":
            break
        number /= 1024
    return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
