"""The lives under fire: what each does, what must come of it, and what is traced.

- ``life``: a new ledger; claim, start, output, finish, retry, edit, pause, cancel, timeout, stop.
- ``migrate``: a ledger of the first schema is brought up to this release's.
- ``recover``: the death comes while what an earlier death left is being recovered.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from task_scheduler import (
    BaseTask,
    CommandTask,
    FunctionTask,
    ScheduleRule,
    ScheduleType,
    ScriptTask,
)
from task_scheduler.stores.statements import migrations
from tests.integration.crashpoints import census
from tests.integration.crashpoints.program import (
    PATIENCE_SECONDS,
    Program,
    TooLateError,
    stored,
)

SCRIPT = Path(__file__).with_name("task.sh")
LEAD_VARIABLE = "CRASHPOINTS_LEAD_MS"
"""How long after its making the first instant of a ledger comes."""
_FUNCTIONS = "tests.integration.crashpoints.functions"
_APART = 0.05
_LATE: dict[str, Any] = {
    "misfire": "run_all",
    "misfire_grace_seconds": 3600,
    "overlap": "queue",
    "overlap_limit": 9,
}
"""However late it is noticed and however many wait, an instant runs."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What must have come of one run in the end; `key` None: at an instant of its rule."""

    task_id: str
    key: str | None
    outcomes: tuple[str, ...] = ("succeeded",)
    """Those of its attempts, apart from lost ones."""
    lost: int = 0
    """How many attempts are lost in any case."""
    in_thread: bool = False
    at_most_once: bool = False
    output: str | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """What the ledger must show once a step was acknowledged: a query whose answer is 1."""

    step: str
    query: str
    until: str | None = None
    """The step that may undo it, from the moment on that the one before it was acknowledged."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A life, and what is expected of it."""

    name: str
    tell: Callable[[Program], None]
    expected: tuple[Expected, ...]
    facts: tuple[Fact, ...]
    is_traced: Callable[[str], bool]
    """Whether the points of an actor are enumerated in this scenario."""
    prepare: Callable[[Path], None] = lambda folder: None
    stage: Callable[[Program], None] | None = None
    """An earlier life, which ends by `kill -9` once it has made the file ``staged``."""
    bring_down: Callable[[Path], None] = lambda folder: None
    """What else happens after that death."""


# -- a life -----------------------------------------------------------------------------------


def _script(task_id: str, folder: Path, how: str, word: str = "", **policies: Any) -> BaseTask:
    args = [str(folder), how, word] if word else [str(folder), how]
    return ScriptTask(task_id, task_id, str(SCRIPT), args=args, **policies)


def _function(task_id: str, folder: Path, name: str = "work", **policies: Any) -> BaseTask:
    return FunctionTask(task_id, task_id, f"{_FUNCTIONS}:{name}", (str(folder),), **policies)


def _add(program: Program) -> None:
    folder = program.folder
    start_at = _start_at(folder)
    once = _instants(start_at, 1)
    pairs: list[tuple[BaseTask, ScheduleRule | None]] = [
        (_function("tick", folder, **_LATE), _instants(start_at, 3)),
        (_function("strict", folder, on_lost="at_most_once", **_LATE), once),
        (_script("script", folder, "work", "script", **_LATE), once),
        (_script("flaky", folder, "fail-first", max_retries=1, retry_delay=0.02, **_LATE), once),
        (_script("edited", folder, "work", "one"), None),
        (_script("long", folder, "for-ever", kill_grace_seconds=0.2), None),
        (_script("slow", folder, "for-ever", timeout=0.1, kill_grace_seconds=0.2), None),
        (_function("isolated", folder, isolation="process"), None),
        (_script("last", folder, "a-moment"), None),
        (_script("gone", folder, "work"), None),
    ]
    program.scheduler.add_tasks(pairs)
    late = "SELECT count(*) FROM progress WHERE task_id = 'tick' AND anchor >= {}"
    if stored(folder / "scheduler.db", late.format(_microseconds(start_at)))[0][0]:
        raise TooLateError


