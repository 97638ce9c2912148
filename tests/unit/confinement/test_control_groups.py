"""Which group is ours to divide, and what it keeps: judged by files as the kernel shows them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from task_scheduler.confinement import control_groups
from task_scheduler.confinement.control_groups import (
    AUTO,
    OFF,
    ControlGroups,
    find,
    group_of,
    is_group_of,
    prepare,
    split,
)

ALL = "cpuset cpu io memory hugetlb pids"
LIMITS = {"memory_bytes": 64_000_000, "processes": 9, "cpu_percent": 50, "open_files": 64}


class Files:
    """A tree of groups and a ``/proc``, of ordinary files."""

    def __init__(self, folder: Path) -> None:
        self.mount = folder / "cgroup"
        self.proc = folder / "proc"
        (self.proc / "self").mkdir(parents=True)
        self.mount.mkdir()
        self.mounted()

    def mounted(self, line: str = "") -> None:
        line = line or f"31 23 0:26 / {self.mount} rw,nosuid - cgroup2 cgroup2 rw,nsdelegate"
        (self.proc / "self" / "mountinfo").write_text(
            f"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n{line}\n"
        )

    def group(self, path: str, *, controllers: str = ALL, own: str = "") -> Path:
        """Make a group; where `own` is given it, or that group below it, is this process's."""
        folder = self.mount / path.strip("/")
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in (
            ("cgroup.controllers", controllers),
            ("cgroup.procs", ""),
            ("cgroup.subtree_control", ""),
            ("cgroup.type", "domain"),
        ):
            (folder / name).write_text(content + "\n")
        (self.proc / "self" / "cgroup").write_text(f"1:name=systemd:/x\n0::{own or path}\n")
        return folder

    def found(self, wish: str = AUTO) -> ControlGroups:
        return find(wish, str(self.proc))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.fixture
