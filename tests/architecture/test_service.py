"""The service file keeps the promise that SECURITY.md makes of it."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

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


def test_the_service_leaves_scripts_to_the_next_scheduler() -> None:
    lines = SERVICE.read_text(encoding="utf-8").splitlines()

    assert "KillMode=process" in lines
    assert "Restart=always" in lines
