"""Which unit is meant: by the folder that it works in, and by the group that a process is in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from task_scheduler.service.systemd import Answer, Systemd, unit_of_process, units_for
from task_scheduler.service.unit import DEPLOYED, unit_text


@pytest.mark.parametrize(
    ("lines", "unit"),
    [
        ("0::/system.slice/farm.service", "farm"),
        ("0::/system.slice/farm.service/scheduler", "farm"),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/farm.service", "farm"),
        ("0::/user.slice/user-1000.slice/session-3.scope", ""),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/vte-1.scope", ""),
        ("0::/user.slice/user-1000.slice/user@1000.service/init.scope", ""),
        ("0::/", ""),
        ("4:memory:/x\n1:name=systemd:/system.slice/farm.service\n0::/", "farm"),
    ],
)
def test_the_service_of_a_process_is_read_from_its_group(
    tmp_path: Path, lines: str, unit: str
) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "cgroup").write_text(f"{lines}\n", encoding="utf-8")

    assert unit_of_process(7, tmp_path) == unit


def test_a_process_that_is_gone_is_in_no_service(tmp_path: Path) -> None:
    assert unit_of_process(7, tmp_path) == ""


def test_a_unit_is_found_by_its_folder_whatever_its_name(tmp_path: Path) -> None:
    systemd = Systemd(root=tmp_path)
    systemd.folder.mkdir(parents=True)
    ours, other = Path("/srv/100% fish"), Path("/srv/other")
    systemd.unit_path("pond").write_text(unit_text(replace(DEPLOYED, folder=ours)))
    systemd.unit_path("elsewhere").write_text(unit_text(replace(DEPLOYED, folder=other)))
    web = "[Service]\nWorkingDirectory=/srv/100%% fish\nExecStart=/x\n"
    systemd.unit_path("web").write_text(web)

    assert [name for _, name in units_for(ours, systemd)] == ["pond"]


def test_what_systemd_says_of_a_unit_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "UnitFileState=enabled\nActiveState=active\nMainPID=42\nNeedDaemonReload=yes\n"
    monkeypatch.setattr(Systemd, "call", lambda *_, **__: Answer("", 0, said, said))

    state = Systemd().state_of("farm")

    assert state is not None
    assert (state.enabled, state.active, state.main_pid) == ("enabled", "active", 42)
    assert state.needs_reload


def test_a_systemd_that_does_not_answer_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    answer = Systemd(is_of_user=True).call("daemon-reload")

    assert (answer.command, answer.code) == ("systemctl --user daemon-reload", 127)
    assert Systemd().state_of("farm") is None