def _live(program: Program) -> None:
    scheduler, folder = program.scheduler, program.folder
    program.step("add", lambda: _add(program))
    scheduler.start()
    program.wait(tick=3, strict=1, script=1, flaky=1)
    program.step("pause", lambda: scheduler.pause_task("edited", "for the edit"))
    edited = _script("edited", folder, "work", "two")
    program.step("edit", lambda: scheduler.add_task(edited))
    program.step("resume", lambda: scheduler.resume_task("edited"))
    program.request("edited", "r1")
    program.wait(edited=1)
    # The ledger is held by this process: what another one would do goes through the socket.
    client = program.scheduler_on_it()
    program.request("edited", "r2", through=client)
    client.stop()
    program.wait(edited=2)
    run_id = program.request("long", "r3")
    program.wait_for_begin("long")
    program.step("cancel", lambda: scheduler.cancel_run(run_id, "no more"))
    program.wait(long=1)
    program.request("slow", "r4")
    program.wait(slow=1)
    program.request("isolated", "r5")
    program.wait(isolated=1)
    program.step("remove", lambda: _remove(program))
    has_stopped = program.is_acknowledged("request:r6")
    program.request("last", "r6")
    program.wait_for_begin("last")
    if has_stopped:
        program.wait(last=1)
    # Otherwise the script runs now, and an orderly end waits for it.
    scheduler.stop(20)


def _remove(program: Program) -> None:
    if stored(program.folder / "scheduler.db", "SELECT 1 FROM entries WHERE task_id = 'gone'"):
        program.scheduler.remove_task("gone")


def _start_at(folder: Path) -> datetime:
    """Return the first instant: the one that the ledger has, else one that is soon."""
    query = "SELECT json_extract(rules, '$[0].start_at') FROM entries WHERE task_id = 'tick'"
    rows = stored(folder / "scheduler.db", query)
    if rows:
        return datetime.fromisoformat(str(rows[0][0]))
    lead = timedelta(milliseconds=int(os.environ.get(LEAD_VARIABLE, "300")))
    return datetime.now(UTC) + lead


def _instants(start_at: datetime, count: int) -> ScheduleRule:
    end_at = start_at + timedelta(seconds=_APART * (count - 1))
    return ScheduleRule(ScheduleType.INTERVAL, seconds=_APART, start_at=start_at, end_at=end_at)


def _microseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


LIFE = Scenario(
    name="life",
    tell=_live,
    expected=(
        *(Expected("tick", None, in_thread=True) for _ in range(3)),
        Expected("strict", None, in_thread=True, at_most_once=True),
        Expected("script", None, output="output of script\n"),
        Expected("flaky", None, ("failed", "succeeded"), output="output of nothing\n"),
        Expected("edited", "manual:r1", output="output of two\n"),
        Expected("edited", "manual:r2", output="output of two\n"),
        Expected("long", "manual:r3", ("cancelled",)),
        Expected("slow", "manual:r4", ("timed_out",)),
        Expected("isolated", "manual:r5"),
        Expected("last", "manual:r6", output="output of nothing\n"),
    ),
    facts=(
        Fact("add", "SELECT count(*) >= 9 FROM entries"),
        Fact(
            "pause", "SELECT paused_at IS NOT NULL FROM progress WHERE task_id='edited'", "resume"
        ),
        Fact("edit", "SELECT definition LIKE '%\"two\"%' FROM entries WHERE task_id='edited'"),
        Fact("resume", "SELECT paused_at IS NULL FROM progress WHERE task_id='edited'"),
        *(
            Fact(f"request:r{n}", f"SELECT count(*) FROM runs WHERE key = 'manual:r{n}'")
            for n in range(1, 7)
        ),
        Fact(
            "cancel",
            "SELECT cancel_reason IS NOT NULL OR state = 'cancelled' FROM runs"
            " WHERE key = 'manual:r3'",
        ),
        Fact("remove", "SELECT count(*) = 0 FROM entries WHERE task_id = 'gone'"),
    ),
    is_traced=lambda actor: True,
)


# -- a ledger of the first schema ---------------------------------------------------------------


