"""Templates: what they refuse, when they are let go, and that nothing waits for one or is lost."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from task_scheduler.core.events import SupervisionFaltered
from task_scheduler.executors import warm_starts
from task_scheduler.executors.warm_starts import WarmLimits
from tests.integration.supervision.bench import eventually, is_alive
from tests.integration.warm.stage import Stage


def write(stage: Stage, name: str, source: str) -> Path:
    path = stage.scripts / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source, encoding="utf-8")
    return path


def library(stage: Stage, source: str) -> dict[str, str]:
    """Write a module that a template can load; return the environment that leads to it."""
    write(stage, "lib/ahead.py", source)
    return {"PYTHONPATH": str(stage.scripts / "lib")}


def alarms(stage: Stage) -> list[str]:
    events = stage.bench.events
    return [event.error for event in events if isinstance(event, SupervisionFaltered)]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next template be started at once."""
    monkeypatch.setattr(warm_starts, "_SHORTEST_PAUSE", 0)


def test_the_first_run_is_cold_and_has_a_template_started_for_the_next(stage: Stage) -> None:
    script = write(stage, "case.py", "print('ran')")

    first = stage.run(script)
    first_start = stage.last_start()
    stage.await_templates()
    second = stage.run(script)

    assert (first_start, stage.last_start()) == ("cold", "warm")
    assert first == second


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import _thread, time\n_thread.start_new_thread(time.sleep, (60,))", "1 threads"),
        ("print('loaded')", "prints when it is loaded ('loaded')"),
        ("import subprocess\nsubprocess.Popen(['sleep', '1'])", "processes"),
        ("kept = open('/dev/zero')", "/dev/zero"),
        ("raise RuntimeError('not here')", "RuntimeError: not here"),
        ("import sys\nsys.exit(3)", "SystemExit: 3"),
    ],
)  # fmt: skip
def test_what_a_fork_cannot_hand_on_is_refused_and_scripts_start_cold(
    stage: Stage, source: str, said: str
) -> None:
    env = library(stage, source)
    script = write(stage, "case.py", "print('ran')")

    seen = stage.run(script, env=env, preload=("ahead",))
    eventually("the refusal", lambda: alarms(stage))

    assert (seen.output, stage.last_start()) == (b"ran\n", "cold")
    assert said in alarms(stage)[0]
    assert stage.templates() == []


def test_a_module_that_changes_on_disk_is_never_run_as_it_was(stage: Stage) -> None:
    env = library(stage, "value = 'old'")
    script = write(stage, "case.py", "import ahead\nprint(ahead.value)")
    before = stage.run_warm(script, env=env, preload=("ahead",))
    [old] = stage.templates()

    library(stage, "value = 'new and longer'")
    at_once = stage.run(script, env=env, preload=("ahead",))
    start = stage.last_start()
    eventually("the old one is gone", lambda: old not in stage.templates())
    later = stage.run_warm(script, env=env, preload=("ahead",))

    assert (before.output, at_once.output, later.output) == (
        b"old\n",
        b"new and longer\n",
        b"new and longer\n",
    )
    # By the old one, which sees that its files changed, or by the launcher where it has gone.
    assert start in ("cold: files", "cold")
    assert stage.last_start() == "warm"


def test_a_variable_that_was_read_ahead_must_have_the_same_value(stage: Stage) -> None:
    env = library(stage, "import os\nvalue = os.environ.get('COLOUR')")
    script = write(stage, "case.py", "import ahead\nprint(ahead.value)")

    without = stage.run_warm(script, env=env, preload=("ahead",))
    start_without = stage.last_start()
    given = stage.run_warm(script, env={**env, "COLOUR": "red"}, preload=("ahead",))

    assert (without.output, start_without) == (b"None\n", "warm")
    assert (given.output, stage.last_start()) == (b"red\n", "cold: variable COLOUR")


