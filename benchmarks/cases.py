"""The cases: what work is done, by whom, with which settings, and what issue 6 asks of us.

Responsible for: the table. The first contender of a case is ours; ratios are taken of it unless the
case names another.
"""

from __future__ import annotations

from benchmarks.contests import Case, Contender, Guard, Target

__all__ = ["CASES"]

_ONE_RUNNING = "the job that ran: its row goes when it is handed to the pool"
_ALL = "everything: it lives in memory"
_NONE = "nothing"


def _peer(name: str, script: str, *options: str, share: float = 1.0, loses: str = "") -> Contender:
    return Contender(name, script, options, environment="peers", share=share, loses=loses)


def _four(name: str, script: str, *options: str, share: float, loses: str = "") -> Contender:
    return Contender(name, script, options, environment="apscheduler4", share=share, loses=loses)


FIRING_DURABLE = Case(
    name="firing_durable",
    what=(
        "N no-op functions, stored beforehand on a SQLite file and due at one moment, a pool of 10;"
        " from that moment to the last one's end (ours: until its end is recorded and synced)"
    ),
    contenders=(
        Contender("ours", "ours_one_shots.py", loses=_NONE),
        Contender("ours, level INFO", "ours_one_shots.py", ("--level", "INFO"), loses=_NONE),
        _peer("Huey", "huey_one_shots.py", loses="the task that ran: its row goes when taken"),
        _peer("APScheduler 3, FULL", "apscheduler3_one_shots.py", loses=_ONE_RUNNING),
        _peer(
            "APScheduler 3, NORMAL",
            "apscheduler3_one_shots.py",
            *("--sync", "NORMAL"),
            loses=f"{_ONE_RUNNING}; on a power cut the last commits too",
        ),
        _four("APScheduler 4", "apscheduler4_one_shots.py", share=0.05, loses=_NONE),
    ),
    count=20_000,
    quick=10_000,
    targets=(
        Target("runs_per_second", "ours", bound=20_000),
        Target("runs_per_second", "ours, level INFO", bound=10_000),
        Target("runs_per_second", "ours", times=7),
    ),
    guards=(Guard("runs_per_second", "ours", "Huey"),),
    charted=("runs_per_second",),
)

FIRING_MEMORY = Case(
    name="firing_memory",
    what="N no-op functions due at once, a pool of 10; ours with its ledger (in memory)",
    contenders=(
        Contender("ours", "ours_one_shots.py", ("--memory",), loses=_ALL),
        _peer("APScheduler 3", "apscheduler3_one_shots.py", "--memory", loses=_ALL),
        _four("APScheduler 4", "apscheduler4_one_shots.py", "--memory", share=0.03, loses=_ALL),
        _peer("Huey", "huey_one_shots.py", "--memory", loses=_ALL),
        _peer("scheduler", "loop_one_shots.py", "--by", "scheduler", loses=_ALL),
        _peer("schedule (no pool)", "loop_one_shots.py", "--by", "schedule", loses=_ALL),
        Contender(
            "floor: ThreadPoolExecutor",
            "loop_one_shots.py",
            ("--by", "pool"),
            environment="peers",
            is_peer=False,
        ),
    ),
    count=100_000,
    quick=30_000,
    targets=(Target("runs_per_second", "ours", bound=50_000),),
    guards=(Guard("runs_per_second", "ours", "APScheduler 3"),),
    charted=("runs_per_second",),
)


