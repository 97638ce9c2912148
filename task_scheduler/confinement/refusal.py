"""`StartRefusedError`: why a program was not started as it was asked to be.

Responsible for: a name for each reason and what it speaks of, in a form that passes through a pipe.
The sentences are the message catalogues' (``confinement.<name>``).
"""

from __future__ import annotations

import json

__all__ = ["REASONS", "StartRefusedError"]

REASONS = (
    "cgroup",
    "environment_root",
    "landlock_missing",
    "limit",
    "namespace",
    "network_rules",
    "nice",
    "privileges",
    "processes",
    "script_changed",
    "script_digest",
    "script_foreign",
    "script_outside",
    "script_unopened",
    "script_writable",
    "user",
    "user_kept",
)
"""Every reason; a test holds the catalogues to them."""


class StartRefusedError(Exception):
    """A start that is refused: `reason` is one of REASONS, `what` the thing that is wrong.

    `why` is the system's word for it where there is one, empty otherwise.
    """

    def __init__(self, reason: str, what: str = "", why: str = "") -> None:
        super().__init__(reason, what, why)
        self.reason = reason
        self.what = what
        self.why = why

    def encode(self) -> bytes:
        """Return the refusal as it travels from the task's process to its supervisor."""
        return json.dumps([self.reason, self.what, self.why]).encode("ascii")

    @classmethod
    def decode(cls, content: bytes) -> StartRefusedError:
        """Return the refusal that `encode` wrote."""
        reason, what, why = json.loads(content)
        return cls(reason, what, why)
