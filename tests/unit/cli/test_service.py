"""`tsk install-service` and `uninstall-service`, with a systemd that notes what it is asked."""

from __future__ import annotations

import os
from functools import partialmethod
from pathlib import Path

import pytest

from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.service.systemd import Answer, Systemd
from task_scheduler.service.unit import is_unedited
from tests.unit.cli.made_ledger import MadeLedger


class Machine:
    """A machine run by systemd, in a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.calls: list[str] = []
        self.refusal = ""
        self.version = "systemd 252 (252.38-1~deb12u1)\n"
        (root / "run/systemd/system").mkdir(parents=True)
        (root / "etc/systemd/system").mkdir(parents=True)
        self.unit = root / "etc/systemd/system/task-scheduler.service"

    def call(self, systemd: Systemd, *words: str) -> Answer:
        """Answer as systemctl does."""
        if words == ("--version",):
            return Answer("", 0, "", self.version)
        self.calls.append(" ".join(systemd.command(*words)))
        return Answer(self.calls[-1], 1 if self.refusal else 0, self.refusal)


def _call(systemd: Systemd, machine: Machine, *words: str, seconds: float = 0) -> Answer:
    return machine.call(systemd, *words)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path / "machine")
    monkeypatch.setattr(
        "task_scheduler.cli.commands.install_service.Systemd", lambda user: Systemd(user, made.root)
    )
    monkeypatch.setattr(
        "task_scheduler.cli.commands.uninstall_service.Systemd",
        lambda user: Systemd(user, made.root),
    )
    monkeypatch.setattr(Systemd, "call", partialmethod(_call, made))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    return made


def test_the_unit_is_written_and_the_service_begins(empty: MadeLedger, machine: Machine) -> None:
    answer = empty.tsk("install-service")

    text = machine.unit.read_text(encoding="utf-8")
    assert answer.code == ExitCode.FINE
    assert f"WorkingDirectory={empty.folder}\n" in text
    assert is_unedited(text)
    assert machine.unit.stat().st_mode & 0o777 == 0o644
    assert machine.calls == [
        "systemctl daemon-reload",
        "systemctl enable --now task-scheduler.service",
    ]
    assert answer.out.startswith(f"Written: {machine.unit}\n")
    assert "systemctl status task-scheduler" in answer.err


def test_printing_changes_nothing(empty: MadeLedger, machine: Machine) -> None:
    answer = empty.tsk("install-service", "--print")

    assert answer.code == ExitCode.FINE
    assert is_unedited(answer.out)
    assert (machine.calls, machine.unit.exists()) == ([], False)


def test_installing_twice_changes_nothing_the_second_time(
    empty: MadeLedger, machine: Machine
) -> None:
    empty.tsk("install-service")

    assert empty.tsk("install-service").out.startswith("As it was: ")


def test_a_unit_of_an_earlier_release_is_replaced_and_that_is_said(
    empty: MadeLedger, machine: Machine
) -> None:
    empty.tsk("install-service")
    empty.config.write_text('{"scheduler": {"stop_timeout_seconds": 900}}', encoding="utf-8")

    answer = empty.tsk("install-service")

    assert answer.out.startswith("Written anew: ")
    assert "systemctl restart task-scheduler" in answer.err
    assert "TimeoutStopSec=960" in machine.unit.read_text(encoding="utf-8")


def test_a_unit_that_somebody_edited_is_left_alone(empty: MadeLedger, machine: Machine) -> None:
    empty.tsk("install-service")
    edited = machine.unit.read_text(encoding="utf-8").replace("MemoryMax=2G", "MemoryMax=8G")
    machine.unit.write_text(edited, encoding="utf-8")

    installing, removing = empty.tsk("install-service"), empty.tsk("uninstall-service")

    assert (installing.code, removing.code) == (ExitCode.CONFLICT, ExitCode.CONFLICT)
    assert "somebody edited it" in installing.err
    assert "tsk install-service --print | diff" in installing.err
    assert machine.unit.read_text(encoding="utf-8") == edited


def test_force_replaces_it_and_keeps_it_beside(empty: MadeLedger, machine: Machine) -> None:
    machine.unit.write_text("[Service]\nExecStart=/mine\n", encoding="utf-8")

    answer = empty.tsk("install-service", "--force")

    aside = machine.unit.with_name("task-scheduler.service.before")
    assert aside.read_text(encoding="utf-8") == "[Service]\nExecStart=/mine\n"
    assert is_unedited(machine.unit.read_text(encoding="utf-8"))
    assert f"The one before is kept: {aside}" in answer.out


def test_a_service_has_the_name_that_was_asked_for(empty: MadeLedger, machine: Machine) -> None:
    document = empty.tsk("install-service", "--name", "pond", "--json").document

    assert document["path"] == str(machine.unit.with_name("pond.service"))
    assert document["action"] == "written"
    assert document["commands"][-1] == "systemctl enable --now pond.service"


@pytest.mark.parametrize("name", ["../../etc/passwd", "a.service", ""])
def test_a_name_that_cannot_be_one_is_refused(
    empty: MadeLedger, machine: Machine, name: str
) -> None:
    answer = empty.tsk("install-service", "--name", name)

    assert answer.code == ExitCode.USAGE
    assert "name of a service" in answer.err


def test_ones_own_service_lies_in_ones_own_folder(
    empty: MadeLedger, machine: Machine, tmp_path: Path
) -> None:
    answer = empty.tsk("install-service", "--user")

    unit = tmp_path / "home/systemd/user/task-scheduler.service"
    assert "User=" not in unit.read_text(encoding="utf-8")
    assert machine.calls[0] == "systemctl --user daemon-reload"
    assert "loginctl enable-linger" in answer.err


def test_uninstalling_ends_the_service_before_its_unit_goes(
    empty: MadeLedger, machine: Machine
) -> None:
    empty.tsk("install-service")
    machine.calls.clear()

    answer = empty.tsk("uninstall-service")

    assert answer.code == ExitCode.FINE
    assert not machine.unit.exists()
    assert machine.calls == [
        "systemctl disable --now task-scheduler.service",
        "systemctl daemon-reload",
    ]
    assert str(empty.database) in answer.err


def test_what_is_not_installed_cannot_be_uninstalled(empty: MadeLedger, machine: Machine) -> None:
    answer = empty.tsk("uninstall-service", "--name", "pond")

    assert answer.code == ExitCode.NOT_FOUND
    assert "pond.service" in answer.err


def test_a_systemd_that_can_begin_in_a_subgroup_hands_one_over(
    empty: MadeLedger, machine: Machine
) -> None:
    old = empty.tsk("install-service", "--print").out
    machine.version = "systemd 257 (257.8)\n"
    new = empty.tsk("install-service", "--print").out

    assert "\nProtectControlGroups=yes\n" in old
    assert "\nDelegate=cpu memory pids\nDelegateSubgroup=scheduler\n" in new
    assert "\nProtectControlGroups=" not in new


def test_where_no_systemd_runs_the_way_by_hand_is_told(empty: MadeLedger, machine: Machine) -> None:
    (machine.root / "run/systemd/system").rmdir()

    answer = empty.tsk("install-service")

    assert answer.code == ExitCode.PROBLEM
    assert f"cd {empty.folder} && exec " in answer.err
    assert answer.err.rstrip().endswith("tsk install-service --print")
    assert not machine.unit.exists()


def test_a_refusal_of_systemd_is_told_in_its_own_words(empty: MadeLedger, machine: Machine) -> None:
    machine.refusal = "Failed to connect to bus: No medium found"

    answer = empty.tsk("install-service")

    assert answer.code == ExitCode.PROBLEM
    assert "systemctl daemon-reload failed: Failed to connect to bus" in answer.err
    assert "journalctl -u task-scheduler" in answer.err


@pytest.mark.may_skip(reason="root may write anywhere")
@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_who_may_not_write_there_is_told_the_command_for_root(
    empty: MadeLedger, machine: Machine
) -> None:
    machine.unit.parent.chmod(0o500)

    answer = empty.tsk("install-service")

    assert answer.code == ExitCode.NOT_ALLOWED
    assert "sudo " in answer.err


def test_a_folder_that_the_service_could_not_make_is_named(
    empty: MadeLedger, machine: Machine
) -> None:
    empty.config.write_text('{"storage": {"path": "/nowhere/at/all/x.db"}}', encoding="utf-8")

    answer = empty.tsk("install-service")

    assert answer.code == ExitCode.NOT_FOUND
    assert "/nowhere/at/all" in answer.err


def test_a_configuration_that_is_wrong_is_not_installed(
    empty: MadeLedger, machine: Machine
) -> None:
    empty.config.write_text('{"scheduler": {"max_workers": "many"}}', encoding="utf-8")

    assert empty.tsk("install-service").code == ExitCode.INVALID
    assert not machine.unit.exists()