def _lateness(
    name: str, *, rate: int, options: tuple[str, ...], targets: tuple[Target, ...]
) -> Case:
    """Return a case of `rate` jobs of one second each."""
    where = "all at its beginning" if "--aligned" in options else "spread over the second"
    return Case(
        name=name,
        what=(
            f"{rate:,} jobs of one second each, {where}, for 20 s: the n-th start from its n-th"
            " slot, so that drift counts, and the processor time of those 20 s"
        ),
        contenders=(
            Contender("ours, durable", "ours_lateness.py", options),
            _peer("APScheduler 3, memory", "apscheduler3_lateness.py", *options),
            _four("APScheduler 4, memory", "apscheduler4_lateness.py", *options, share=1.0),
            _peer("scheduler, nap of 10 ms", "loop_lateness.py", "--by", "scheduler", *options),
            _peer("schedule, nap of 10 ms", "loop_lateness.py", "--by", "schedule", *options),
            _peer("Celery beat, in memory", "celery_lateness.py", *options),
        ),
        count=rate,
        quick=rate,
        targets=targets,
        charted=("p50_ms", "p99_ms", "cpu_seconds"),
    )


LATENESS_SPREAD = _lateness(
    "lateness_spread",
    rate=1_000,
    options=(),
    targets=(
        Target("p50_ms", "ours, durable", bound=0.25),
        Target("p99_ms", "ours, durable", bound=0.8),
        Target("cpu_seconds", "ours, durable", bound=3.0),
        Target("early", "ours, durable", bound=0.0),
    ),
)._replace(guards=(Guard("cpu_seconds", "ours, durable", "APScheduler 3, memory"),))

LATENESS_ALIGNED = _lateness(
    "lateness_aligned",
    rate=1_000,
    options=("--aligned",),
    targets=(
        Target("p99_ms", "ours, durable", bound=8.0),
        Target("early", "ours, durable", bound=0.0),
    ),
)


def _at_5000(case: Case, name: str) -> Case:
    """Return a case at five times the rate, with those that can keep up at all."""
    able = tuple(
        c for c in case.contenders if "APScheduler 4" not in c.name and "Celery" not in c.name
    )
    contenders = tuple(c._replace(options=(*c.options, "--lead", "3")) for c in able)
    return case._replace(
        name=name,
        what=case.what.replace("1,000", "5,000"),
        contenders=(able[0], *contenders[1:]),
        count=5_000,
        quick=5_000,
        targets=(),
    )


LATENESS_SPREAD_5000 = _at_5000(LATENESS_SPREAD._replace(guards=()), "lateness_spread_5000")
LATENESS_ALIGNED_5000 = _at_5000(LATENESS_ALIGNED, "lateness_aligned_5000")


def _hogs(name: str, count: int, target: float) -> Case:
    hogs = ("--hogs", str(count))
    return Case(
        name=name,
        what=(
            f"200 starts a second, spread, beside {count} functions that compute all the time in"
            " pure Python; ours with the switch interval of `tsk up` (0.5 ms)"
        ),
        contenders=(
            Contender("ours, durable", "ours_lateness.py", hogs),
            _peer("APScheduler 3, memory", "apscheduler3_lateness.py", *hogs),
        ),
        count=200,
        quick=200,
        targets=(Target("p99_ms", "ours, durable", bound=target),),
        charted=("p50_ms", "p99_ms"),
    )


LATENESS_ONE_HOG = _hogs("lateness_one_hog", 1, 5.0)
LATENESS_TEN_HOGS = _hogs("lateness_ten_hogs", 10, 100.0)

REGISTRATION = Case(
    name="registration",
    what="N hourly tasks added to a live scheduler: in bulk, one by one, and what a task weighs",
    contenders=(
        Contender("ours, durable", "ours_registration.py", loses=_NONE),
        _peer("APScheduler 3, memory", "peers_registration.py", loses=_ALL),
        _peer(
            "APScheduler 3, SQLite FULL",
            "peers_registration.py",
            *("--by", "apscheduler-sqlite"),
            share=0.05,
            loses=_NONE,
        ),
        _peer("schedule", "peers_registration.py", "--by", "schedule", loses=_ALL),
        _peer("scheduler", "peers_registration.py", "--by", "scheduler", loses=_ALL),
        _four("APScheduler 4, memory", "apscheduler4_registration.py", share=0.02, loses=_ALL),
    ),
    count=100_000,
    quick=10_000,
    targets=(
        Target("bulk_per_second", "ours, durable", bound=100_000),
        Target("one_by_one_per_second", "ours, durable", bound=3_000),
    ),
    guards=(Guard("one_by_one_per_second", "ours, durable", "APScheduler 3, SQLite FULL"),),
    charted=("one_by_one_per_second", "per_task_bytes"),
)

