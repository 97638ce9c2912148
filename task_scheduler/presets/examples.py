"""Every kind of task and schedule, run for real in a temporary folder: ``python task_examples.py``.

Responsible for: showing, in the user's language and in a few seconds, what each kind looks like in
code and what becomes of its runs. Leaves nothing behind.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from task_scheduler.clock import SystemClock
from task_scheduler.core.events import Event, RetryScheduled, RunSettled
from task_scheduler.core.model import SECOND, Outcome
from task_scheduler.i18n import translate
from task_scheduler.presets.language import choose_language
from task_scheduler.scheduler import TaskScheduler
from task_scheduler.schedules.instants import datetime_at
from task_scheduler.schedules.rule import ScheduleRule, ScheduleType
from task_scheduler.schedules.zones import local_zone
from task_scheduler.tasks.command import CommandTask
from task_scheduler.tasks.context import current_run
from task_scheduler.tasks.function import FunctionTask
from task_scheduler.tasks.log_cleanup import LogCleanupTask
from task_scheduler.tasks.script import ScriptTask
from task_scheduler.tasks.task import BaseTask

__all__ = ["main"]

_LIMIT_SECONDS = 15
_WEEK = 7 * 86_400
_NAP = "import time; time.sleep(60)"
_SCRIPT = 'import os\nprint("run", os.environ["TASK_SCHEDULER_RUN_ID"])\n'


class _Example(NamedTuple):
    """A task, when it is due, and what is waited for: so many runs with this outcome."""

    task: BaseTask
    rule: ScheduleRule
    outcome: Outcome = Outcome.SUCCEEDED
    runs: int = 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run all examples; return 0 when each ended as it should."""
    parser = argparse.ArgumentParser(prog="task_examples.py", description=__doc__)
    parser.add_argument("--lang", metavar="LANG", help="en, zh or ja (default: LANG)")
    language = choose_language(parser.parse_args(argv).lang, os.environ)
    with tempfile.TemporaryDirectory(prefix="task-examples-") as folder:
        return _run(Path(folder), language)


def _run(folder: Path, language: str) -> int:
    examples = _examples(folder)
    show = _Show(examples)
    scheduler = TaskScheduler(
        {},
        storage=str(folder / "scheduler.db"),
        logging={"log_dir": str(folder / "logs"), "console": False},
        language=language,
    )
    scheduler.add_listener(show)
    print(translate("examples.title", folder=folder), flush=True)
    scheduler.add_tasks((example.task, example.rule) for example in examples)
    with scheduler:
        is_complete = show.is_complete.wait(_LIMIT_SECONDS)
        status = scheduler.get_task_status()["tasks"]
    print(translate("examples.summary"))
    for example in examples:
        found = status[example.task.task_id]
        line = translate(
            "examples.status",
            name=found["name"],
            runs=found["run_count"],
            successes=found["success_count"],
            failures=found["failure_count"],
        )
        # The one that succeeded at its third attempt has an error too, but that is past.
        if found["failure_count"]:
            line += translate("examples.error", error=found["last_error"])
        print(line)
    print(translate("examples.done" if is_complete else "examples.incomplete"))
    return 0 if is_complete else 1


