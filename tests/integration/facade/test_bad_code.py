"""Code of users that misbehaves: it harms itself alone, and the status says what it did."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from task_scheduler import BaseTask, DefinitionError, FunctionTask, ScheduleRule, ScheduleType
from tests.integration.facade.bench import Bench, Neighbour, eventually, ran, settled


def nothing() -> None:
    """Succeed."""


class Rule(ScheduleRule):
    """A rule that answers what it was made with, or raises it."""

    def __init__(self, answer: object) -> None:
        super().__init__(ScheduleType.CRON, cron="* * * * *")
        self.answer = answer

    def get_next_run_time(self, last_run: datetime | None = None) -> datetime | None:
        answer = self.answer(last_run) if callable(self.answer) else self.answer
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[return-value]


def backwards(last_run: datetime | None) -> datetime:
    return datetime.now() if last_run is None else last_run - timedelta(hours=1)


def raise_later(last_run: datetime | None) -> object:
    return datetime.now() if last_run is None else RuntimeError("no tide table")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (RuntimeError("no tide table"), "RuntimeError: no tide table"),
        ("tomorrow", "'tomorrow'"),
        (17, "17"),
        (raise_later, "no tide table"),
        (backwards, "Rule"),
        (lambda last_run: last_run or datetime.now(), "Rule"),
    ],
    ids=["raises", "text", "number", "raises later", "goes backwards", "stands still"],
)
def test_a_rule_that_misbehaves_holds_back_its_own_task_and_says_so(
    bench: Bench, answer: object, told: str
) -> None:
    scheduler = bench.running()
    neighbour = Neighbour(scheduler)

    scheduler.add_task(FunctionTask("ruled", func=nothing), Rule(answer))

    status = eventually(
        "the status shows it",
        lambda: (s := scheduler.get_task_status("ruled"))["rule_error"] and s,
    )
    assert told in status["rule_error"]
    assert status["status"] == "idle"
    eventually("the log says it", lambda: "The schedule of ruled is wrong" in bench.log())
    neighbour.goes_on()


def test_a_rule_that_recovers_goes_on_by_itself_once_it_is_added_again(bench: Bench) -> None:
    scheduler = bench.running()
    scheduler.add_task(FunctionTask("ruled", func=nothing), Rule(RuntimeError("no tide table")))
    eventually("it is shown", lambda: scheduler.get_task_status("ruled")["rule_error"])

    scheduler.add_task(
        FunctionTask("ruled", func=nothing),
        Rule(lambda last: datetime.now() if last is None else last + timedelta(seconds=0.1)),
    )

    ran(scheduler, "ruled", 3)
    assert scheduler.get_task_status("ruled")["rule_error"] is None


def test_a_task_that_forgot_super_init_is_refused_with_the_remedy(bench: Bench) -> None:
    class Forgetful(BaseTask):
        def __init__(self) -> None:
            self.pond = 3

        def execute(self) -> bool:
            return True

    with pytest.raises(DefinitionError, match=r"Forgetful.*super\(\)\.__init__"):
        bench.scheduler().add_task(Forgetful(), every=1)


class Answering(BaseTask):
    """A task that answers what it was made with, or raises it."""

    def __init__(self, task_id: str, answer: object) -> None:
        super().__init__(task_id, task_id)
        self.answer = answer

    def execute(self) -> bool:
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer  # type: ignore[return-value]


@pytest.mark.parametrize("answer", [None, "yes", 1, 0, [], object()])
def test_an_answer_that_is_no_bool_is_a_failure_that_names_it(bench: Bench, answer: object) -> None:
    scheduler = bench.running()
    scheduler.add_task(Answering("odd", answer))

    run = settled(scheduler, scheduler.run_task("odd"))

    assert run["state"] == "failed"
    assert repr(answer) in run["error"]


@pytest.mark.parametrize(
    "error",
    [KeyboardInterrupt(), SystemExit(4), GeneratorExit(), BaseException("all"), MemoryError()],
    ids=lambda error: type(error).__name__,
)
def test_whatever_a_task_raises_ends_its_attempt_alone(bench: Bench, error: BaseException) -> None:
    scheduler = bench.running(max_workers=1)
    neighbour = Neighbour(scheduler)
    scheduler.add_task(Answering("raises", error))

    run = settled(scheduler, scheduler.run_task("raises"))

    assert run["state"] == "failed"
    assert type(error).__name__ in run["error"]
    neighbour.goes_on()


def test_an_error_that_cannot_even_be_shown_is_a_failure_all_the_same(bench: Bench) -> None:
    class UnshowableError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("not even this")

    scheduler = bench.running()
    neighbour = Neighbour(scheduler)
    scheduler.add_task(Answering("mute", UnshowableError()))

    run = settled(scheduler, scheduler.run_task("mute"))

    assert run["state"] == "failed"
    assert "Unshowable" in run["error"]
    neighbour.goes_on()


def test_a_listener_that_raises_is_named_and_the_others_go_on(bench: Bench) -> None:
    scheduler = bench.scheduler()
    heard: list[object] = []

    def deaf(event: object) -> None:
        raise RuntimeError("this listener is broken")

    scheduler.add_listener(deaf)
    scheduler.add_listener(heard.append)
    scheduler.start()

    Neighbour(scheduler).goes_on()

    assert "A listener of the scheduler's events raised" in bench.log()
    assert "this listener is broken" in bench.log()
    assert {"AttemptStarted", "RunSettled"} <= {type(event).__name__ for event in heard}
    # Said once for each kind of event, and not ten times a second.
    of_starts = [line for line in bench.log().splitlines() if "this listener is broken" in line]
    assert len(of_starts) <= len({type(event) for event in heard})


def test_a_task_may_use_its_own_scheduler(bench: Bench) -> None:
    scheduler = bench.running()
    done: list[str] = []

    def reorganise() -> None:
        scheduler.add_task(FunctionTask("child", func=done.append, args=("child",)), every=3600)
        scheduler.get_task_status("child")
        scheduler.pause_task("child")
        scheduler.resume_task("child")
        scheduler.remove_task("parent")

    scheduler.add_task(FunctionTask("parent", func=reorganise), every=3600)

    eventually("it removes itself", lambda: "parent" not in scheduler.get_task_status()["tasks"])
    assert ran(scheduler, "child")["success_count"] == 1
    assert done == ["child"]


def test_a_function_that_cannot_be_imported_stops_no_other_task_of_the_configuration(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = {
        "bad": {"type": "function", "function": "not_yet_there_x:f", "every": 0.1},
        "good": {"type": "command", "command": ["true"], "every": 0.1},
    }
    first = bench.running(entries=entries)
    ran(first, "good")
    assert first.get_task_status("bad")["status"] == "unresolved"
    assert "task 'bad' does not run until its function is there" in bench.log()
    first.stop()

    (bench.folder / "not_yet_there_x.py").write_text("def f(): pass\n", encoding="utf-8")
    monkeypatch.syspath_prepend(bench.folder)
    ran(bench.running(entries=entries), "bad")
