"""Whether something starts the scheduler again: the unit of systemd that is there for it.

Responsible for: asking systemd, and judging what it says of the unit and of the process that holds
the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from task_scheduler.doctor.findings import Finding, Level
from task_scheduler.service.systemd import Systemd, UnitState, unit_of_process, units_for

__all__ = ["ServiceState", "judge_service", "look_at_service"]

_AT_BOOT = frozenset({"enabled", "enabled-runtime", "linked", "alias", "static", "generated"})


@dataclass(frozen=True, slots=True)
class ServiceState:
    """What there is of a service for one ledger."""

    is_systemd: bool
    unit: UnitState | None = None
    """The one that is installed for the folder of the configuration."""
    holder_pid: int = 0
    holder_unit: str = ""
    """The process that holds the ledger, and the service that it is a part of."""


def look_at_service(folder: Path | None, holder: Mapping[str, Any] | None) -> ServiceState:
    """Ask the systemd of the machine and that of this user."""
    places = (Systemd(), Systemd(is_of_user=True))
    if not places[0].is_running:
        return ServiceState(is_systemd=False)
    pid = int((holder or {}).get("pid") or 0)
    found = () if folder is None else units_for(folder, *places)
    states = [state for systemd, name in found if (state := systemd.state_of(name)) is not None]
    # Of several the one that runs is meant.
    states.sort(key=lambda state: state.active != "active")
    unit = states[0] if states else None
    return ServiceState(True, unit, pid, unit_of_process(pid) if pid else "")


def judge_service(state: ServiceState) -> Finding:
    """Say whether the scheduler comes back after a crash and after a boot."""
    unit = state.unit
    if not state.is_systemd:
        return Finding(check="service", level=Level.UNKNOWN, sentence="service_no_systemd")
    if unit is None:
        if state.holder_unit:
            return _finding(Level.FINE, "service_part", state, name=state.holder_unit)
        command = "tsk install-service"
        return _finding(Level.WARNING, "service_none", state, name="", command=command)
    start = f"{unit.systemctl} start {unit.name}"
    if unit.active == "failed" or (unit.active == "activating" and not state.holder_pid):
        mode = "--user " if unit.is_of_user else ""
        command = f"journalctl {mode}-u {unit.name} -n 50"
        return _finding(Level.PROBLEM, "service_failed", state, name=unit.name, command=command)
    if unit.needs_reload:
        command = f"{unit.systemctl} daemon-reload"
        return _finding(Level.WARNING, "service_changed", state, name=unit.name, command=command)
    if unit.enabled not in _AT_BOOT:
        command = f"{unit.systemctl} enable {unit.name}"
        return _finding(Level.WARNING, "service_disabled", state, name=unit.name, command=command)
    if unit.active != "active":
        return _finding(Level.WARNING, "service_stopped", state, name=unit.name, command=start)
    if state.holder_pid and state.holder_pid != unit.main_pid:
        command = f"{unit.systemctl} status {unit.name}"
        return _finding(Level.WARNING, "service_elsewhere", state, name=unit.name, command=command)
    return _finding(Level.FINE, "service", state, name=unit.name)


def _finding(
    level: Level, sentence: str, state: ServiceState, *, name: str, command: str = ""
) -> Finding:
    unit = state.unit
    remedy = f"{sentence}_remedy" if command else ""
    return Finding(
        check="service",
        level=level,
        sentence=sentence,
        remedy=remedy,
        command=command,
        figures={
            "unit": name or None,
            "enabled": unit.enabled if unit is not None else None,
            "active": unit.active if unit is not None else None,
            "main_pid": unit.main_pid if unit is not None else None,
            "holder_pid": state.holder_pid or None,
        },
        texts={"result": unit.result if unit is not None else "", "name": name},
    )