def _examples(folder: Path) -> list[_Example]:
    """Return one example of each kind."""
    script = folder / "script.py"
    script.write_text(_SCRIPT, encoding="utf-8")
    log = folder / "old" / "old.log"
    log.parent.mkdir()
    log.touch()
    now = SystemClock().now() / SECOND
    os.utime(log, (now - 2 * _WEEK, now - 2 * _WEEK))
    soon = datetime.fromtimestamp(now, UTC) + timedelta(seconds=2)

    once = ScheduleRule(ScheduleType.ONCE, run_at=datetime.fromtimestamp(now, UTC))
    every_second = ScheduleRule(ScheduleType.INTERVAL, seconds=1)
    every_other_second = ScheduleRule(ScheduleType.CRON, cron="*/2 * * * * *")
    return [
        _Example(
            FunctionTask("function", _name("function"), _add, args=(2,), kwargs={"more": 3}),
            every_second,
            runs=3,
        ),
        _Example(FunctionTask("async", _name("async"), _add_slowly, args=(2, 3)), once),
        _Example(ScriptTask("script", _name("script"), script, args=["--mode", "auto"]), once),
        _Example(
            CommandTask("command", _name("command"), [sys.executable, "--version"]),
            every_other_second,
            runs=2,
        ),
        _Example(_Feeding("custom", _name("custom"), grams=120), once),
        _Example(LogCleanupTask("cleanup", _name("cleanup"), log.parent, days=7), once),
        _Example(
            FunctionTask("later", _name("later"), _add, args=(1, 1)),
            ScheduleRule(ScheduleType.ONCE, run_at=soon),
        ),
        _Example(
            FunctionTask(
                *("retry", _name("retry"), _succeed_at_the_third),
                max_retries=3,
                retry_delay=0.5,
                backoff="exponential",
            ),
            once,
        ),
        _Example(
            CommandTask(
                *("timeout", _name("timeout"), [sys.executable, "-c", _NAP]),
                timeout=1,
                max_retries=0,
            ),
            once,
            Outcome.TIMED_OUT,
        ),
        _Example(
            FunctionTask("failure", _name("failure"), _fail, max_retries=0), once, Outcome.FAILED
        ),
    ]


class _Feeding(BaseTask):
    """A task of one's own: what `execute` returns decides."""

    def __init__(self, task_id: str, name: str, *, grams: int) -> None:
        super().__init__(task_id, name)
        self.grams = grams

    def execute(self) -> bool:
        """Pretend to feed the fish."""
        if self.grams <= 0:
            self.last_error = f"{self.grams} g"
            return False
        return True


class _Show:
    """Print each event as it comes, and tell when every example has ended as it should."""

    def __init__(self, examples: Sequence[_Example]) -> None:
        self._expected = {(one.task.task_id, one.outcome): one.runs for one in examples}
        self._seen: Counter[tuple[str, Outcome]] = Counter()
        self.is_complete = threading.Event()

    def __call__(self, event: Event) -> None:
        """Print one event."""
        if isinstance(event, RetryScheduled):
            delay = event.delay / SECOND
            self._print(event, "examples.retry", error=event.error, delay=f"{delay:g}")
        elif isinstance(event, RunSettled):
            seconds = f"{event.duration / SECOND:.2f}"
            is_good = event.outcome is Outcome.SUCCEEDED
            sentence = "examples.succeeded" if is_good else "examples.failed"
            self._print(event, sentence, seconds=seconds, error=event.error)
            self._count(event.task_id, event.outcome)

    def _print(self, event: RetryScheduled | RunSettled, sentence: str, **values: object) -> None:
        time = datetime_at(event.at, local_zone().tz).strftime("%H:%M:%S")
        print(f"{time}  {translate(sentence, name=event.name, **values)}", flush=True)

    def _count(self, task_id: str, outcome: Outcome) -> None:
        self._seen[task_id, outcome] += 1
        if all(self._seen[key] >= runs for key, runs in self._expected.items()):
            self.is_complete.set()


def _add(number: int, more: int) -> bool:
    """Add two numbers: a plain function."""
    return number + more > 0


async def _add_slowly(number: int, more: int) -> bool:
    """Add two numbers after a while: an async function."""
    await asyncio.sleep(0.2)
    return number + more > 0


def _succeed_at_the_third() -> bool:
    """Fail twice: the run knows which attempt it is."""
    attempt = current_run().attempt
    if attempt < 3:
        raise ConnectionError(translate("examples.no_network"))
    return True


def _fail() -> bool:
    """Fail; the exception becomes the task's last error."""
    raise ValueError(translate("examples.dry_pump"))


def _name(example: str) -> str:
    return translate(f"examples.name_{example}")


if __name__ == "__main__":
    sys.exit(main())
