"""systemd's timers with their services, read as entries."""

from __future__ import annotations

from pathlib import Path

import pytest

from task_scheduler.importing.found import Found, Ids
from task_scheduler.importing.systemd_timers import find_timers, read_timer
from task_scheduler.importing.unit_file import command_words, seconds_of, specified


def units(folder: Path, **texts: str) -> Found:
    """Write units (``a_timer`` is a.timer), enable the timers and read them."""
    wants = folder / "timers.target.wants"
    wants.mkdir(parents=True)
    for name, text in texts.items():
        path = folder / ".".join(name.rsplit("_", 1))
        path.write_text(text)
        if path.suffix == ".timer":
            (wants / path.name).symlink_to(path)
    return read(folder)


def read(*folders: Path) -> Found:
    found, ids = Found(), Ids()
    for timer, service in find_timers(folders):
        read_timer(timer, service, ids, found)
    return found


def test_a_timer_and_its_service_become_one_task(tmp_path: Path) -> None:
    found = units(
        tmp_path,
        backup_timer="[Unit]\nDescription=Nightly %p\n[Timer]\nOnCalendar=Mon..Fri 03:00\n"
        "OnCalendar=Sat 05:00\nRandomizedDelaySec=5min\nPersistent=true\n",
        backup_service="[Service]\nType=oneshot\nUser=backup\nNice=10\nWorkingDirectory=/srv\n"
        "Environment=A=1 'B=two words'\nLimitNOFILE=64\nTimeoutStartSec=1h 30min\n"
        'ExecStart=/usr/bin/rsync -a "/srv/my data" \\\n  host:/copy\n',
    )

    (task,) = found.tasks

    assert found.refused == []
    assert task.task_id == "backup"
    assert task.entry == {
        "type": "command",
        "name": "Nightly backup",
        "command": ["/usr/bin/rsync", "-a", "/srv/my data", "host:/copy"],
        "schedule": [
            {"type": "on_calendar", "on_calendar": "Mon..Fri 03:00", "jitter_seconds": 300.0},
            {"type": "on_calendar", "on_calendar": "Sat 05:00", "jitter_seconds": 300.0},
        ],
        "working_dir": "/srv",
        "env": {"A": "1", "B": "two words"},
        "overlap": "skip",
        "misfire": "run_once",
        "max_retries": 0,
        "user": "backup",
        "nice": 10,
        "limits": {"open_files": 64},
        "timeout": 5400.0,
    }


def test_intervals_and_what_is_not_kept_are_told(tmp_path: Path) -> None:
    found = units(
        tmp_path,
        poll_timer="[Timer]\nOnBootSec=15min\nOnUnitActiveSec=1h\nWakeSystem=true\nUnit=job.service\n",
        job_service="[Service]\nExecStartPre=/bin/true\nExecStart=/bin/poll\n",
    )

    (task,) = found.tasks

    assert task.entry["schedule"] == [{"type": "interval", "seconds": 3600.0, "kind": "fixed_rate"}]
    assert task.entry["misfire"] == "skip"
    texts = {remark.key: remark.text() for remark in task.remarks}
    assert "15min" in texts["unit_first"]
    assert "WakeSystem, ExecStartPre" in texts["unit_unmet"]


def test_several_commands_become_a_shell_that_stops_where_systemd_would(tmp_path: Path) -> None:
    found = units(
        tmp_path,
        x_timer="[Timer]\nOnCalendar=daily\n",
        x_service="[Service]\nType=oneshot\nEnvironment=N=3\n"
        "ExecStart=-/bin/first a\nExecStart=/bin/second --keep ${N} $N\n",
    )

    assert found.tasks[0].entry["command"] == [
        "/bin/sh",
        "-c",
        '{ "/bin/first" "a" || true; } && { "/bin/second" "--keep" "${N}" $N; }',
    ]


