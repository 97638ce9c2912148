"""The group of one attempt: what is written for a limit, and what its files are taken for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from task_scheduler.confinement import attempt_group
from task_scheduler.confinement.attempt_group import AttemptGroup, join
from task_scheduler.confinement.refusal import StartRefusedError

FILES = ("memory.max", "memory.oom.group", "memory.swap.max", "pids.max", "cpu.max", "cgroup.procs")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "attempt-1"
    made.mkdir()
    return made


def test_every_limit_is_written_before_the_group_is_entered(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in FILES:
        (folder / name).touch()
    order: list[str] = []
    write = attempt_group._write

    def noting(place: str, file: str, text: str) -> None:
        order.append(file)
        write(place, file, text)

    monkeypatch.setattr(attempt_group, "_write", noting)

    limits = {"memory_bytes": 64_000_000, "processes": 9, "cpu_percent": 150}
    join({"folder": str(folder), "limits": limits})

    assert {name: (folder / name).read_text() for name in FILES} == {
        "memory.max": "64000000",
        "memory.oom.group": "1",
        "memory.swap.max": "0",
        "pids.max": "9",
        "cpu.max": "150000 100000",
        "cgroup.procs": "0",
    }
    assert order[-1] == "cgroup.procs"


def test_a_kernel_without_swap_needs_no_limit_on_it(folder: Path) -> None:
    for name in ("memory.max", "memory.oom.group", "cgroup.procs"):
        (folder / name).touch()

    join({"folder": str(folder), "limits": {"memory_bytes": 5}})

    assert (folder / "memory.max").read_text() == "5"


@pytest.mark.parametrize("missing", ["pids.max", "cgroup.procs"])
def test_what_the_kernel_does_not_offer_is_a_refusal(folder: Path, missing: str) -> None:
    for name in {*FILES} - {missing}:
        (folder / name).touch()

    with pytest.raises(StartRefusedError) as found:
        join({"folder": str(folder), "limits": {"processes": 5}})

    assert (found.value.reason, found.value.what) == ("cgroup", str(folder))
    assert not (folder / missing).exists()


def test_a_group_that_was_tidied_away_in_between_is_made_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "cgroup.procs").touch()
    made: list[str] = []

    def mkdir(path: str, mode: int) -> None:
        made.append(path)
        if len(made) == 1:
            raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(os, "mkdir", mkdir)

    join({"folder": str(folder), "limits": {}})

    assert made == [str(folder)] * 2


def test_the_kernel_says_which_limit_was_reached(folder: Path) -> None:
    (folder / "memory.events").write_text("low 0\nmax 12\noom 1\noom_kill 0\n")
    (folder / "pids.events").write_text("max 3\n")

    def reached(*limits: str) -> str | None:
        return AttemptGroup(str(folder), dict.fromkeys(limits, 1)).reached()

    assert reached("memory_bytes", "processes", "cpu_percent") == "processes"
    assert reached("memory_bytes") is None
    (folder / "memory.events").write_text("low 0\nmax 12\noom 1\noom_kill 2\n")
    assert reached("memory_bytes", "processes") == "memory_bytes"
    # What nobody asked for was not this limit.
    assert reached("cpu_percent") is None


def test_a_group_tells_for_how_long_it_was_held_back(folder: Path) -> None:
    (folder / "cpu.stat").write_text("usage_usec 9\nnr_throttled 4\nthrottled_usec 1500000\n")

    assert AttemptGroup(str(folder)).held_back_seconds() == 1.5


def test_a_group_is_empty_when_the_kernel_says_so_or_it_is_gone(folder: Path) -> None:
    group = AttemptGroup(str(folder))

    (folder / "cgroup.events").write_text("populated 1\nfrozen 0\n")
    lived_in = group.is_empty()
    (folder / "cgroup.events").write_text("populated 0\nfrozen 0\n")
    left = group.is_empty()

    assert (lived_in, left) == (False, True)
    assert AttemptGroup(str(folder / "gone")).is_empty()


def test_members_are_those_of_all_groups_below(folder: Path) -> None:
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "cgroup.procs").write_text("11\n12\n")
    (folder / "a" / "b" / "cgroup.procs").write_text("13\n")

    assert sorted(AttemptGroup(str(folder)).pids()) == [11, 12, 13]


def test_a_group_is_removed_with_those_below_it(folder: Path) -> None:
    (folder / "a" / "b").mkdir(parents=True)
    group = AttemptGroup(str(folder))

    assert group.remove()
    assert not folder.exists()
    assert group.remove()


def test_a_link_is_not_followed(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("as it was")
    (folder / "cgroup.kill").symlink_to(target)
    (folder / "cgroup.events").symlink_to(target)

    AttemptGroup(str(folder)).kill()

    assert target.read_text() == "as it was"
    assert AttemptGroup(str(folder)).is_empty()
