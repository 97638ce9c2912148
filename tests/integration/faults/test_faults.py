"""Storage that fails under a scheduler at work: shown, told, healed from, and nothing lost."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.integration.faults.campaign import Campaign
from tests.integration.faults.kinds import KINDS
from tests.integration.faults.world import lacking

SEED = os.environ.get("FAULTS_SEED", "ci")
_LANES = 2

pytestmark = [
    pytest.mark.may_skip(reason="small disks need root, failing system calls need strace"),
    pytest.mark.skipif(bool(lacking()), reason=lacking() or "nothing lacks"),
]


@pytest.mark.parametrize("lane", range(_LANES))
def test_of_each_kind_of_fault_one_is_survived(tmp_path: Path, lane: int) -> None:
    folder = tmp_path / "world"
    kinds = KINDS[lane::_LANES]

    report = Campaign(folder, f"{SEED}/{lane}", len(kinds), kinds).run()

    assert not report.violations, f"evidence in {folder}\n" + "\n".join(report.violations[:30])
    assert sorted(report.kinds) == sorted(kind.name for kind in kinds)
    assert report.acknowledged > len(kinds)
    shutil.rmtree(folder)
