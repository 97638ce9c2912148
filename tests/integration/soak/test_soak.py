"""After many runs nothing has grown: processes, threads, descriptors, files, and the ledger."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.integration.soak.campaign import Soak

SEED = os.environ.get("SOAK_SEED", "ci")
_MEGABYTE = 1_000_000


def test_30000_runs_leave_the_scheduler_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "state"

    report = Soak(folder, SEED, runs=30_000, every=500).run()

    assert not report.violations, f"evidence in {folder}\n" + "\n".join(report.violations)
    assert report.samples[-1].done >= 30_000
    assert report.requests > 50
    settled = report.samples[len(report.samples) // 2 :]
    # Caches fill up to about 60 MB; what a run leaves behind would come on top of that.
    assert settled[-1].rss - settled[0].rss < 10 * _MEGABYTE
    assert settled[-1].rss < 120 * _MEGABYTE
    shutil.rmtree(folder)
