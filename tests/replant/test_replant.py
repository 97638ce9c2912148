"""The bugs of others in our source: each can be planted, a few of them are, and are caught."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.replant.bugs import BUGS, Bug, PlantingError
from tests.replant.campaign import Campaign, Finding, go_through, summary
from tests.replant.layers import LAYERS
from tests.replant.record import DOCUMENT, document, results
from tests.replant.workshop import ROOT, Verdict, Workshop

SAMPLE = 6
SEED = os.environ.get("REPLANT_SEED", "2026")
_SLOW = {
    "what was missed is walked through one by one",
    "an error that nobody thought of ends the loop",
}
"""Bugs that are caught by a test that waits in vain: only the whole campaign has the patience."""


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name.replace(" ", "_"))
def test_every_bug_can_still_be_planted(bug: Bug) -> None:
    path = bug.place(ROOT / "task_scheduler")
    whole = path.read_text("utf-8")

    planted = bug.planted(whole)

    assert planted != whole
    if path.suffix == ".py":
        compile(planted, str(path), "exec")


def test_there_are_many_bugs_of_many_rows_and_each_is_asked_about() -> None:
    assert len(BUGS) >= 50
    assert len({bug.row for bug in BUGS}) >= 50
    assert len({bug.name for bug in BUGS}) == len(BUGS)
    assert [bug.name for bug in BUGS if not bug.tests] == []


def test_a_bug_whose_lines_have_changed_is_named_with_its_file() -> None:
    bug = Bug("gone", 1, "core/engine.py", "no such line\n", "")

    with pytest.raises(PlantingError, match=r"'gone'.*0 times.*core/engine\.py.*bugs\.toml"):
        bug.place(ROOT / "task_scheduler")


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("replant"))


def sample() -> list[Bug]:
    quick = [bug for bug in BUGS if bug.name not in _SLOW]
    return random.Random(SEED).sample(quick, SAMPLE)


def test_a_sample_of_the_bugs_is_caught_by_the_tests_of_their_rows(
    workshop: Workshop, tmp_path: Path
) -> None:
    campaign = Campaign(workshop, layers=LAYERS[:1])

    findings = go_through(campaign, tmp_path / "cursor.json", bugs=sample(), tell=print)

    assert {finding.verdict for finding in findings} == {Verdict.CAUGHT}, summary(findings)


def test_a_change_that_is_no_bug_is_said_to_survive_and_leaves_the_copy_whole(
    workshop: Workshop,
) -> None:
    file = "core/retry.py"
    bug = Bug("harmless", 71, file, "_MAX_DOUBLINGS = 62\n", "_MAX_DOUBLINGS = 61\n")
    copy = workshop.folder / "task_scheduler" / file
    before = copy.read_text("utf-8")

    finding = Campaign(workshop, layers=LAYERS[:1]).try_out(bug)

    assert finding.verdict == Verdict.SURVIVED
    assert copy.read_text("utf-8") == before
    assert "1 survived" in summary([finding])


def test_a_campaign_goes_on_where_it_stopped(tmp_path: Path) -> None:
    class Broken(Campaign):
        def __init__(self) -> None:
            self.tried: list[str] = []

        def try_out(self, bug: Bug) -> Finding:
            if len(self.tried) == 2:
                raise KeyboardInterrupt
            self.tried.append(bug.name)
            return Finding(bug.name, Verdict.CAUGHT)

    cursor, bugs = tmp_path / "cursor.json", BUGS[:4]
    with pytest.raises(KeyboardInterrupt):
        go_through(Broken(), cursor, bugs=bugs, tell=print)

    again = Broken()
    findings = go_through(again, cursor, bugs=bugs, tell=print)

    assert again.tried == [bug.name for bug in bugs[2:]]
    assert [finding.name for finding in findings] == [bug.name for bug in bugs]
    assert not cursor.exists()


def test_the_document_tells_what_the_lists_and_the_last_campaign_say() -> None:
    found = results()

    assert [bug.name for bug in BUGS if found.get(bug.name, {}).get("verdict") != "caught"] == []
    assert DOCUMENT.read_text("utf-8") == document(), "write it anew: scripts/replant --keep"
