"""Crontabs as people have them, read as entries."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from task_scheduler.importing.crontab import Account, Crontab, read_crontab, without_lines
from task_scheduler.importing.found import Found, Ids

FARM = Account("farm", "/home/farm")


def read(text: str, *, account: Account | None = FARM, runs_as: str = "farm") -> Found:
    homes = {"root": "/root", "farm": "/home/farm"}
    return read_crontab(Crontab(text, "crontab", account, homes, runs_as=runs_as), Ids())


def test_a_line_becomes_a_command_with_crons_own_environment_and_manners() -> None:
    (task,) = read("# nightly copy\n0 3 * * 1-5 /opt/backup.sh --full\n").tasks

    assert task.task_id == "backup"
    assert task.where == "crontab:2"
    assert task.entry == {
        "type": "command",
        "description": "nightly copy",
        "command": ["/opt/backup.sh", "--full"],
        "cron": "0 3 * * 1-5",
        "working_dir": "/home/farm",
        "env": {
            "SHELL": "/bin/sh",
            "PATH": "/usr/bin:/bin",
            "HOME": "/home/farm",
            "LOGNAME": "farm",
            "USER": "farm",
        },
        "overlap": "allow",
        "misfire": "skip",
        "max_retries": 0,
        "timeout": 0,
    }
    assert task.remarks == ()


@pytest.mark.parametrize(
    "command",
    [
        "cd /opt && ./run",
        "a | b",
        "run > /dev/null 2>&1",
        "echo $HOME",
        "ls *.log",
        "exec ./run",
        "X=1 ./run",
        "test -x /usr/sbin/anacron || ( cd / && run-parts /etc/cron.daily )",
    ],
)
def test_what_only_a_shell_understands_goes_to_the_shell(command: str) -> None:
    (task,) = read(f"SHELL=/bin/bash\n* * * * * {command}\n").tasks

    assert task.entry["command"] == ["/bin/bash", "-c", command]


def test_an_assignment_holds_for_the_lines_below_it() -> None:
    text = "* * * * * first\nPATH = \"/opt/bin:/bin\"\nGREETING='a b'\n* * * * * second\n"

    first, second = read(text).tasks

    assert first.entry["env"]["PATH"] == "/usr/bin:/bin"
    assert second.entry["env"]["PATH"] == "/opt/bin:/bin"
    assert second.entry["env"]["GREETING"] == "a b"
    assert "GREETING" not in first.entry["env"]


def test_zone_delay_and_mail_mean_what_they_mean_to_cron() -> None:
    text = "CRON_TZ=Asia/Tokyo\nRANDOM_DELAY=5\nMAILTO=ops@farm.example\n0 6 * * * feed\n"

    (task,) = read(text).tasks

    assert task.entry["timezone"] == "Asia/Tokyo"
    assert task.entry["jitter_seconds"] == 300
    assert {remark.key for remark in task.remarks} == {"random_delay", "cron_mail"}
    assert not {"CRON_TZ", "RANDOM_DELAY", "MAILTO"} & task.entry["env"].keys()


def test_what_stands_behind_a_percent_sign_is_read_by_the_command(tmp_path: Path) -> None:
    (task,) = read(r"0 9 * * * cat > out; echo 100\% >> out%to: joe%$HOME 'x'%TSK_INPUT").tasks

    subprocess.run(task.entry["command"], cwd=tmp_path, check=True, env={"PATH": "/usr/bin:/bin"})

    assert (tmp_path / "out").read_text() == "to: joe\n$HOME 'x'\nTSK_INPUT\n100%\n"


def test_a_line_that_was_switched_off_is_kept_and_a_sentence_is_not_taken_for_one() -> None:
    text = "#0 4 * * * /opt/old.sh\n# 5 minutes past the hour is quiet\n## */5 * * * * probe\n"

    old, probe = read(text).tasks

    assert (old.task_id, old.is_enabled, old.entry["enabled"]) == ("old", False, False)
    assert (probe.entry["cron"], probe.is_enabled) == ("*/5 * * * *", False)


def test_a_line_of_a_system_crontab_names_its_user() -> None:
    text = "17 *\t* * *\troot\tcd / && run-parts /etc/cron.hourly\n0 1 * * * farm sync\n"

    by_root, own = read(text, account=None).tasks

    assert by_root.entry["user"] == "root"
    assert by_root.entry["working_dir"] == "/root"
    assert by_root.entry["command"][-1] == "cd / && run-parts /etc/cron.hourly"
    assert "user" not in own.entry


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("@reboot /opt/start", "cron_reboot"),
        ("@often /opt/start", "cron_unknown_alias"),
        ("99 * * * * /opt/start", "cron_bad_times"),
        ("0 0 * *", "cron_not_a_job"),
        ("hello", "cron_not_a_job"),
    ],
)
def test_what_has_no_counterpart_is_refused_with_its_place_and_reason(line: str, key: str) -> None:
    found = read(f"\n{line}\n0 0 * * * fine\n")

    assert [task.task_id for task in found.tasks] == ["fine"]
    (refused,) = found.refused
    assert (refused.where, refused.origin, refused.remark.key) == ("crontab:2", line, key)
    assert refused.remark.text()


def test_tasks_of_one_name_get_ids_of_their_own_the_same_each_time() -> None:
    text = "0 * * * * /a/run.sh\n1 * * * * /b/run.sh\n2 * * * * nice -n 5 /c/run.sh\n"

    assert [task.task_id for task in read(text).tasks] == ["run", "run-2", "run-3"]
    assert [task.task_id for task in read(text).tasks] == ["run", "run-2", "run-3"]


def test_lines_that_were_taken_over_are_comments_that_another_import_still_reads() -> None:
    text = "A=1\n0 1 * * * one\n0 2 * * * two\n"

    after = without_lines(text, frozenset({2}))

    assert after == "A=1\n#held-by-tsk 0 1 * * * one\n0 2 * * * two\n"
    assert [task.is_enabled for task in read(after).tasks] == [False, True]
    assert without_lines(after, frozenset({2})) == after