SCALE = Case(
    name="scale",
    what=(
        "a ledger of N entries: start-up, memory, recovery of 10,000 unfinished runs; and of a"
        " million runs: pages of history, heat maps. The peer keeps no history and recovers nothing"
    ),
    contenders=(
        Contender("ours", "ours_scale.py"),
        _peer("APScheduler 3, SQLite", "apscheduler3_scale.py", share=0.1),
    ),
    count=1_000_000,
    quick=10_000,
    targets=(
        Target("startup_seconds", "ours", bound=1.0),
        Target("resident_mb", "ours", bound=120.0),
        Target("recovery_seconds", "ours", bound=2.0),
        Target("page_p95_ms", "ours", bound=50.0),
        Target("heat_map_ms", "ours", bound=20.0),
    ),
    charted=("startup_seconds", "resident_mb"),
)

IDLE = Case(
    name="idle",
    what="one task a minute, otherwise nothing: processor time and wake-ups",
    contenders=(
        Contender("ours", "ours_idle.py"),
        _peer("APScheduler 3", "peers_idle.py", "--by", "apscheduler"),
        _peer("Huey", "peers_idle.py", "--by", "huey"),
        _peer("schedule, nap of 1 s", "peers_idle.py", "--by", "schedule"),
        _peer("scheduler, nap of 1 s", "peers_idle.py", "--by", "scheduler"),
    ),
    count=1,
    quick=1,
    targets=(
        Target("cpu_ms_per_minute", "ours", bound=20.0),
        Target("wakeups_per_minute", "ours", bound=4.0),
    ),
    charted=("cpu_ms_per_minute", "wakeups_per_minute"),
)

SCRIPTS = Case(
    name="scripts",
    what=(
        "a Python script that imports json, sqlite3 and urllib.request: a lone start to its end,"
        " processor time a start (supervisor included), starts a second"
    ),
    contenders=(
        Contender("ours", "ours_scripts.py"),
        Contender(
            "floor: spawned, cron's cost",
            "spawn_scripts.py",
            environment="peers",
            is_peer=False,
            share=0.4,
        ),
        # As many jobs a second as two cores cannot start: what is left is its rate.
        Contender("cronstable", "cronstable_scripts.py", environment="cronstable"),
        Contender("Debian cron", "cron_scripts.py", environment="peers", share=0.4),
    ),
    reference="ours, warm",
    count=100,
    quick=20,
    targets=(
        Target("serial_ms", "ours, warm", bound=5.0),
        Target("cpu_ms", "ours, warm", bound=6.0),
        Target("runs_per_second", "ours, warm", bound=300.0),
    ),
    guards=(Guard("cpu_ms", "ours, cold", "floor: spawned, cron's cost"),),
    charted=("serial_ms", "cpu_ms", "runs_per_second"),
)


def _import(name: str, modules: str, program: str = "") -> Contender:
    options = ("--modules", modules, *(("--help-of", program) if program else ()))
    return _peer(name, "import_time.py", *options)