def _delegated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every group say that it was delegated, as systemd does."""
    monkeypatch.setattr(os, "getxattr", lambda path, name: b"1")


@pytest.mark.usefixtures("_delegated")
def test_a_delegated_group_is_ours_with_the_controllers_that_it_has(files: Files) -> None:
    base = files.group("/system.slice/tsk.service")

    assert files.found() == ControlGroups(str(base), frozenset({"cpu", "memory", "pids"}))


@pytest.mark.usefixtures("_delegated")
def test_whoever_lives_in_the_subgroup_divides_the_group_above(files: Files) -> None:
    base = files.group("/system.slice/tsk.service", own="/system.slice/tsk.service/scheduler")

    assert files.found().base == str(base)


@pytest.mark.usefixtures("_delegated")
def test_a_controller_that_is_missing_is_named(files: Files) -> None:
    files.group("/tsk.service", controllers="memory pids")

    found = files.found()

    assert found.controllers == frozenset({"memory", "pids"})
    assert (found.reason, found.what) == ("no_controller", "cpu")
    assert found.keeps("memory_bytes")
    assert not found.keeps("cpu_percent")
    assert not found.keeps("open_files")


def test_a_group_that_was_not_given_to_us_is_left_alone(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = files.group("/system.slice/cron.service")
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    assert files.found() == ControlGroups(reason="not_delegated", what=str(base))


def test_the_groups_of_a_whole_machine_are_not_ours_those_of_a_container_are(files: Files) -> None:
    root = files.group("/")
    of_container = files.found()
    (root / "cgroup.type").unlink()
    of_machine = files.found()

    assert of_container.base == str(files.mount)
    assert of_machine.reason == "not_delegated"


@pytest.mark.usefixtures("_delegated")
@pytest.mark.parametrize(
    "line",
    [
        "22 1 8:1 / /x rw - ext4 /dev/sda1 rw",
        "31 23 0:26 /part /sys/fs/cgroup rw - cgroup2 cgroup2 rw",
        "31 23 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory",
    ],
)
def test_without_a_whole_tree_of_version_2_there_are_none(files: Files, line: str) -> None:
    files.group("/tsk.service")
    files.mounted(line)

    assert files.found() == ControlGroups(reason="no_mount")


@pytest.mark.usefixtures("_delegated")
def test_a_mount_point_with_a_blank_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    files = Files(tmp_path / "a b")
    base = files.group("/tsk.service")
    files.mounted(
        f"31 23 0:26 / {str(files.mount).replace(' ', chr(92) + '040')} rw - cgroup2 x rw"
    )

    assert files.found().base == str(base)


def test_what_the_operator_says_is_done(files: Files, tmp_path: Path) -> None:
    base = files.group("/made/for/us")

    assert files.found(OFF) == ControlGroups(reason="off")
    assert files.found(str(base)).base == str(base)
    assert files.found(str(tmp_path)) == ControlGroups(reason="not_writable", what=str(tmp_path))


def test_a_group_keeps_what_it_can_and_the_rest_holds_for_each_process() -> None:
    whole = ControlGroups("/b", frozenset({"cpu", "memory", "pids"}))
    part = ControlGroups("/b", frozenset({"pids"}), "no_controller", "cpu, memory")

    assert split(whole, LIMITS) == (
        {"base": "/b", "limits": {"memory_bytes": 64_000_000, "processes": 9, "cpu_percent": 50}},
        {"open_files": 64},
    )
    assert split(part, {"memory_bytes": 1, "processes": 2}) == (
        {"base": "/b", "limits": {"processes": 2}},
        {"memory_bytes": 1},
    )
    assert split(ControlGroups(reason="off"), LIMITS) == ({}, LIMITS)
    assert split(whole, {}) == ({}, {})


def test_a_group_has_the_name_of_its_attempt_and_of_its_ledger() -> None:
    one, other = group_of("/b", b"/srv/x.runs/15-7"), group_of("/b", b"/srv/y.runs/15-7")

    assert one != other
    assert one.startswith("/b/attempt-")
    assert one.endswith("-15-7")
    assert is_group_of(one, b"/srv/x.runs/15-7")
    assert not is_group_of(one, b"/srv/x.runs/5-7")
    assert not is_group_of(other, b"/srv/x.runs/15-7")
    assert not is_group_of("/etc", b"/srv/x.runs/15-7")
    assert not is_group_of(one[1:], b"/srv/x.runs/15-7")


def test_we_move_out_of_a_group_before_it_is_divided(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = files.group("/tsk.service")
    members, place = base / "cgroup.procs", base / "scheduler" / "cgroup.procs"
    members.write_text(f"{os.getpid()}\n")
    place.parent.mkdir()
    place.touch()
    write = control_groups._write

    def moving(folder: str, file: str, text: str) -> None:
        # As the kernel does: whoever is written to one list leaves the other.
        write(folder, file, text)
        if folder == str(place.parent):
            members.write_text("")

    monkeypatch.setattr(control_groups, "_write", moving)

    ready = prepare(find(str(base)), str(files.proc))

    assert place.read_text() == str(os.getpid())
    assert (base / "cgroup.subtree_control").read_text().startswith("+")
    # Ordinary files hand nothing on, and only what the kernel says it does counts.
    assert ready.controllers == frozenset()


def test_strangers_in_the_group_are_left_where_they_are(files: Files) -> None:
    base = files.group("/tsk.service")
    (base / "cgroup.procs").write_text("1\n")
    (files.proc / "1").mkdir()
    (files.proc / "1" / "stat").write_text("1 (init) S 0 1 1")

    prepare(find(str(base)), str(files.proc))

    assert (base / "cgroup.procs").read_text() == "1\n"
    assert not (base / "scheduler").exists()


def test_empty_groups_of_dead_attempts_are_removed(files: Files) -> None:
    base = files.group("/tsk.service")
    (base / "attempt-0badcafe-1-1" / "below").mkdir(parents=True)
    lived_in = base / "attempt-0badcafe-2-1"
    lived_in.mkdir()
    (lived_in / "cgroup.events").write_text("populated 1\nfrozen 0\n")
    (base / "somebody-elses").mkdir()

    prepare(find(str(base)), str(files.proc))

    left = sorted(path.name for path in base.iterdir() if path.is_dir())
    assert left == [lived_in.name, "somebody-elses"]