def test_what_is_loaded_ahead_may_change_the_environment(stage: Stage) -> None:
    env = library(
        stage, "import os\nos.environ['SET_AHEAD'] = 'yes'\nos.environ.pop('GIVEN', None)"
    )
    script = write(
        stage, "case.py", "import ahead, os\nprint(os.getenv('SET_AHEAD'), os.getenv('GIVEN'))"
    )

    cold = stage.run(script, env=env, preload=None)
    warm = stage.run_warm(script, env=env, preload=("ahead",))

    assert (warm, stage.last_start()) == (cold, "warm")


def test_a_template_that_is_killed_costs_nothing_but_its_warmth(stage: Stage) -> None:
    script = write(stage, "case.py", "print('ran')")
    stage.run_warm(script)
    [template] = stage.templates()

    os.kill(template.pid, signal.SIGKILL)
    eventually("its death is told", lambda: alarms(stage))
    seen = stage.run(script)
    start = stage.last_start()
    stage.await_templates()
    stage.run(script)

    assert (seen.output, start, stage.last_start()) == (b"ran\n", "cold", "warm")
    assert str(template.started_pid) in alarms(stage)[0]


def test_an_order_that_a_stopped_template_has_is_started_all_the_same_and_once(
    stage: Stage,
) -> None:
    marks = stage.scripts / "marks"
    script = write(stage, "case.py", f"open({str(marks)!r}, 'a').write('x')\nprint('ran')")
    stage.run_warm(script)
    marks.unlink()
    [template] = stage.templates()

    os.kill(template.pid, signal.SIGSTOP)
    seen = stage.run(script)
    eventually("it ends", lambda: not is_alive(template.started_pid))

    # Who was first, the launcher or the template that was woken to let it go, is all the same.
    assert (seen.output, marks.read_text()) == (b"ran\n", "x")
    assert any("did not answer" in alarm for alarm in alarms(stage))


def test_a_template_is_replaced_after_its_runs(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage.bench.executor._warm, "_limits", lambda: WarmLimits(runs=2))
    script = write(stage, "case.py", "print('ran')")
    stage.run_warm(script)
    [first] = stage.templates()

    stage.run(script)
    eventually("it is let go", lambda: first not in stage.templates())
    stage.run_warm(script)

    assert stage.last_start() == "warm"
    assert stage.templates()[0].started_pid != first.started_pid
    eventually("it ends", lambda: not is_alive(first.started_pid))
    assert alarms(stage) == []


def test_a_template_that_nobody_asks_leaves(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage.bench.executor._warm, "_limits", lambda: WarmLimits(seconds=1))
    script = write(stage, "case.py", "print('ran')")
    stage.run(script)
    [template] = stage.templates()

    eventually("it leaves", lambda: not stage.templates())
    eventually("it ends", lambda: not is_alive(template.started_pid))

    assert alarms(stage) == []


def test_too_many_kinds_of_templates_push_out_the_one_asked_for_longest_ago(stage: Stage) -> None:
    script = write(stage, "case.py", "print('ran')")
    for number in range(6):
        stage.run_warm(script, env={"PYTHON_KIND": str(number)})

    kinds = [dict(t.key.variables)[b"PYTHON_KIND"] for t in stage.templates()]

    assert sorted(kinds) == [b"2", b"3", b"4", b"5"]


def test_a_script_finds_nothing_of_ours(stage: Stage) -> None:
    source = (
        "import gc, sys\n"
        "print([n for n in sys.modules if 'task_scheduler' in n])\n"
        "print([p for p in sys.path if 'supervision' in p])\n"
    )
    script = write(stage, "case.py", source)

    seen = stage.run_warm(script)

    assert (seen.output, stage.last_start()) == (b"[]\n[]\n", "warm")


def test_the_interpreter_of_a_script_is_that_of_its_template(stage: Stage) -> None:
    link = stage.scripts / "python-link"
    link.symlink_to(sys.executable)
    script = write(stage, "case.py", "import sys\nprint(sys.executable)")

    seen = stage.run_warm(script)

    assert seen.output == f"{sys.executable}\n".encode()
