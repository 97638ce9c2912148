"""Whether the scheduler comes back by itself, told with the command that makes it so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from task_scheduler.doctor.findings import Level
from task_scheduler.doctor.services import ServiceState, judge_service
from task_scheduler.i18n import set_language
from task_scheduler.service.systemd import UnitState

UNIT = UnitState(
    name="farm",
    path=Path("/etc/systemd/system/farm.service"),
    is_of_user=False,
    enabled="enabled",
    active="active",
    result="success",
    main_pid=42,
    needs_reload=False,
)
FINE = ServiceState(is_systemd=True, unit=UNIT, holder_pid=42, holder_unit="farm")


@pytest.fixture(autouse=True)
def _english() -> None:
    set_language("en")


def test_a_service_that_runs_and_starts_at_boot_is_fine() -> None:
    finding = judge_service(FINE)

    assert (finding.level, finding.command) == (Level.FINE, "")
    assert finding.told() == "farm: starts at boot and after a crash, and runs"


@pytest.mark.parametrize(
    ("state", "level", "command"),
    [
        (ServiceState(is_systemd=True), Level.WARNING, "tsk install-service"),
        (
            replace(FINE, unit=replace(UNIT, enabled="disabled")),
            Level.WARNING,
            "sudo systemctl enable farm",
        ),
        (
            replace(FINE, unit=replace(UNIT, needs_reload=True)),
            Level.WARNING,
            "sudo systemctl daemon-reload",
        ),
        (
            ServiceState(is_systemd=True, unit=replace(UNIT, active="inactive", main_pid=0)),
            Level.WARNING,
            "sudo systemctl start farm",
        ),
        (
            ServiceState(is_systemd=True, unit=replace(UNIT, active="failed", result="exit-code")),
            Level.PROBLEM,
            "journalctl -u farm -n 50",
        ),
        (
            ServiceState(is_systemd=True, unit=replace(UNIT, active="failed", is_of_user=True)),
            Level.PROBLEM,
            "journalctl --user -u farm -n 50",
        ),
        (replace(FINE, holder_pid=7, holder_unit=""), Level.WARNING, "sudo systemctl status farm"),
    ],
)
def test_what_is_not_fine_names_the_command_that_mends_it(
    state: ServiceState, level: Level, command: str
) -> None:
    finding = judge_service(state)

    assert (finding.level, finding.command) == (level, command)
    assert command in finding.advice()
    assert not finding.told().startswith("doctor.")


def test_where_no_systemd_runs_nothing_is_wrong_with_it() -> None:
    assert judge_service(ServiceState(is_systemd=False)).level is Level.UNKNOWN


def test_a_scheduler_within_the_service_of_a_program_needs_none_of_its_own() -> None:
    finding = judge_service(ServiceState(is_systemd=True, holder_pid=9, holder_unit="gunicorn"))

    assert finding.level is Level.FINE
    assert "gunicorn" in finding.told()
