"""The order of one launch: what a supervisor must know, all of it, in bytes and in sentences.

Responsible for: what a task inherits from the scheduler's environment, and for the sentences in the
user's language, so that a supervisor needs no catalogue.
"""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Sequence
from typing import Any

from task_scheduler.confinement.control_groups import group_of
from task_scheduler.confinement.refusal import REASONS
from task_scheduler.core.model import LaunchSpec
from task_scheduler.i18n import translate
from task_scheduler.supervision.orders import FOLDER_VARIABLE
from task_scheduler.supervision.outgoing_order import OutgoingOrder

__all__ = ["order_of"]

_NOT_INHERITED = frozenset(
    {
        "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "FDSTORE", "MAINPID",
        "LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES",
        "INVOCATION_ID", "JOURNAL_STREAM", "SYSTEMD_EXEC_PID",
        "MEMORY_PRESSURE_WATCH", "MEMORY_PRESSURE_WRITE",
    }
)  # fmt: skip
"""What the service manager tells the scheduler alone."""


def order_of(
    spec: LaunchSpec, *, folder: bytes, bell: bytes, output_limit_bytes: int
) -> OutgoingOrder:
    """Return the order that carries out `spec` in an attempt's folder."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in _NOT_INHERITED | spec.withheld and _is_inherited(name, spec.inherited)
    }
    variables = {**inherited, **spec.env}
    env = {os.fsencode(name): os.fsencode(value) for name, value in variables.items()}
    env[FOLDER_VARIABLE.encode("ascii")] = folder
    return OutgoingOrder(
        folder=folder,
        argv=[os.fsencode(item) for item in spec.argv],
        working_dir=os.fsencode(spec.working_dir),
        env=env,
        timeout_seconds=spec.timeout_seconds,
        kill_grace_seconds=spec.kill_grace_seconds,
        output_limit_bytes=output_limit_bytes,
        bell=bell,
        texts=_texts(spec, output_limit_bytes),
        confinement=_confinement(spec, folder),
        masks=spec.masks,
    )


def _confinement(spec: LaunchSpec, folder: bytes) -> dict[str, Any]:
    """Return the plan of a confinement; a control group has its attempt's name."""
    plan = dict(spec.confinement or {})
    if group := plan.get("group"):
        plan["group"] = {"folder": group_of(group["base"], folder), "limits": group["limits"]}
    return plan


def _is_inherited(name: str, patterns: Sequence[str] | None) -> bool:
    return patterns is None or any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _texts(spec: LaunchSpec, limit: int) -> dict[str, str]:
    """Return the sentences of an order; what the supervisor alone knows stays as ``{name}``."""
    program = spec.argv[0]
    reason = "{reason}"
    return {
        "cancelled": translate("tasks.was_cancelled"),
        "timed_out": translate("tasks.timed_out", seconds=spec.timeout_seconds or 0),
        "exit_code": translate("tasks.exit_code", code="{code}"),
        "killed_by": translate("tasks.killed_by", signal="{signal}"),
        "out_of_memory": translate("supervision.out_of_memory", signal="{signal}"),
        "no_folder": translate("tasks.no_working_dir", path=spec.working_dir),
        "no_program": translate("tasks.no_program", program=program),
        "no_interpreter": translate(
            "supervision.no_interpreter", program=program, interpreter="{interpreter}"
        ),
        "not_allowed": translate("supervision.not_allowed", program=program),
        "no_format": translate("supervision.no_format", program=program),
        "too_long": translate("supervision.too_long", program=program),
        "not_started": translate("tasks.not_started", program=program, reason=reason),
        "truncated": translate("supervision.truncated", limit=limit),
        "gap": translate("supervision.gap", count="{count}"),
        "internal": translate("supervision.internal", reason=reason),
        **_refusals(spec),
    }


def _amount(name: str, most: int) -> str:
    """Return a limit as a user would write it: ``256 MB``."""
    if not name.endswith("_bytes"):
        return str(most)
    units = (("GB", 10**9), ("MB", 10**6), ("kB", 10**3))
    for unit, size in units:
        if most >= size:
            return f"{most / size:.4g} {unit}"
    return f"{most} B"


def _refusals(spec: LaunchSpec) -> dict[str, str]:
    """Return why a confined program may not start, and which limit ended it."""
    if not spec.confinement:
        return {}
    texts = {
        f"refused_{name}": translate(
            "confinement.not_started",
            reason=translate(f"confinement.{name}", what="{what}", why="{why}"),
        )
        for name in REASONS
    }
    group = spec.confinement.get("group") or {}
    limits = {**(spec.confinement.get("limits") or {}), **(group.get("limits") or {})}
    if "cpu_percent" in limits:
        # To be held back is the end of no program, but it may be why one took too long.
        most = limits.pop("cpu_percent")
        texts["held_back"] = translate("confinement.held_back", most=most, seconds="{seconds}")
    for name, most in limits.items():
        texts[f"limit_{name}"] = translate(f"confinement.beyond_{name}", most=_amount(name, most))
    return texts
