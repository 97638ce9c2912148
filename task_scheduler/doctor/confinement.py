"""Confinement: to what tasks can be held here, and why not to more.

Responsible for: saying it. What is offered depends on the process that starts the tasks, its user
and its place among the control groups: so that one is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from task_scheduler.confinement.control_groups import LIMITS_BY_GROUP
from task_scheduler.doctor.findings import Finding, Level
from task_scheduler.i18n import translate

__all__ = ["judge_confinement"]


def judge_confinement(offered: Mapping[str, Any] | None) -> Finding:
    """Say which limits hold for whole trees and which networks can be given.

    `offered` as `LaunchGuard.offered` says it; None where no scheduler tells.
    """
    if offered is None:
        return Finding(check="confinement", level=Level.UNKNOWN, sentence="confinement_unknown")
    kept = [name for name, by in LIMITS_BY_GROUP.items() if by in offered["controllers"]]
    networks = ["none", "loopback"] if not offered["namespace_trouble"] else []
    networks += ["tcp"] if offered["has_port_rules"] else []
    reason = ""
    if offered["reason"]:
        sentence = translate(f"confinement.group_{offered['reason']}", what=offered["what"])
        reason = f" ({sentence})"
    return Finding(
        check="confinement",
        level=Level.FINE,
        sentence="confinement" if kept else "confinement_of_processes",
        figures=dict(offered),
        texts={
            "kept": ", ".join(kept),
            "networks": ", ".join([*networks, "all"]),
            "reason": reason,
        },
    )
