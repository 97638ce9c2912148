"""Launch orders as they arrive, and how messages travel: length-prefixed JSON through a socket.

Responsible for: the shape of an order and of a stream of messages. An order carries the whole
environment of a task, secrets included, so it is never written to a file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

__all__ = ["FOLDER_VARIABLE", "FOREIGN_ORDER", "MessageStream", "Order", "encode_message"]

FORMAT = 4
"""Within a number fields are only added; a launcher that was started by an older scheduler, after
an upgrade on the disk, does without them. So what must not be done without has a new number: 2
confines, 3 has the environment and the sentences packed, 4 has a control group. Older ones are
read."""
FOREIGN_ORDER = -1_000
"""The status of an order that another release wrote in a newer format: nothing was started."""
FOLDER_VARIABLE = "TASK_SCHEDULER_ATTEMPT_FOLDER"
"""In the environment of every task: what is left of a tree whose supervisor died is found by it."""
_PREFIX = 4
"""Bytes that tell the length of a message."""


class Order:
    """One attempt as a supervisor starts it; paths, arguments and environment as the system has.

    Raises an error of `FOREIGN` where the content of a message is none of ours.
    """

    FOREIGN = (AttributeError, KeyError, TypeError, ValueError, RecursionError)
    notes: Mapping[str, object] = {}
    """What is added to the exit record: how it was started, where that was not by the launcher."""

    def __init__(self, content: bytes) -> None:
        # What it has to find out by itself, the encoding, it would find out in memory of its own.
        fields = json.loads(content.decode("ascii"))
        if fields.get("format", 1) > FORMAT:
            raise ValueError(f"an order of format {fields['format']!r}")
        self.folder = _bytes(fields["folder"])
        self.argv = [_bytes(item) for item in fields["argv"]]
        self.working_dir = _bytes(fields["working_dir"])
        self.timeout_seconds: float | None = fields["timeout_seconds"]
        self.kill_grace_seconds: float = fields["kill_grace_seconds"]
        self.output_limit_bytes: int = fields["output_limit_bytes"]
        self.bell = _bytes(fields["bell"])
        self.confinement: dict[str, Any] = fields.get("confinement") or {}
        """What `confinement.plan` carries out; empty for most."""
        self.masks = [_bytes(mask) for mask in fields.get("masks", ())]
        """What is replaced in the output; empty for most."""
        # As JSON until it is needed: a hundred small objects would cost every supervisor their
        # memory for as long as it lives.
        self._env = _packed(fields["env"])
        self._texts = _packed(fields["texts"])

    @property
    def env(self) -> dict[bytes, bytes]:
        """The environment of the task."""
        return {_bytes(name): _bytes(value) for name, value in json.loads(self._env)}

    def text(self, key: str, **values: str) -> str:
        """Return a sentence in the user's language; empty where an older release has none.

        What only the supervisor knows stands in it as ``{name}``, and is one of `values`.
        """
        text: str = json.loads(self._texts).get(key, "")
        for name, value in values.items():
            text = text.replace("{" + name + "}", value)
        return text

    @staticmethod
    def name_in(content: bytes) -> str:
        """Return the name of an order's attempt, which every format tells; empty without one."""
        try:
            return str(json.loads(content)["folder"]).rpartition("/")[2]
        except Order.FOREIGN:
            return ""


class MessageStream:
    """Cut what arrives into the contents of messages."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes; return the contents of the messages that are whole now."""
        self._buffer += data
        contents = []
        # Of half a prefix, too, the end is beyond what is there.
        while len(self._buffer) >= (end := _PREFIX + int.from_bytes(self._buffer[:_PREFIX], "big")):
            contents.append(self._buffer[_PREFIX:end])
            self._buffer = self._buffer[end:]
        return contents


def encode_message(fields: Mapping[str, object]) -> bytes:
    """Return one message: its length, then JSON."""
    content = json.dumps(fields).encode("ascii")
    return len(content).to_bytes(_PREFIX, "big") + content


def _packed(value: object) -> str:
    """Return a field as it is packed since format 3."""
    return value if isinstance(value, str) else json.dumps(value)


def _bytes(value: str) -> bytes:
    # Latin-1 maps every byte to one character: nothing depends on anybody's locale.
    return value.encode("latin-1")
