"""Messages: what people read, and what programs read of it.

Responsible for: their shape, as they wait in the ledger and as channels take them, and for what a
channel says where it could not deliver one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, TypeAlias

__all__ = ["ChannelError", "Message", "Reveal", "Target"]

Reveal: TypeAlias = Callable[[str], str]
"""Returns a text with its references to secrets replaced by what they are now."""


class ChannelError(Exception):
    """A channel did not deliver; `is_final` where trying again as it is cannot help."""

    def __init__(self, why: str, *, is_final: bool = False, wait_seconds: float = 0.0) -> None:
        super().__init__(why)
        self.why = why
        self.is_final = is_final
        self.wait_seconds = wait_seconds
        """How long the other end wants to be left alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message: a line, a text of several, and the same as plain values."""

    subject: str
    text: str
    thread: str
    """What it has in common with the others about the same alert."""
    key: str = ""
    """What no other delivery has; the same where one is tried again."""
    is_first: bool = False
    values: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return it as it is kept."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Message:
        """Return what was kept."""
        return cls(**json.loads(text))


class Target(Protocol):
    """A channel's kind: it can send a message, and needs nothing else to do so."""

    @property
    def place(self) -> str:
        """Where it leads, for people, without secrets."""
        ...

    def send(self, message: Message, reveal: Reveal) -> str:
        """Deliver and return what the other end said; raises ChannelError."""
        ...
