"""A large ledger: start-up, memory, recovery of unfinished runs, pages of history, heat maps.

The ledger is made once, in a folder that later rounds find again, and copied before anything
changes it. Everything is measured in processes of their own, so that the making leaves no trace.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from task_scheduler import FunctionTask, ScheduleRule, ScheduleType, TaskScheduler

DAY = 86_400_000_000
UNFINISHED = 10_000
PAGES = 200


def main() -> None:
    options = _options()
    if options.measure:
        print(json.dumps(MEASURES[options.measure](options.ledger, options)))
        return
    made = _made(options)
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory(dir=made.parent) as folder:
        for name in MEASURES:
            copy = Path(folder) / f"{name}.db"
            shutil.copyfile(made, copy)
            if name == "recovery":
                _leave_unfinished(copy)
            command = [sys.executable, __file__, "--measure", name, "--ledger", str(copy)]
            command += ["--count", str(options.count), "--runs", str(options.runs)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(f"{name} failed:\n{done.stderr}")
            found |= json.loads(done.stdout.splitlines()[-1])
            copy.unlink()
    print(json.dumps(found))


# -- what is measured ---------------------------------------------------------------------------


def _start(ledger: Path, _: argparse.Namespace) -> dict[str, float]:
    """From making the scheduler to the end of its first tick; memory after a few seconds."""
    began, began_cpu = time.perf_counter(), time.process_time()
    scheduler = _scheduler(ledger)
    scheduler.start()
    scheduler.run_task("task-0")  # answered by the tick after the first one
    seconds, cpu = time.perf_counter() - began, time.process_time() - began_cpu
    time.sleep(5)
    resident = _resident_mb()
    scheduler.stop()
    return {
        "startup_seconds": seconds,
        "startup_cpu_seconds": cpu,
        "resident_mb": resident,
        "peak_resident_mb": _peak_mb(),
    }


def _recovery(ledger: Path, _: argparse.Namespace) -> dict[str, float]:
    """From `start` until what an earlier process left unfinished is settled."""
    scheduler = _scheduler(ledger)
    settled = threading.Event()
    seen = 0

    def listen(event: Any) -> None:
        nonlocal seen
        if type(event).__name__ == "RetryScheduled":
            seen += 1
            if seen >= UNFINISHED:
                settled.set()

    scheduler.add_listener(listen)
    began, began_cpu = time.perf_counter(), time.process_time()
    scheduler.start()
    if not settled.wait(120):
        raise SystemExit(f"only {seen} of {UNFINISHED} were settled")
    found = {
        "recovery_seconds": time.perf_counter() - began,
        "recovery_cpu_seconds": time.process_time() - began_cpu,
    }
    scheduler.stop(0)
    return found


def _pages(ledger: Path, options: argparse.Namespace) -> dict[str, float]:
    """Pages of runs and tasks all over the ledger, and heat maps of 90 days."""
    scheduler = _scheduler(ledger)
    view = scheduler.view
    step = max(1, options.runs // PAGES)
    lately: list[float] = []
    for number in range(PAGES):
        before = options.runs - number * step
        task_id = f"task-{(number * 7_919) % options.count}"
        state = ("failed", "succeeded", "lost", "waiting", None)[number % 5]
        asked: list[Callable[[], object]] = [
            partial(view.runs, before=before, limit=50),
            partial(view.runs, state=state, before=before, limit=50),
            partial(view.runs, task_id, limit=50),
            partial(view.runs, task_id, state=state, limit=50),
            partial(view.tasks, after=task_id, limit=50),
        ]
        lately += map(_milliseconds, asked)
    since = time.time_ns() // 1_000 - 90 * DAY
    maps = [
        _milliseconds(partial(view.activity, task_id, since=since))
        for task_id in [None] * 40  # of all tasks: each half hour of 90 days has some
    ]
    return {
        "page_p95_ms": _quantile(lately, 0.95),
        "page_worst_ms": max(lately),
        "heat_map_ms": _quantile(maps, 0.5),
        "heat_map_p95_ms": _quantile(maps, 0.95),
    }


MEASURES: dict[str, Callable[[Path, argparse.Namespace], dict[str, float]]] = {
    "start": _start,
    "recovery": _recovery,
    "pages": _pages,
}


def _milliseconds(ask: Callable[[], object]) -> float:
    began = time.perf_counter()
    ask()
    return (time.perf_counter() - began) * 1_000


def _quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * resource.getpagesize() / 1e6


def _peak_mb() -> float:
    # Not that of getrusage: it begins with what the parent had.
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    found = next(line for line in lines if line.startswith("VmHWM"))
    return int(found.split()[1]) * 1024 / 1e6


# -- the ledger ---------------------------------------------------------------------------------


def _made(options: argparse.Namespace) -> Path:
    """Return the ledger with so many entries and runs, made if it is not there yet."""
    folder = Path(options.folder or Path(tempfile.gettempdir()) / "task-scheduler-scale")
    made = folder / f"{options.count}-{options.runs}.db"
    if made.exists():
        return made
    folder.mkdir(parents=True, exist_ok=True)
    making = folder / f"making-{options.count}-{options.runs}.db"
    making.unlink(missing_ok=True)
    scheduler = _scheduler(making)
    rules = [
        ScheduleRule(ScheduleType.CRON, cron=f"{n % 60} {n // 60 % 24} * * *") for n in range(1_440)
    ]
    scheduler.add_tasks(
        (FunctionTask(f"task-{n}", f"Task {n}", threading.active_count), rules[n % 1_440])
        for n in range(options.count)
    )
    scheduler.stop()
    _fill_with_runs(making, options)
    scheduler = _scheduler(making)
    scheduler.start()
    while scheduler.view.uncounted() > 5_000:
        time.sleep(0.2)  # what charts are made of is counted beside everything else
    scheduler.stop()
    making.rename(made)
    return made


def _fill_with_runs(ledger: Path, options: argparse.Namespace) -> None:
    """Put in a history of 90 days: a thousand tasks, every hundredth run a failure."""
    connection = sqlite3.connect(ledger, isolation_level=None)
    end = time.time_ns() // 1_000 - 60_000_000
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :runs)"
        " INSERT INTO runs (run_id, task_id, key, origin, state, scheduled_at, due_at, priority,"
        " executor, attempt, started_at, ended_at, error) SELECT i, 'task-' || (i % :tasks), at,"
        " 'schedule', CASE WHEN i % 100 THEN 'succeeded' ELSE 'failed' END, at, at, 0, 'thread', 1,"
        " at + 300, at + 5300, CASE WHEN i % 100 THEN NULL ELSE 'no water' END"
        " FROM (SELECT i, :end - 90 * 86400000000 + i * (90 * 86400000000 / :runs) AS at FROM n)",
        {"runs": options.runs, "tasks": min(1_000, options.count), "end": end},
    )
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()


def _leave_unfinished(ledger: Path) -> None:
    """Leave runs as a process that was killed does: claimed by it, shown as running."""
    connection = sqlite3.connect(ledger, isolation_level=None)
    now = time.time_ns() // 1_000
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    connection.execute(
        "INSERT INTO epochs (boot_id, pid, version, started_at) VALUES (?, 1, '0', ?)",
        (boot_id, now - 120_000_000),
    )
    connection.execute(
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < :last)"
        " INSERT INTO runs (task_id, key, origin, state, scheduled_at, due_at, priority, executor,"
        " token, slot, started_at) SELECT 'task-' || (1000 + i), 'manual:' || i, 'manual',"
        " 'running', :at, :at, 0, 'thread', ((SELECT max(epoch) FROM epochs) << 32) + i + 1, i,"
        " :at FROM n",
        {"last": UNFINISHED - 1, "at": now - 60_000_000},
    )
    connection.execute("UPDATE ledger SET last_token = (SELECT max(token) FROM runs)")
    # The mark of a function that was running.
    ledger.with_suffix(".marks").write_bytes(b"\x01" * UNFINISHED)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()


def _scheduler(ledger: Path) -> TaskScheduler:
    # Nothing is taken away by retention: all of its history is the point.
    return TaskScheduler(
        {},
        storage={"path": str(ledger), "retention_days": 0, "retention_runs": 0},
        log_level="WARNING",
        logging={"log_dir": str(ledger.parent), "console": False},
        security={"function_modules": ["threading"]},
        tasks={"retry_delay": 3_600},
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=1_000_000, help="entries")
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--folder", help="where the ledgers that are made once lie")
    parser.add_argument("--measure", choices=list(MEASURES), help=argparse.SUPPRESS)
    parser.add_argument("--ledger", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
