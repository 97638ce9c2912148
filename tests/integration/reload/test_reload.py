"""A configuration that is edited under load, wrongly too: no occurrence is lost or doubled."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.integration.reload.campaign import Round

SEED = os.environ.get("RELOAD_SEED", "ci")


@pytest.mark.parametrize("kind", ["json", "toml", "yaml"])
def test_of_25_edits_none_loses_or_doubles_an_occurrence(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "state"

    report = Round(folder, SEED, 25, kind=kind).run()

    assert not report.violations, f"evidence in {folder}\n" + "\n".join(report.violations[:30])
    assert report.edits == 25
    assert report.refused > 3
    assert report.occurrences > 50
    shutil.rmtree(folder)
