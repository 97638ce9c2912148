"""The codes of errors: names that stay, to look an error up by and to tell it by in a script.

Responsible for: which code an error has. The first digit is the area. What a code means, where it
comes from and what to type next are ``codes.<code>``, ``codes.<code>_cause`` and
``codes.<code>_next`` of the catalogues; `tsk help CODE` shows them and docs/errors.md lists them.

A code is never given to something else, and one that is not used any more stays away.
"""

from __future__ import annotations

import functools

__all__ = ["AREAS", "CODES", "code_for"]

AREAS = ("1", "2", "3", "4", "5", "6", "7", "8", "9")
"""The first digits; their titles are ``codes.area_<digit>``."""

CODES: dict[str, tuple[str, ...]] = {
    # The command line itself: usage errors carry their code with them.
    "E1001": (),
    "E1002": ("NoSuchOption",),
    "E1003": ("MissingParameter",),
    "E1004": (),
    "E1005": ("BadParameter",),
    "E1006": ("BadOptionUsage",),
    "E1007": ("UsageError",),
    "E1008": (),
    "E1009": (),
    "E1010": ("runtime.bad_moment",),
    "E1011": (),
    "E1012": (),
    # Configuration, schedules and tasks.
    "E2001": ("config.missing_file",),
    "E2002": (
        "config.is_folder",
        "config.unreadable",
        "config.too_big",
        "config.byte_order_mark",
        "config.utf_16",
        "config.not_utf_8",
        "config.no_regular_file",
        "config.not_json_file",
        "config.several_files",
    ),
    "E2003": (
        "config.syntax",
        "config.empty_file",
        "config.empty_toml",
        "config.empty_yaml",
        "config.python_without_config",
    ),
    "E2004": ("ConfigError",),
    "E2005": ("config.bad_source", "config.cannot_remove"),
    "E2006": ("config.changed_meanwhile",),
    "E2101": ("schedules.cron_*", "schedules.missing_cron"),
    "E2102": (
        "schedules.bad_every",
        "schedules.bad_interval_part",
        "schedules.bad_anchor",
        "schedules.anchor_uneven",
        "schedules.fixed_delay_counted",
        "schedules.long_interval",
        "schedules.missing_interval",
        "schedules.not_a_number",
        "schedules.zero_interval",
    ),
    "E2103": ("schedules.unknown_zone", "schedules.not_a_zone"),
    "E2104": ("ScheduleError",),
    "E2105": ("schedules.on_calendar_*",),
    "E2106": ("schedules.rrule_*", "schedules.ics_*"),
    "E2107": ("schedules.solar_*", "schedules.missing_place", "explain.no_place"),
    "E2108": (
        "schedules.bad_rules",
        "schedules.combination_*",
        "schedules.not_combinable",
        "schedules.rules_too_deep",
    ),
    "E2109": (
        "schedules.missing_run_at",
        "schedules.bad_run_at_count",
        "schedules.not_a_datetime",
        "schedules.not_iso",
        "schedules.out_of_range",
        "schedules.bad_days_and_times",
        "schedules.ends_before_start",
        "schedules.no_month_day",
        "schedules.no_weekday",
        "schedules.no_time",
        "schedules.no_times",
    ),
    "E2110": (
        "schedules.bad_day",
        "schedules.bad_day_range",
        "schedules.bad_local_time",
        "schedules.bad_window",
        "schedules.calendar_*",
        "schedules.dated_window_weekdays",
        "schedules.local_time_with_zone",
        "schedules.not_calendar_names",
        "schedules.roll_*",
        "schedules.unknown_calendar",
        "schedules.unknown_country",
        "schedules.unknown_subdivision",
        "schedules.window_*",
    ),
    "E2111": ("schedules.user_rule_*",),
    "E2112": ("explain.unknown", "explain.empty"),
    "E2201": ("DefinitionError",),
    "E2202": (
        "tasks.bad_id",
        "tasks.long_id",
        "tasks.unshowable_id",
        "tasks.bad_name",
        "tasks.bad_tags",
        "tasks.unshowable_name",
        "tasks.bad_description",
    ),
    "E2203": (
        "tasks.bad_command",
        "tasks.bad_path",
        "tasks.bad_python",
        "tasks.cannot_start",
        "tasks.shell_string",
    ),
    "E2204": (
        "tasks.function_not_allowed",
        "tasks.never_in_process",
        "tasks.never_in_thread",
        "tasks.not_callable",
        "tasks.not_importable",
        "tasks.unresolved_function",
    ),
    "E2205": (
        "tasks.args_is_text",
        "tasks.arguments_*",
        "tasks.bad_args",
        "tasks.bad_argument",
        "tasks.bad_env",
        "tasks.bad_env_name",
        "tasks.bad_kwargs",
    ),
    "E2206": ("tasks.http_*",),
    "E2207": ("PolicyError", "tasks.bad_policies"),
    "E2208": ("confinement.*",),
    "E2209": (
        "confinement.bad_secret_name",
        "confinement.no_secret",
        "confinement.secret_*",
        "confinement.unknown_secret",
        "tasks.http_secret_*",
        "tasks.http_open_password",
    ),
    "E2210": ("errors.unknown_pool*",),
    "E2211": ("errors.chain_circle",),
    "E2212": ("errors.task_kind_changed",),
    "E2213": ("errors.task_unresolved", "tasks.unresolved"),
    "E2214": ("TargetRefusedError",),
    "E2215": (),
    # Tasks and runs of the ledger.
    "E3001": ("TaskNotFoundError",),
    "E3002": (),
    "E3003": (),
    "E3004": ("RunNotFoundError",),
    "E3005": ("cli.no_attempt",),
    "E3006": (),
    "E3007": (),
    "E3008": (),
    "E3009": ("errors.pause_in_the_past",),
    "E3010": ("errors.backfill_range",),
    "E3011": ("errors.backfill_limit",),
    "E3012": ("errors.backfill_rule",),
    "E3013": (),
    "E3014": ("tasks.no_current_run", "tasks.progress_*"),
    "E3015": (),
    "E3016": (),
    "E3017": ("errors.task_archived",),
    # The process that runs the scheduler.
    "E4001": ("ConnectionError", "errors.socket_unavailable", "runtime.no_answer"),
    "E4002": ("runtime.mute",),
    "E4003": ("SchedulerStoppedError",),
    "E4004": (),
    "E4005": ("RemoteError",),
    "E4006": ("StandbyRefusedError",),
    "E4007": (),
    "E4008": ("SupervisionError",),
    "E4009": ("ForkedError",),
    "E4010": (),
    "E4011": (),
    # The ledger.
    "E5001": ("errors.store_locked",),
    "E5002": ("errors.store_full",),
    "E5003": ("errors.store_read_only",),
    "E5004": ("StoreError",),
    "E5005": ("errors.store_vanished",),
    "E5006": ("errors.store_replaced",),
    "E5007": ("StoreDamagedError",),
    "E5008": ("errors.log_damaged",),
    "E5009": ("SchemaTooNewError",),
    "E5010": ("errors.schema_older",),
    "E5011": ("NetworkFileSystemError",),
    "E5012": ("errors.state_folder_foreign",),
    "E5013": ("errors.ledger_in_use",),
    "E5014": ("errors.lock_unavailable",),
    "E5015": ("manual.too_large",),
    # Backups, and ledgers that are held.
    "E6001": ("errors.backup_damaged",),
    "E6002": (),
    "E6003": ("FileExistsError",),
    "E6004": ("errors.copy_failed",),
    "E6005": ("errors.copy_broken_off",),
    "E6006": ("errors.not_held",),
    "E6007": ("errors.resume_point_ahead",),
    "E6008": ("errors.strays_alive",),
    # Alerts.
    "E7001": ("alerts.channel_not_found",),
    "E7002": ("alerts.check_not_found",),
    "E7003": ("alerts.no_channels",),
    "E7004": ("alerts.silence_in_the_past",),
    "E7005": ("alerts.ping_kind",),
    # Import, export, simulation, service.
    "E8001": (),
    "E8002": (),
    "E8003": (),
    "E8004": ("simulate.in_the_past", "simulate.too_many", "simulate.bad_window"),
    "E8005": ("simulate.*",),
    "E8006": (),
    "E8007": (),
    "E8008": (),
    "E8009": (),
    # Everything else.
    "E9001": ("BaseException",),
    "E9002": ("OSError",),
    "E9003": ("FileNotFoundError",),
    "E9004": ("PermissionError",),
}
"""What each code is of: keys of sentences (``*``: all that begin so), else kinds of errors.

Those with nothing here are given where the error is made: by the commands that find it.
"""


def code_for(error: BaseException) -> str:
    """Return the code of an error: by its sentence, else by the nearest kind that has one."""
    known = _by_name()
    key = getattr(error, "key", None)
    if isinstance(key, str):
        if key in known:
            return known[key]
        for prefix, code in _by_prefix():
            if key.startswith(prefix):
                return code
    return next(known[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in known)


@functools.cache
def _by_name() -> dict[str, str]:
    return {name: code for code, names in CODES.items() for name in names}


@functools.cache
def _by_prefix() -> tuple[tuple[str, str], ...]:
    """Return the beginnings of keys, the longest first."""
    found = [(name[:-1], code) for name, code in _by_name().items() if name.endswith("*")]
    return tuple(sorted(found, key=lambda pair: -len(pair[0])))
