"""The isolated function under fire, in a module that costs its process little."""

from __future__ import annotations

import time

from tests.integration.crash import witness


def work(seconds: float) -> None:
    """Be a function in a process of its own."""
    witness.write_from_environment("begin")
    time.sleep(seconds)
    witness.write_from_environment("end")
