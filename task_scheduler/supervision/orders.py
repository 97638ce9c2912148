"""Launch orders and how they travel: length-prefixed JSON through a socket.

Responsible for: the shape of an order and of a stream of messages. An order carries the whole
environment of a task, secrets included, so it is never written to a file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "FOLDER_VARIABLE",
    "FOREIGN_ORDER",
    "MessageStream",
    "Order",
    "encode_message",
    "name_of",
]

FORMAT = 3
"""Within a number fields are only added; a launcher that was started by an older scheduler, after
an upgrade on the disk, does without them. So what must not be done without has a new number: 2
confines, 3 has the environment and the sentences packed. Older ones are read."""
FOREIGN_ORDER = -1_000
"""The status of an order that another release wrote in a newer format: nothing was started."""
FOLDER_VARIABLE = "TASK_SCHEDULER_ATTEMPT_FOLDER"
"""In the environment of every task: what is left of a tree whose supervisor died is found by it."""
_PREFIX_BYTES = 4


class Order:
    """One attempt as a supervisor starts it; paths, arguments and environment as the system has."""

    __slots__ = (
        "argv",
        "bell",
        "confinement",
        "folder",
        "kill_grace_seconds",
        "masks",
        "output_limit_bytes",
        "packed_env",
        "packed_texts",
        "timeout_seconds",
        "working_dir",
    )

    def __init__(
        self,
        *,
        folder: bytes,
        argv: Sequence[bytes],
        working_dir: bytes,
        env: Mapping[bytes, bytes] | str,
        timeout_seconds: float | None,
        kill_grace_seconds: float,
        output_limit_bytes: int,
        bell: bytes,
        texts: Mapping[str, str] | str,
        confinement: Mapping[str, Any] | None = None,
        masks: Sequence[bytes] = (),
    ) -> None:
        self.folder = folder
        self.argv = list(argv)
        self.working_dir = working_dir
        self.timeout_seconds = timeout_seconds
        self.kill_grace_seconds = kill_grace_seconds
        self.output_limit_bytes = output_limit_bytes
        self.bell = bell
        self.confinement = dict(confinement or {})
        """What `confinement.plan` carries out; empty for most."""
        self.masks = list(masks)
        """What is replaced in the output; empty for most."""
        # As JSON until it is needed: a hundred small objects would cost every supervisor their
        # memory for as long as it lives.
        self.packed_env = env if isinstance(env, str) else _packed_env(env)
        self.packed_texts = texts if isinstance(texts, str) else json.dumps(dict(texts))

    @property
    def env(self) -> dict[bytes, bytes]:
        """The environment of the task."""
        return {_bytes(name): _bytes(value) for name, value in json.loads(self.packed_env)}

    @property
    def texts(self) -> dict[str, str]:
        """Sentences in the user's language; what only the supervisor knows stands as ``{name}``."""
        texts: dict[str, str] = json.loads(self.packed_texts)
        return texts

    def encode(self) -> bytes:
        """Return the order as one message."""
        return encode_message(
            {
                "format": FORMAT,
                "folder": _text(self.folder),
                "argv": [_text(item) for item in self.argv],
                "working_dir": _text(self.working_dir),
                "env": self.packed_env,
                "timeout_seconds": self.timeout_seconds,
                "kill_grace_seconds": self.kill_grace_seconds,
                "output_limit_bytes": self.output_limit_bytes,
                "bell": _text(self.bell),
                "texts": self.packed_texts,
                "confinement": self.confinement,
                "masks": [_text(mask) for mask in self.masks],
            }
        )

    @classmethod
    def decode(cls, content: bytes) -> Order:
        """Return the order of a message's content; ValueError or KeyError if it is none of ours."""
        fields = json.loads(content)
        if fields.get("format", 1) > FORMAT:
            raise ValueError(f"an order of format {fields['format']!r}")
        return cls(
            folder=_bytes(fields["folder"]),
            argv=[_bytes(item) for item in fields["argv"]],
            working_dir=_bytes(fields["working_dir"]),
            env=_packed(fields["env"]),
            timeout_seconds=fields["timeout_seconds"],
            kill_grace_seconds=fields["kill_grace_seconds"],
            output_limit_bytes=fields["output_limit_bytes"],
            bell=_bytes(fields["bell"]),
            texts=_packed(fields["texts"]),
            confinement=fields.get("confinement"),
            masks=[_bytes(mask) for mask in fields.get("masks", ())],
        )


def name_of(content: bytes) -> str:
    """Return the name of an order's attempt, which every format tells; empty if there is none."""
    try:
        return str(json.loads(content)["folder"]).rpartition("/")[2]
    except (KeyError, TypeError, ValueError):
        return ""


class MessageStream:
    """Cut what arrives into the contents of messages."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes; return the contents of the messages that are whole now."""
        self._buffer += data
        contents = []
        while len(self._buffer) >= _PREFIX_BYTES:
            end = _PREFIX_BYTES + int.from_bytes(self._buffer[:_PREFIX_BYTES], "big")
            if len(self._buffer) < end:
                break
            contents.append(bytes(self._buffer[_PREFIX_BYTES:end]))
            del self._buffer[:end]
        return contents


def encode_message(fields: Mapping[str, object]) -> bytes:
    """Return one message: its length, then JSON."""
    content = json.dumps(fields).encode("ascii")
    return len(content).to_bytes(_PREFIX_BYTES, "big") + content


def _packed_env(env: Mapping[bytes, bytes]) -> str:
    return json.dumps([[_text(name), _text(value)] for name, value in env.items()])


def _packed(value: object) -> str:
    """Return a field as it is packed since format 3."""
    return value if isinstance(value, str) else json.dumps(value)


def _text(value: bytes) -> str:
    # Latin-1 maps every byte to one character: nothing depends on anybody's locale.
    return value.decode("latin-1")


def _bytes(value: str) -> bytes:
    return value.encode("latin-1")
