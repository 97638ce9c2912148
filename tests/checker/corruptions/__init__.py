"""More than a hundred ways in which a history can be wrong, each with the invariant it breaks.

Responsible for: the whole table. Each corruption is made as a bug of a scheduler, or somebody with
an editor, would make it, and leaves the rest of the history as it is.
"""

from __future__ import annotations

from tests.checker.corruptions import (
    attempts,
    clients,
    decisions,
    occurrences,
    remains,
    starts,
)
from tests.checker.corruptions.table import CORRUPTIONS

__all__ = ["CORRUPTIONS", "attempts", "clients", "decisions", "occurrences", "remains", "starts"]
