"""Sentences that are told when no file can be opened any more."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import resource
from task_scheduler.i18n import preload, translate
preload("faults")
resource.setrlimit(resource.RLIMIT_NOFILE, (0, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
print(translate("faults.descriptors_spent"))
print(translate("tasks.no_file", path="/farm"))
"""


def test_what_was_read_before_is_told_and_the_rest_by_its_key() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines() == [
        "no more files can be opened",
        "tasks.no_file {'path': '/farm'}",
    ]
