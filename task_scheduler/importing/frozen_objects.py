"""Objects frozen by another program (with Python's pickle), read without bringing one to life.

Responsible for: what the values were and of which class. Thawing them as Python does would import
and call whatever the bytes name; here every object stays a `Frozen`, its class a name, and only
moments and lengths of time become values.

Source: the stack machine that `pickletools` in the standard library documents.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

__all__ = ["Frozen", "UnreadableError", "read_frozen"]

_MOST_STEPS = 200_000
_MARK = object()


class UnreadableError(ValueError):
    """Bytes that are no frozen object, or do what only a program could."""


@dataclass(slots=True, eq=False)
class Frozen:
    """An object: the name of its class or maker, what it was made of, and its state."""

    name: str
    args: tuple[Any, ...] = ()
    state: Any = None
    items: list[Any] = field(default_factory=list)

    def attribute(self, name: str, default: Any = None) -> Any:
        """Return what an attribute was; objects with slots keep them in a second dict."""
        states = self.state if isinstance(self.state, tuple) else (self.state,)
        for state in states:
            if isinstance(state, dict) and name in state:
                return state[name]
        return default


def read_frozen(data: bytes) -> Any:
    """Return the value; raises UnreadableError."""
    machine = _Machine()
    try:
        for number, (opcode, argument, _) in enumerate(pickletools.genops(data)):
            if number > _MOST_STEPS:
                raise UnreadableError("too long")
            if opcode.name == "STOP":
                return machine.pop()
            machine.step(opcode.name, argument)
    except UnreadableError:
        raise
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise UnreadableError(str(error)) from error
    raise UnreadableError("it has no end")


class _Machine:
    """The stack, the memory, and what each step does to them."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memory: dict[int, Any] = {}
        push, pop = self._stack.append, self._stack.pop
        self._actions: dict[str, Callable[[Any], Any]] = {
            "MARK": lambda _: push(_MARK),
            "POP": lambda _: pop(),
            "POP_MARK": lambda _: self._above_mark(),
            "DUP": lambda _: push(self._stack[-1]),
            "TUPLE": lambda _: push(tuple(self._above_mark())),
            "TUPLE1": lambda _: self._tuple(1),
            "TUPLE2": lambda _: self._tuple(2),
            "TUPLE3": lambda _: self._tuple(3),
            "LIST": lambda _: push(self._above_mark()),
            "FROZENSET": lambda _: push(frozenset(self._above_mark())),
            "APPEND": lambda _: self._extend([pop()]),
            "APPENDS": lambda _: self._extend(self._above_mark()),
            "ADDITEMS": lambda _: self._add(self._above_mark()),
            "SETITEM": lambda _: self._set_items([pop(), pop()][::-1]),
            "SETITEMS": lambda _: self._set_items(self._above_mark()),
            "GLOBAL": lambda name: push(Frozen(name.replace(" ", "."))),
            "STACK_GLOBAL": lambda _: push(Frozen(".".join([pop(), pop()][::-1]))),
            "REDUCE": lambda _: self._make(pop()),
            "NEWOBJ": lambda _: self._make(pop()),
            "NEWOBJ_EX": lambda _: self._make([pop(), pop()][1]),
            "BUILD": lambda _: self._build(pop()),
        }

    def pop(self) -> Any:
        return self._stack.pop()

    def step(self, name: str, argument: Any) -> None:
        if name in _SILENT:
            return
        if name in _VALUES:
            self._stack.append(argument)
        elif name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name]())
        elif name in _MEMORY_IN:
            self._memory[len(self._memory) if name == "MEMOIZE" else argument] = self._stack[-1]
        elif name in _MEMORY_OUT:
            self._stack.append(self._memory[argument])
        elif name in self._actions:
            self._actions[name](argument)
        else:
            raise UnreadableError(name)

    def _above_mark(self) -> list[Any]:
        position = max(i for i, value in enumerate(self._stack) if value is _MARK)
        above = self._stack[position + 1 :]
        del self._stack[position:]
        return above

    def _tuple(self, count: int) -> None:
        values = tuple(self._stack[-count:])
        if len(values) != count:
            raise UnreadableError("no values")
        self._stack[-count:] = [values]

    def _extend(self, values: list[Any]) -> None:
        target = self._stack[-1]
        (target.items if isinstance(target, Frozen) else target).extend(values)

    def _add(self, values: list[Any]) -> None:
        target = self._stack[-1]
        (target.items.extend if isinstance(target, Frozen) else target.update)(values)

    def _set_items(self, values: list[Any]) -> None:
        target = self._stack[-1]
        pairs = list(zip(values[::2], values[1::2], strict=True))
        (target.items.extend if isinstance(target, Frozen) else target.update)(pairs)

    def _make(self, args: Any) -> None:
        maker = self._stack.pop()
        if not isinstance(maker, Frozen) or not isinstance(args, tuple):
            raise UnreadableError("no maker")
        self._stack.append(_made(maker.name, args))

    def _build(self, state: Any) -> None:
        target = self._stack[-1]
        if not isinstance(target, Frozen):
            raise UnreadableError("no object")
        target.state = state


_SILENT = frozenset(("PROTO", "FRAME"))
_VALUES = frozenset((
    "BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "LONG4", "BINFLOAT", "FLOAT",
    "UNICODE", "BINUNICODE", "BINUNICODE8", "SHORT_BINUNICODE",
    "BINBYTES", "BINBYTES8", "SHORT_BINBYTES", "STRING", "BINSTRING", "SHORT_BINSTRING",
))  # fmt: skip
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": dict,
    "EMPTY_SET": set,
}
_MEMORY_IN = frozenset(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"))
_MEMORY_OUT = frozenset(("GET", "BINGET", "LONG_BINGET"))


def _made(name: str, args: tuple[Any, ...]) -> Any:
    """Return the value of the few makers that only tell a time, and else the frozen object."""
    match name, args:
        case "datetime.datetime", (bytes() as packed, *zone) if len(packed) == 10:
            return _moment(packed, zone[0] if zone else None)
        case "datetime.timedelta", (int() as days, int() as seconds, int() as microseconds):
            return timedelta(days, seconds, microseconds)
        case "datetime.timezone", (timedelta() as offset, *_):
            return timezone(offset)
        case "zoneinfo.ZoneInfo._unpickle" | "pytz._p" | "zoneinfo.ZoneInfo", (str() as key, *_):
            return ZoneInfo(key)
        case "pytz._UTC", ():
            return UTC
        case "_codecs.encode", (str() as text, "latin1"):
            return text.encode("latin-1")
        case "__builtin__.set" | "builtins.set", (list() as items,):
            return set(items)
        case "__builtin__.frozenset" | "builtins.frozenset", (list() as items,):
            return frozenset(items)
        case "__builtin__.bytes" | "builtins.bytes", ():
            return b""
        case "__builtin__.getattr" | "builtins.getattr", (Frozen() as owner, str() as attribute):
            return Frozen(f"{owner.name}.{attribute}")
        case "copyreg._reconstructor", (Frozen() as kind, *_):
            return Frozen(kind.name)
    return Frozen(name, args)


def _moment(packed: bytes, zone: Any) -> datetime:
    """Return the moment of datetime's own ten bytes; the highest bit of the month is its fold."""
    high, low, month, day, hour, minute, second, *parts = packed
    return datetime(
        high << 8 | low, month & 0x7F, day, hour, minute, second, int.from_bytes(parts),
        tzinfo=zone if isinstance(zone, tzinfo) else None, fold=month >> 7,
    )  # fmt: skip
