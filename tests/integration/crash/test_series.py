"""A series of kills goes on from the cursor that an earlier one left."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.integration.crash.__main__ import ROUND, Series
from tests.integration.crash.campaign import Campaign, Report


def test_a_series_goes_on_with_the_figures_of_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(campaign: Campaign, victims: tuple[str, ...]) -> Report:
        return Report(kills=campaign.kills, recoveries=[0.5], moments=Counter(work=2))

    monkeypatch.setattr(Campaign, "run", die)
    monkeypatch.setattr("tests.integration.crash.__main__.shutil.rmtree", lambda *_, **__: None)
    (tmp_path / "s-scheduler").mkdir()
    Series(tmp_path, "s", ("scheduler",)).run(2 * ROUND, lanes=1)

    report = Series(tmp_path, "s", ("scheduler",)).run(3 * ROUND, lanes=1)

    assert report.kills == 3 * ROUND
    assert report.recoveries == [0.5] * 3
    assert report.moments == Counter(work=6)
