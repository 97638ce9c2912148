"""What contenders measured is compared, judged and drawn as it should be."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks import environments, guards, measuring, reports
from benchmarks.cases import CASES
from benchmarks.contests import Case, Contender, Guard, Target, judge
from benchmarks.guards import compare
from benchmarks.measured import cell, is_more_better, number_text, ratio, title
from benchmarks.measuring import Measured, measure

BENCHMARKS = Path(measuring.__file__).parent
FACTS = {
    "machine": {"processor": "2 x made up"},
    "commit": "abc1234",
    "date": "2026-11-25T00:00:00+00:00",
    "versions": {"peers": {"huey": "3"}},
}


def case_of(*contenders: Contender, **values: object) -> Case:
    made = {"name": "made_up", "what": "nothing", "count": 10, "quick": 2, **values}
    return Case(contenders=contenders, **made)  # type: ignore[arg-type]


OURS = Contender("ours", "a.py", loses="nothing")
SLOW = Contender("slow", "b.py", environment="peers", loses="everything")
FAST = Contender("fast", "c.py", environment="peers")
FLOOR = Contender("floor", "d.py", environment="peers", is_peer=False)


def measured_of(**results: dict[str, list[float]]) -> Measured:
    return Measured(10, 3, results=results, loads=[0.5])


def test_a_rate_is_better_when_it_is_more_and_a_cost_when_it_is_less() -> None:
    assert is_more_better("runs_per_second")
    assert not is_more_better("p99_ms")
    assert ratio("runs_per_second", [10, 20, 30], [5]) == 4
    assert ratio("p99_ms", [2], [8]) == 4


def test_figures_are_written_with_unit_and_spread() -> None:
    assert title("p99_ms") == "p99 (ms)"
    assert title("runs_per_second") == "runs (/s)"
    assert cell([3, 1, 20_000]) == "3 (1-20,000)"
    assert cell([0.123456]) == "0.123"
    assert number_text(0) == "0"


@pytest.mark.parametrize(("value", "is_met"), [(99.0, False), (100.0, True)])
def test_a_bound_of_a_rate_is_the_least(value: float, is_met: bool) -> None:
    case = case_of(OURS, targets=(Target("runs_per_second", "ours", bound=100),))

    (verdict,) = judge(case, {"ours": {"runs_per_second": [value]}})

    assert verdict.is_met is is_met


@pytest.mark.parametrize(("value", "is_met"), [(101.0, False), (100.0, True)])
def test_a_bound_of_a_cost_is_the_most(value: float, is_met: bool) -> None:
    case = case_of(OURS, targets=(Target("p99_ms", "ours", bound=100),))

    (verdict,) = judge(case, {"ours": {"p99_ms": [value]}})

    assert verdict.is_met is is_met


def test_a_multiple_is_of_the_best_peer_and_never_of_a_floor() -> None:
    case = case_of(OURS, SLOW, FAST, FLOOR, targets=(Target("runs_per_second", "ours", times=7),))
    results = {
        "ours": {"runs_per_second": [600.0]},
        "slow": {"runs_per_second": [10.0]},
        "fast": {"runs_per_second": [100.0]},
        "floor": {"runs_per_second": [9_000.0]},
    }

    (verdict,) = judge(case, results)

    assert (verdict.measured, verdict.is_met) == ("6x (fast)", False)


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    case = case_of(
        OURS, SLOW, targets=(Target("p99_ms", "ours", bound=1), Target("x_ms", "ours", times=2))
    )

    assert [verdict.is_met for verdict in judge(case, {})] == [None, None]


def test_a_page_says_all_that_a_figure_needs() -> None:
    case = case_of(OURS, SLOW, targets=(Target("runs_per_second", "ours", bound=50),))
    found = measured_of(
        ours={"runs_per_second": [90, 100, 110]}, slow={"runs_per_second": [10, 10, 10]}
    )
    found.not_tried["gone"] = "long story\nno cron here"

    page = reports.page(case, found, FACTS)

    assert "| **ours** | 100 (90-110) |  |" in page
    assert "| slow | 10 (10-10) | 10x |" in page
    assert "| ours | runs (/s) >= 50 | 100 | met |" in page
    assert "- slow: everything" in page
    assert "- gone: no cron here" in page
    assert "abc1234" in page
    assert "huey 3" in page
    document = json.loads(json.dumps(reports.document(case, found, FACTS)))
    assert document["medians"]["ours"] == {"runs_per_second": 100}
    assert document["targets"][0]["is_met"] is True


def test_a_drawing_has_a_bar_for_each_line_and_is_well_formed() -> None:
    found = measured_of(
        ours={"p99_ms": [0.2, 0.3]}, slow={"p99_ms": [80.0]}, fast={"other_ms": [1.0]}
    )

    svg = reports.drawing(case_of(OURS, SLOW, FAST, charted=("p99_ms",)), found)

    texts = [node.text for node in ET.fromstring(svg).iter() if node.text]
    assert {"ours", "slow", "0.25", "80", "p99 (ms): less is better"} <= set(texts)
    assert "fast" not in texts
    assert svg.count("<rect") == 3


def test_lines_of_one_contender_are_drawn_as_its_own() -> None:
    found = measured_of(**{"ours, warm": {"cpu_ms": [1.0]}, "ours, cold": {"cpu_ms": [9.0]}})

    svg = reports.drawing(case_of(OURS, SLOW, charted=("cpu_ms",)), found)

    assert svg.count('fill="#0b7285"') == 2


GUARD = Guard("runs_per_second", "ours", "slow")


@pytest.mark.parametrize(("ours", "is_lost"), [(100.0, False), (61.0, False), (59.0, True)])
def test_the_guard_fails_at_a_clear_loss_alone(ours: float, is_lost: bool) -> None:
    case = case_of(OURS, SLOW, guards=(GUARD,))
    found = measured_of(ours={"runs_per_second": [ours]}, slow={"runs_per_second": [10.0]})
    committed = {"made_up, runs (/s): ours / slow": 10.0}

    (comparison,) = compare(case, found, committed)

    assert comparison.is_lost is is_lost
    assert ("LOST" in comparison.text()) is is_lost


def test_a_ratio_that_cannot_be_taken_any_more_is_lost_and_a_new_one_is_not() -> None:
    case = case_of(OURS, SLOW, guards=(GUARD,))
    gone = compare(case, measured_of(), {"made_up, runs (/s): ours / slow": 10.0})
    new = compare(case, measured_of(), {})

    assert [gone[0].is_lost, new[0].is_lost] == [True, False]


def test_accepted_ratios_are_found_again_beside_those_of_other_cases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "FILE", tmp_path / "guard.json")
    case = case_of(OURS, SLOW, guards=(GUARD,))
    found = measured_of(ours={"runs_per_second": [40.0]}, slow={"runs_per_second": [10.0]})

    guards.keep(compare(case, found, {}), {"commit": "a"})
    guards.keep(compare(case._replace(name="other"), found, {}), {"commit": "b"})

    assert guards.load() == {
        "made_up, runs (/s): ours / slow": 4.0,
        "other, runs (/s): ours / slow": 4.0,
    }


def test_the_guard_runs_only_whom_it_compares() -> None:
    case = case_of(OURS, SLOW, FAST, guards=(Guard("cpu_ms", "ours, cold", "slow"),))

    assert guards.guarded(case) == {"ours", "slow"}


def test_contenders_take_turns_and_a_peer_that_fails_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "_CONTENDERS", tmp_path)
    line = "import sys; print('talk'); "
    (tmp_path / "a.py").write_text(line + "print('{\"n\": %s}' % sys.argv[2])", encoding="utf-8")
    (tmp_path / "b.py").write_text("raise SystemExit('no such peer')", encoding="utf-8")
    (tmp_path / "c.py").write_text('print(\'{"skipped": "no cron"}\')', encoding="utf-8")
    (tmp_path / "e.py").write_text('print(\'{"warm": {"n": 1}}\')', encoding="utf-8")
    case = case_of(
        OURS._replace(share=0.5),
        Contender("bad", "b.py"),
        Contender("shy", "c.py"),
        Contender("late", "not_written.py"),
        Contender("two", "e.py"),
    )

    found = measure(case, rounds=2, count=10)

    assert found.results == {"ours": {"n": [5.0, 5.0]}, "two, warm": {"n": [1.0, 1.0]}}
    assert found.failed == ["bad"]
    assert found.not_tried == {
        "bad": "no such peer",
        "shy": "no cron",
        "late": "not_written.py is not there yet",
    }


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_a_case_names_what_there_is(case: Case) -> None:
    names = {contender.name for contender in case.contenders}
    environments_of = {contender.environment for contender in case.contenders}
    lines = {item.contender for item in (*case.targets, *case.guards)}

    assert len(names) == len(case.contenders)
    assert environments_of <= {"ours", *environments.names()}
    peers = [c for c in case.contenders if c.environment != "ours"]
    assert all((BENCHMARKS / "contenders" / c.script).exists() for c in peers)
    assert all(line in names or line.split(", ")[0] in names for line in lines)


@pytest.mark.parametrize("name", environments.names())
def test_peers_are_pinned_to_exact_versions(name: str) -> None:
    text = (BENCHMARKS / "environments" / f"{name}.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]

    assert lines
    assert [line for line in lines if line.count("==") != 1] == []
