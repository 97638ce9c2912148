"""From events to signs: in their order, each with what the ledger and outputs add."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from task_scheduler.alerts import signs
from task_scheduler.alerts.reading import SignReader
from task_scheduler.alerts.rules import AlertKind, AlertPlan, Rule
from task_scheduler.core import events
from task_scheduler.core.faults import FaultKind, Trouble
from task_scheduler.core.model import Outcome, SkipReason
from task_scheduler.errors import StoreUnavailableError

NOW = 1_000_000_000
FULL = Trouble(FaultKind.STORE_FULL, "/farm", "no space")


class Ledger:
    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def fetch(self, name: str, **_: Any) -> Any:
        self.asked.append(name)
        if name not in self.answers:
            raise StoreUnavailableError("errors.store_full", path="/farm")
        return self.answers[name]


def settled(
    run_id: int, outcome: Outcome = Outcome.FAILED, error: str | None = "exit code 3"
) -> Any:
    return events.RunSettled("upload", "Upload", run_id, 1, outcome, error, 5, NOW)


def test_a_program_s_failure_has_its_exit_code_and_the_error_line_of_its_output(
    tmp_path: Path,
) -> None:
    (tmp_path / "7").write_text("start\nError: pond 7 is gone\nbye\n", encoding="utf-8")
    ledger = Ledger(alert_attempts={"7": [3, "7"]})

    [sign] = SignReader(ledger.fetch, tmp_path).signs_of([settled(7)], NOW)

    assert isinstance(sign, signs.Failed)
    assert sign.cause == "exit 3: Error: pond <n> is gone"
    assert sign.error == "exit code 3: Error: pond 7 is gone"


def test_an_error_that_has_the_line_already_does_not_say_it_twice(tmp_path: Path) -> None:
    (tmp_path / "7").write_text("Error: pond 7\n", encoding="utf-8")
    ledger = Ledger(alert_attempts={"7": [3, "7"]})
    told = settled(7, error="exit code 3: Error: pond 7")

    [sign] = SignReader(ledger.fetch, tmp_path).signs_of([told], NOW)

    assert isinstance(sign, signs.Failed)
    assert sign.error == "exit code 3: Error: pond 7"


def test_of_many_failures_of_a_task_in_one_breath_one_output_is_read(tmp_path: Path) -> None:
    (tmp_path / "1").write_text("Error: x\n", encoding="utf-8")
    ledger = Ledger(alert_attempts={str(n): [3, str(n)] for n in range(1, 1_000)})
    reader = SignReader(ledger.fetch, tmp_path)

    found = reader.signs_of([settled(n) for n in range(1, 1_000)], NOW)

    assert {sign.cause for sign in found if isinstance(sign, signs.Failed)} == {"exit 3: Error: x"}
    assert ledger.asked == ["alert_attempts"]


def test_a_ledger_that_cannot_be_read_takes_no_sign_away(tmp_path: Path) -> None:
    reader = SignReader(Ledger().fetch, tmp_path)

    [sign] = reader.signs_of([settled(7, error="ValueError: no")], NOW)

    assert isinstance(sign, signs.Failed)
    assert sign.cause == "ValueError: no"
    assert reader.history(["upload"], NOW) == {"upload": []}
    assert reader.ancestors(["upload"]) == {"upload": ()}


def test_a_fault_that_is_over_in_the_same_breath_is_over(tmp_path: Path) -> None:
    reader = SignReader(Ledger().fetch, tmp_path)

    found = reader.signs_of([events.FaultBegan(FULL, NOW - 9), events.FaultEnded(FULL, 9)], NOW)

    assert [type(sign) for sign in found] == [signs.Faulted, signs.Mended]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (settled(7, Outcome.SUCCEEDED), signs.Succeeded("upload", "Upload", 7, 5, NOW)),
        (settled(7, Outcome.CANCELLED), None),
        (
            events.RunSkipped("upload", "Upload", SkipReason.MISFIRE, 1, 2, None, NOW),
            signs.Missed("upload", "Upload", "misfire", 1, NOW),
        ),
        (events.EntryRemoved("upload", "Upload"), signs.Gone("upload")),
        (events.LedgerReleased(None, 0, 0), signs.Mended("ledger_held", NOW)),
        (
            events.PingReceived("nas", "fail", "disk", NOW),
            signs.Pinged("nas", "fail", "disk", NOW),
        ),
        (events.ClockStepped(5), None),
    ],
)
def test_an_event_that_says_it_all_is_its_own_sign(
    tmp_path: Path, event: events.Event, expected: signs.Sign | None
) -> None:
    found = SignReader(Ledger().fetch, tmp_path).signs_of([event], NOW)

    assert found == ([] if expected is None else [expected])


def test_a_look_asks_only_for_what_a_rule_wants(tmp_path: Path) -> None:
    rule = Rule(name="x", kinds=frozenset({AlertKind.LATE}), channels=("a",))
    ledger = Ledger(
        alert_runs_late=[["upload", 7, NOW - 9, None]], alert_names={"upload": "Upload"}
    )

    look = SignReader(ledger.fetch, tmp_path).look(AlertPlan(rules=(rule,)), NOW)

    assert look == signs.Look(NOW, (signs.Standing("upload", "Upload", 7, NOW - 9),))
    assert ledger.asked == ["alert_runs_late", "alert_names"]


def test_a_look_at_a_ledger_that_cannot_be_read_closes_nothing(tmp_path: Path) -> None:
    rule = Rule(name="x", kinds=frozenset({AlertKind.OVERRUN}), channels=("a",))

    assert SignReader(Ledger().fetch, tmp_path).look(AlertPlan(rules=(rule,)), NOW) is None