START_OF_PROGRAMS = Case(
    name="start_of_programs",
    what="`import` of the package without the interpreter, and `--help` of its program with it",
    contenders=(
        Contender("ours", "import_time.py", ("--modules", "task_scheduler", "--help-of", "tsk")),
        Contender(
            "ours, its scheduler",
            "import_time.py",
            ("--modules", "task_scheduler.scheduler,task_scheduler.config"),
        ),
        Contender("ours, tsk ls and others", "ours_cli.py", share=1_000.0),
        _import("APScheduler 3", "apscheduler.schedulers.background"),
        _import("Huey", "huey,huey.consumer", "huey_consumer"),
        _import("schedule", "schedule"),
        _import("scheduler", "scheduler"),
        _import("Celery", "celery,celery.app.base,celery.beat", "celery"),
    ),
    count=10,
    quick=5,
    targets=(
        Target("import_ms", "ours, its scheduler", bound=120.0),
        Target("help_ms", "ours", bound=150.0),
        Target("ls_ms", "ours, tsk ls and others", bound=400.0),
    ),
    guards=(Guard("import_ms", "ours, its scheduler", "APScheduler 3"),),
    charted=("import_ms", "help_ms"),
)

FOLLOWING = Case(
    name="following",
    what=(
        "`tsk logs -f` of a program that writes N lines, one each 50 ms, with its moment: by how"
        " much later it is shown, and the processor time of following, its start included"
    ),
    contenders=(Contender("ours", "ours_follow.py"),),
    count=400,
    quick=100,
    targets=(Target("p99_ms", "ours", bound=200.0), Target("p50_ms", "ours", bound=100.0)),
    charted=("p50_ms", "p99_ms"),
)

CRON_NEXT = Case(
    name="cron_next",
    what=(
        "the next moment of three cron expressions in New York's zone, each from the one before;"
        " processor time"
    ),
    contenders=(
        Contender("ours", "cron_next.py"),
        _peer("cronsim", "cron_next.py", "--by", "cronsim"),
        _peer("croniter", "cron_next.py", "--by", "croniter", share=0.5),
        _peer("APScheduler 3", "cron_next.py", "--by", "apscheduler"),
    ),
    count=10_000,
    quick=2_000,
    targets=(
        Target("every_5_minutes_per_second", "ours", bound=250_000),
        Target("weekdays_at_3_per_second", "ours", bound=200_000),
        Target("leap_days_per_second", "ours", bound=100_000),
    ),
    guards=(
        Guard("every_5_minutes_per_second", "ours", "cronsim"),
        Guard("leap_days_per_second", "ours", "cronsim"),
    ),
    charted=("every_5_minutes_per_second", "weekdays_at_3_per_second", "leap_days_per_second"),
)

ENDURANCE = Case(
    name="endurance",
    what=(
        "N runs in parts of 20,000, adding them included: the rate, the memory at the end, and by"
        " how much a run lets it grow after the first tenth"
    ),
    contenders=(
        Contender("ours, durable", "ours_endurance.py", loses=_NONE),
        _peer("APScheduler 3, memory", "peers_endurance.py", "--by", "apscheduler", loses=_ALL),
        _peer("Huey, memory", "peers_endurance.py", "--by", "huey", loses=_ALL),
        _peer("schedule", "peers_endurance.py", "--by", "schedule", loses=_ALL),
    ),
    count=1_000_000,
    quick=40_000,
    charted=("runs_per_second", "resident_mb"),
)

FARM_YEAR = Case(
    name="farm_year",
    what="days of the farm preset on the virtual clock, with the real engine and ledger; one core",
    contenders=(Contender("ours", "farm_year.py"),),
    count=365,
    quick=10,
)

CASES: dict[str, Case] = {
    case.name: case
    for case in (
        FIRING_DURABLE,
        FIRING_MEMORY,
        LATENESS_SPREAD,
        LATENESS_ALIGNED,
        LATENESS_SPREAD_5000,
        LATENESS_ALIGNED_5000,
        LATENESS_ONE_HOG,
        LATENESS_TEN_HOGS,
        REGISTRATION,
        SCALE,
        IDLE,
        SCRIPTS,
        START_OF_PROGRAMS,
        FOLLOWING,
        CRON_NEXT,
        ENDURANCE,
        FARM_YEAR,
    )
}
