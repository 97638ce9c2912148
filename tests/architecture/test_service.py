"""The service file is what `tsk install-service` writes, and keeps the promise of SECURITY.md."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from task_scheduler.service.unit import DEPLOYED, unit_text
from tests.architecture.source_tree import ROOT

SERVICE = ROOT / "deploy" / "task-scheduler.service"
MOST_EXPOSED = 1.5


@pytest.mark.may_skip(reason="only where systemd is installed")
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_the_service_is_hardly_exposed() -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(SERVICE)],
        capture_output=True,
        text=True,
        check=False,
    )
    score = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)

    assert score is not None, done.stderr
    assert float(score[1]) <= MOST_EXPOSED
    assert f"scores it {score[1]}" in (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def test_the_service_file_is_the_one_that_the_command_writes() -> None:
    """Renew it by ``TASK_SCHEDULER_RENEW_GOLDEN=1``, and read the difference."""
    if os.environ.get("TASK_SCHEDULER_RENEW_GOLDEN"):
        SERVICE.write_text(unit_text(DEPLOYED), encoding="utf-8")

    assert SERVICE.read_text(encoding="utf-8") == unit_text(DEPLOYED)


@pytest.mark.may_skip(reason="only where systemd is installed")
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
@pytest.mark.parametrize("is_of_user", [False, True])
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path, *, is_of_user: bool) -> None:
    places = replace(
        DEPLOYED,
        program=(sys.executable, "-m", "task_scheduler"),
        folder=tmp_path,
        user="root",
        group="root",
        is_of_user=is_of_user,
    )
    unit = tmp_path / "task-scheduler.service"
    unit.write_text(unit_text(places), encoding="utf-8")

    done = subprocess.run(
        ["systemd-analyze", *(["--user"] if is_of_user else []), "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
    )

    # What it says of other units of the machine is not ours.
    assert [line for line in done.stderr.splitlines() if unit.name in line] == []


def test_the_service_leaves_scripts_to_the_next_scheduler() -> None:
    lines = SERVICE.read_text(encoding="utf-8").splitlines()

    assert "KillMode=process" in lines
    assert "Restart=always" in lines
