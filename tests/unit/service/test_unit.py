"""The unit of an installation: its places filled in as systemd reads them, and known again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from task_scheduler.service.unit import (
    DEPLOYED,
    UnitPlaces,
    is_name,
    is_unedited,
    signed,
    unit_text,
)

FARM = UnitPlaces(
    program=("/srv/farm/.venv/bin/tsk",),
    config=Path("/srv/farm/scheduler_config.json"),
    folder=Path("/srv/farm"),
    writable=(Path("/srv/farm/.scheduler"), Path("/srv/farm/logs")),
    user="farm",
    group="pond",
)


def values_of(text: str) -> dict[str, str]:
    """Return the settings of a unit; of one that is given twice the last."""
    lines = [line for line in text.splitlines() if "=" in line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def test_the_places_of_the_installation_are_filled_in() -> None:
    found = values_of(unit_text(FARM))

    assert found["ExecStart"] == "/srv/farm/.venv/bin/tsk -c /srv/farm/scheduler_config.json up"
    assert found["WorkingDirectory"] == "/srv/farm"
    assert (found["User"], found["Group"]) == ("farm", "pond")
    assert found["ReadWritePaths"] == "/srv/farm"
    assert found["WantedBy"] == "multi-user.target"


def test_what_makes_a_restart_safe_is_there() -> None:
    found = values_of(unit_text(FARM))

    assert found["Type"] == "notify"
    assert (found["KillMode"], found["Restart"]) == ("process", "always")
    assert found["RestartPreventExitStatus"] == "2 7"
    # Else systemd would stop the whole service when the kernel ends one script for its memory.
    assert found["OOMPolicy"] == "continue"


def test_scripts_of_an_earlier_start_can_be_seen_and_ended() -> None:
    # Found with a real systemd: in a user namespace of its own, made anew for each start, the next
    # scheduler could not look after the scripts that it took up again, and could not end them.
    found = values_of(unit_text(FARM))

    assert found.get("PrivateUsers", "no") == "no"
    assert "PrivatePIDs" not in found


def test_systemd_waits_longer_than_the_scheduler_itself() -> None:
    found = values_of(unit_text(replace(FARM, stop_seconds=300.0, stall_seconds=600.0)))

    assert int(found["TimeoutStopSec"]) > 300
    assert int(found["WatchdogSec"]) > 600


def test_who_wants_no_end_of_a_stuck_engine_has_no_watchdog_either() -> None:
    assert values_of(unit_text(replace(FARM, stall_seconds=0.0)))["WatchdogSec"] == "0"


def test_other_folders_that_are_written_to_are_opened_once() -> None:
    writable = (Path("/data/ledger"), Path("/srv/farm/logs"), Path("/data/ledger/deep"))

    found = values_of(unit_text(replace(FARM, writable=writable)))

    assert found["ReadWritePaths"] == "/srv/farm /data/ledger"


@pytest.mark.parametrize("folder", ["/home/sato/farm", "/root/farm"])
def test_a_home_that_is_worked_in_is_not_hidden(folder: str) -> None:
    at_home = replace(FARM, folder=Path(folder))

    assert values_of(unit_text(FARM))["ProtectHome"] == "yes"
    assert values_of(unit_text(at_home))["ProtectHome"] == "read-only"


@pytest.mark.parametrize(
    "at_home",
    [
        replace(FARM, program=("/home/sato/.venv/bin/tsk",)),
        replace(FARM, readable=(Path("/srv/farm/.venv"), Path("/root/.pyenv/versions/3.11"))),
    ],
)
def test_a_program_in_a_home_can_be_started(at_home: UnitPlaces) -> None:
    assert values_of(unit_text(at_home))["ProtectHome"] == "read-only"


def test_letters_that_mean_something_to_systemd_mean_nothing() -> None:
    odd = Path('/srv/50% "fish" $HOME/池')

    found = values_of(unit_text(replace(FARM, folder=odd, config=odd / "c.json", writable=())))

    assert found["WorkingDirectory"] == '/srv/50%% "fish" $HOME/池'
    assert found["ExecStart"] == (
        '/srv/farm/.venv/bin/tsk -c "/srv/50%% \\"fish\\" $$HOME/池/c.json" up'
    )
    assert found["ReadWritePaths"] == '"/srv/50%% \\"fish\\" $HOME/池"'


def test_the_unit_of_a_user_asks_for_nothing_that_a_user_may_not() -> None:
    text = unit_text(replace(FARM, is_of_user=True))
    found = values_of(text)

    forbidden = {"User", "Group", "CapabilityBoundingSet", "ProtectSystem", "PrivateUsers", "After"}
    assert forbidden & found.keys() == set()
    assert found["WantedBy"] == "default.target"
    assert found["NoNewPrivileges"] == "yes"
    assert "systemctl --user status task-scheduler" in text


def test_a_unit_is_known_again_until_somebody_edits_it() -> None:
    text = signed(unit_text(DEPLOYED))

    assert is_unedited(text)
    assert not is_unedited(text.replace("MemoryMax=2G", "MemoryMax=8G"))
    assert not is_unedited(unit_text(DEPLOYED))
    assert not is_unedited("")


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("farm", True), ("farm-2.night", True), ("farm.service", False), ("../x", False), ("", False)],
)
def test_a_name_cannot_lead_out_of_the_folder(name: str, is_one: bool) -> None:
    assert is_name(name) is is_one
