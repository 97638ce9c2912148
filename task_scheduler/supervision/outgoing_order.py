"""A launch order as the scheduler writes it.

Responsible for: the message of an order; how a supervisor reads it stands in `orders`. Runs in the
scheduler.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from task_scheduler.supervision import orders

__all__ = ["OutgoingOrder"]

_FORMAT_WITHOUT_GROUP = 3
"""Of an order that a launcher of before carries out whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingOrder:
    """One attempt as it shall be started; paths, arguments and environment as the system has."""

    folder: bytes
    argv: Sequence[bytes]
    working_dir: bytes
    env: Mapping[bytes, bytes]
    timeout_seconds: float | None
    kill_grace_seconds: float
    output_limit_bytes: int
    bell: bytes
    texts: Mapping[str, str]
    confinement: Mapping[str, Any] = field(default_factory=dict)
    masks: Sequence[bytes] = ()

    def encode(self) -> bytes:
        """Return the order as one message."""
        has_group = "group" in self.confinement
        env = [[_text(name), _text(value)] for name, value in self.env.items()]
        return orders.encode_message(
            {
                "format": orders.FORMAT if has_group else _FORMAT_WITHOUT_GROUP,
                "folder": _text(self.folder),
                "argv": [_text(item) for item in self.argv],
                "working_dir": _text(self.working_dir),
                # Packed: a supervisor keeps them as one string each until it needs them.
                "env": json.dumps(env),
                "timeout_seconds": self.timeout_seconds,
                "kill_grace_seconds": self.kill_grace_seconds,
                "output_limit_bytes": self.output_limit_bytes,
                "bell": _text(self.bell),
                "texts": json.dumps(dict(self.texts)),
                "confinement": dict(self.confinement),
                "masks": [_text(mask) for mask in self.masks],
            }
        )


def _text(value: bytes) -> str:
    # As `orders` reads it.
    return value.decode("latin-1")