def _make_first_schema(folder: Path) -> None:
    """Make a ledger as the first release left it: a run that is over, and one that waits."""
    task = CommandTask("old", "old", [str(SCRIPT), str(folder), "work", "old"])
    definition = {"command": list(task.argv()), "working_dir": str(folder), "env": {}}
    moment = time.time_ns() // 1_000 - 5_000_000
    with closing(sqlite3.connect(folder / "scheduler.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(migrations()[0][1])
        connection.execute("PRAGMA user_version=1")
        entry = ("old", "old", "command", "process", json.dumps(definition), "[]", "{}", "api")
        connection.execute(
            "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?)",
            (*entry, moment, moment),
        )
        connection.execute(
            "INSERT INTO progress (task_id, revision, is_resolved, anchor, run_count,"
            " success_count, last_run_at) VALUES ('old', 1, 1, ?, 1, 1, ?)",
            (moment, moment),
        )
        for key, state in (("manual:r0", "succeeded"), ("manual:r1", "waiting")):
            connection.execute(
                "INSERT INTO runs (task_id, key, origin, state, scheduled_at, due_at, priority,"
                " executor) VALUES ('old', ?, 'manual', ?, ?, ?, 0, 'process')",
                (key, state, moment, moment),
            )
        connection.execute(
            "INSERT INTO attempts (run_id, attempt, token, outcome, started_at, ended_at)"
            " VALUES (1, 1, 1, 'succeeded', ?, ?)",
            (moment, moment),
        )
        connection.execute("UPDATE runs SET attempt = 1, ended_at = ? WHERE run_id = 1", (moment,))
        connection.execute("INSERT INTO epochs VALUES (1, 'another boot', 1, '0.1', ?)", (moment,))


def _migrate(program: Program) -> None:
    program.scheduler.start()
    program.step("start", lambda: None)
    program.wait(old=2)
    program.scheduler.stop(20)


MIGRATE = Scenario(
    name="migrate",
    tell=_migrate,
    expected=(
        Expected("old", "manual:r0"),
        Expected("old", "manual:r1", output="output of old\n"),
    ),
    facts=(Fact("start", "SELECT count(*) FROM pragma_table_info('progress') WHERE name='lap'"),),
    # After the migration it is a ledger like any other, whose points are those of `life`.
    is_traced=lambda actor: actor == "scheduler.main",
    prepare=_make_first_schema,
)


# -- a death while another is being recovered ---------------------------------------------------

_HELD = ("hold", "once", "alive", "ended", "dead")
_ALIVE_OUTPUT = "output of nothing\nand after the gate\n"


def _stage(program: Program) -> None:
    """Have attempts of every kind in hand, and wait for the death of all that holds them."""
    folder, scheduler = program.folder, program.scheduler
    scheduler.add_tasks(
        [
            (_function("hold", folder, "hold"), None),
            (_function("once", folder, "hold", on_lost="at_most_once"), None),
            (_script("alive", folder, "until-gate"), None),
            (_script("ended", folder, "until-gate", "ended"), None),
            (_script("dead", folder, "until-gate"), None),
            (_script("unstarted", folder, "work"), None),
        ]
    )
    scheduler.start()
    for name in _HELD:
        program.request(name, name)
        program.wait_for_begin(name)
    # Its order reaches a launcher that does not take it any more.
    program.stop_launcher()
    program.request("unstarted", "unstarted")
    program.wait_launched("unstarted")
    (folder / "staged").touch()
    program.wait_for_begin("nothing")


def _bring_down(folder: Path) -> None:
    """After the scheduler's death: one supervisor dies too, another one comes to its end."""
    for pid, name in census.living(folder).items():
        if name == "tsk-launcher":
            os.kill(pid, signal.SIGKILL)
    lock = _attempt_folder(folder, "dead") / "lock"
    os.kill(int(lock.read_text().split()[1]), signal.SIGKILL)
    (folder / "gate-ended").touch()
    record = _attempt_folder(folder, "ended") / "exit.json"
    census.wait_for(record.exists, PATIENCE_SECONDS)


def _attempt_folder(folder: Path, task_id: str) -> Path:
    query = f"SELECT run_id, token FROM runs WHERE task_id = '{task_id}'"
    ((run_id, token),) = stored(folder / "scheduler.db", query)
    return folder / "scheduler.runs" / f"{run_id}-{token}"


def _recover(program: Program) -> None:
    program.scheduler.start()
    (program.folder / "gate").touch()
    program.wait(hold=1, once=1, alive=1, ended=1, dead=1, unstarted=1)
    program.scheduler.stop(20)


RECOVER = Scenario(
    name="recover",
    tell=_recover,
    stage=_stage,
    bring_down=_bring_down,
    expected=(
        Expected("hold", "manual:hold", lost=1, in_thread=True),
        Expected("once", "manual:once", lost=1, at_most_once=True),
        Expected("alive", "manual:alive", output=_ALIVE_OUTPUT),
        Expected("ended", "manual:ended", output="output of ended\nand after the gate\n"),
        Expected("dead", "manual:dead", lost=1, output=_ALIVE_OUTPUT),
        Expected("unstarted", "manual:unstarted", output="output of nothing\n"),
    ),
    facts=tuple(
        Fact(f"request:{name}", f"SELECT count(*) FROM runs WHERE key = 'manual:{name}'")
        for name in (*_HELD, "unstarted")
    ),
    # Launcher and supervisors do here what they do in `life`.
    is_traced=lambda actor: (
        actor in ("scheduler.main", "scheduler.engine", "scheduler.supervision")
    ),
)

SCENARIOS = {scenario.name: scenario for scenario in (LIFE, MIGRATE, RECOVER)}
