"""Frozen objects are read as values; nothing that they name is imported or called."""

from __future__ import annotations

import datetime as dt
import os
import pickle
from collections import OrderedDict
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from task_scheduler.importing.frozen_objects import Frozen, UnreadableError, read_frozen

TOKYO = ZoneInfo("Asia/Tokyo")
VALUES = {
    "none": None,
    "flags": [True, False],
    "numbers": [0, 1, -1, 255, 256, 65_536, 1 << 40, -(1 << 80), 1.5],
    "texts": ["", "a", "日本", "x" * 300],
    "bytes": b"ab",
    "sets": {1, 2},
    "frozen": frozenset({3}),
    "nested": ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), {"a": [{}]}),
    "moment": dt.datetime(2026, 11, 25, 4, 5, 6, 789, TOKYO),
    "naive": dt.datetime(1999, 12, 31, fold=1),
    "utc": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    "length": dt.timedelta(days=-1, seconds=5, microseconds=7),
    "shared": [TOKYO, TOKYO],
}


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_values_come_back_as_they_were(protocol: int) -> None:
    assert read_frozen(pickle.dumps(VALUES, protocol)) == VALUES


class Thing:
    def __init__(self) -> None:
        self.size = 3
        self.inner = OrderedDict(a=1)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_objects_stay_names_with_their_state(protocol: int) -> None:
    thing = read_frozen(pickle.dumps(Thing(), protocol))

    assert isinstance(thing, Frozen)
    assert thing.name.endswith("test_frozen_objects.Thing")
    assert thing.attribute("size") == 3
    assert thing.attribute("inner").items == [("a", 1)]
    assert thing.attribute("nothing", "else") == "else"


class Evil:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.path}",)


def test_what_a_thawed_object_would_call_is_not_called(tmp_path: Path) -> None:
    evil = read_frozen(pickle.dumps(Evil(str(tmp_path / "touched"))))

    assert isinstance(evil, Frozen)
    assert evil.name == "posix.system"
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"\x80\x04.",
        b"\x80\x04}",
        b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\xff.",
        b"cos\nsystem\n(S'x'\ntR",
        b"(lp0\n0tR.",
        b"\x80\x02\x82\x01.",
        b"N" * 300_000 + b".",
    ],
)
def test_bytes_that_are_none_are_refused(data: bytes) -> None:
    with pytest.raises(UnreadableError):
        read_frozen(data)
