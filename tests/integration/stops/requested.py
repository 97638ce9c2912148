"""What the client of the stop test asks for: a function that takes a moment."""

from __future__ import annotations

import time


def work() -> None:
    """Take a few milliseconds."""
    time.sleep(0.002)