@pytest.mark.parametrize(
    ("timer", "service", "key"),
    [
        ("[Timer]\nOnBootSec=1min\n", "[Service]\nExecStart=/bin/a\n", "unit_at_boot"),
        ("[Timer]\n", "[Service]\nExecStart=/bin/a\n", "unit_no_times"),
        ("[Timer]\nOnCalendar=Foo\n", "[Service]\nExecStart=/bin/a\n", "unit_bad_calendar"),
        ("[Timer]\nOnUnitActiveSec=soon\n", "[Service]\nExecStart=/bin/a\n", "unit_bad_span"),
        ("[Timer]\nOnCalendar=daily\n", "[Service]\n", "unit_no_command"),
        ("[Timer]\nOnCalendar=daily\n", "[Service]\nExecStart=+/bin/a\n", "unit_prefix"),
        ("[Timer]\nOnCalendar=daily\n", "[Service]\nExecStart=/bin/a %b\n", "unit_specifier"),
        ("[Timer]\nOnCalendar=daily\n", "[Service]\nExecStart=/bin/a 'b\n", "unit_bad_command"),
    ],
)
def test_what_has_no_counterpart_is_refused(
    tmp_path: Path, timer: str, service: str, key: str
) -> None:
    found = units(tmp_path, a_timer=timer, a_service=service)

    assert found.tasks == []
    assert [refused.remark.key for refused in found.refused] == [key]
    assert found.refused[0].remark.text()


def test_drop_ins_change_a_unit_and_folders_override_each_other(tmp_path: Path) -> None:
    vendor, own = tmp_path / "vendor", tmp_path / "own"
    units(vendor, a_timer="[Timer]\nOnCalendar=daily\n", a_service="[Service]\nExecStart=/bin/a\n")
    (own / "a.timer.d").mkdir(parents=True)
    (own / "a.timer.d" / "when.conf").write_text("[Timer]\nOnCalendar=\nOnCalendar=weekly\n")
    (own / "a.service").write_text("[Service]\nExecStart=/bin/b\n")

    (task,) = read(own, vendor).tasks

    assert task.entry["schedule"] == [{"type": "on_calendar", "on_calendar": "weekly"}]
    assert task.entry["command"] == ["/bin/b"]


def test_a_masked_one_is_nothing_and_one_that_nobody_enabled_is_disabled(tmp_path: Path) -> None:
    (tmp_path / "a.timer").symlink_to("/dev/null")
    (tmp_path / "b.timer").write_text("[Timer]\nOnCalendar=daily\n")
    (tmp_path / "b.service").write_text("[Service]\nExecStart=/bin/b\n")
    (tmp_path / "c@.timer").write_text("[Timer]\nOnCalendar=daily\n")
    (tmp_path / "c@.service").write_text("[Service]\nExecStart=/bin/c %i\n")
    (tmp_path / "x.wants").mkdir()
    (tmp_path / "x.wants" / "c@main.timer").symlink_to(tmp_path / "c@.timer")

    found = read(tmp_path)

    assert [(task.task_id, task.is_enabled) for task in found.tasks] == [
        ("b", False),
        ("c-main", True),
    ]
    assert found.tasks[1].entry["command"] == ["/bin/c", "main"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("1h 30min", 5400),
        ("2d", 172_800),
        ("500ms", 0.5),
        ("1 week", 604_800),
        ("x", None),
        ("", None),
    ],
)
def test_spans_are_read_as_systemd_reads_them(text: str, seconds: float | None) -> None:
    assert seconds_of(text) == seconds


def test_words_and_specifiers_are_read_as_systemd_reads_them() -> None:
    assert command_words("""a "b c" 'd\\e' f\\ g h"i j"k ''""") == [
        "a",
        "b c",
        "d\\e",
        "f g",
        "hi jk",
        "",
    ]
    assert specified("%n %N %p %i %% %I", "a@b-c.service") == "a@b-c.service a@b-c a b-c % b/c"
    assert specified("%m", "a.service") is None
