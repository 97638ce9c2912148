"""Control groups for tests: a group of our own, taken away with all that is in it.

Responsible for: making one where this machine lets us, and telling which controllers it has.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from task_scheduler.confinement.attempt_group import AttemptGroup
from task_scheduler.confinement.control_groups import LIMITS_BY_GROUP, find, prepare
from tests.integration.supervision.bench import eventually

__all__ = ["attempts_in", "group_of_ours", "needs_controllers"]

_numbers = itertools.count()


@contextlib.contextmanager
def group_of_ours() -> Iterator[Path]:
    """Make a group, and remove it; skips where none can be made."""
    base = _mount() / f"tsk-test-{os.getpid()}-{next(_numbers)}"
    try:
        base.mkdir()
    except OSError as error:
        pytest.skip(f"no control group of version 2 may be made here: {error.strerror}")
    group = AttemptGroup(str(base))
    try:
        yield base
    finally:
        group.kill()
        eventually("the groups of the test are gone", group.remove)


def needs_controllers(base: Path) -> None:
    """Skip where a group does not have what limits take."""
    found = prepare(find(str(base)))
    missing = set(LIMITS_BY_GROUP.values()) - found.controllers
    if missing:
        pytest.skip(f"no controllers {', '.join(sorted(missing))} in version 2 here: {found.what}")


def attempts_in(base: Path) -> list[str]:
    """Return the groups of attempts that there are."""
    return [path.name for path in base.iterdir() if path.is_dir()]


def _mount() -> Path:
    """Return where version 2 is mounted whole; skips where it is not."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        place, _, rest = line.partition(" - ")
        if rest.startswith("cgroup2 ") and place.split(" ")[3] == "/":
            return Path(place.split(" ")[4])
    return pytest.skip("no control groups of version 2 are mounted here")
