"""What the collection script makes of registers, and how it stores rows."""

from __future__ import annotations

import math
import sqlite3
import struct
from contextlib import closing

import pytest

from task_scheduler.presets.farm import sensor_data_collection as collection
from task_scheduler.presets.farm.sensor_data_collection import Reading, Register, decode, judge

NOON, LATER = "2026-11-24T12:00:00.000+00:00", "2026-11-24T12:05:00.000+00:00"
TEMPERATURE = Register("temperature", 0, "int16", unit="°C", scale=0.1, low=-2, high=40)


def words_of(form: str, value: float) -> list[int]:
    raw = struct.pack(form, value)
    return list(struct.unpack(f">{len(raw) // 2}H", raw))


@pytest.mark.parametrize(
    ("kind", "form", "value"),
    [
        ("int16", ">h", -12),
        ("uint16", ">H", 65535),
        ("int32", ">i", -70_000),
        ("uint32", ">I", 4_000_000_000),
        ("float32", ">f", 31.25),
    ],
)
@pytest.mark.parametrize("order", ["big", "little"])
def test_every_type_of_register_is_decoded_in_both_word_orders(kind, form, value, order) -> None:
    words = words_of(form, value)
    register = Register("x", 0, kind, word_order=order)

    assert decode(register, words if order == "big" else words[::-1]) == value


def test_a_scaled_value_is_the_decimal_that_people_read() -> None:
    assert decode(TEMPERATURE, [213]) == 21.3


@pytest.mark.parametrize(
    ("value", "quality"),
    [(21.3, "ok"), (-2, "ok"), (40, "ok"), (40.1, "out_of_range"), (-127, "out_of_range")],
)
def test_a_value_is_ok_within_its_bounds_only(value, quality) -> None:
    assert judge(TEMPERATURE, value)[:2] == (value, quality)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_gives_a_row_without_a_value(value) -> None:
    assert judge(TEMPERATURE, value)[:2] == (None, "bad_value")


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "int8"},
        {"kind": "coil"},
        {"word_order": "middle"},
        {"adress": 1},
        {"address": 70_000},
        {"address": "0"},
        {"scale": "0.1"},
        {"low": True},
        {"high": math.nan},
    ],
)
def test_a_register_that_cannot_be_read_is_refused(wrong) -> None:
    with pytest.raises((ValueError, TypeError), match=next(iter(wrong))):
        Register(**{"sensor": "x", "address": 0, "type": "int16", **wrong})


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ('unit = "1"', "device 'a': unit = '1'"),
        ("unit = 256", "device 'a': unit = 256"),
        ("port = 70000", "device 'a': port = 70000"),
        ("depth = 2", "device 'a': depth is not known; pond, host, registers, port, unit are"),
        ("[reading]\ntimeout_seconds = -1", "reading: timeout_seconds = -1"),
        ("[reading]\nretries = 1.5", "reading: retries = 1.5"),
        ("[reading]\npatience = 1", "reading: patience is not known"),
        (
            '[[devices]]\npond = "b"\nhost = "x"\nregisters = [{ sensor = "t" }]',
            "'b', 't': address",
        ),
    ],
)
def test_a_device_or_setting_that_cannot_be_is_refused_before_anything_is_read(
    tmp_path, table, words
) -> None:
    path = tmp_path / "farm.toml"
    registers = 'registers = [{ sensor = "t", address = 0, type = "int16" }]'
    path.write_text(f'[[devices]]\npond = "a"\nhost = "10.0.0.2"\n{registers}\n{table}\n')

    with pytest.raises(ValueError, match=words):
        collection.read_farm(path)


def reading(value: float | None, quality: str = "ok") -> Reading:
    return Reading("pond-1", "temperature", "°C", value, quality, LATER)


def rows_of(path) -> list[tuple]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT scheduled_at, value, quality FROM readings ORDER BY 1").fetchall()


def test_a_repeated_attempt_adds_no_second_row(tmp_path) -> None:
    path = tmp_path / "data" / "farm.db"

    collection.store(path, NOON, [reading(21.3)], 0)
    collection.store(path, NOON, [reading(21.4)], 0)

    assert rows_of(path) == [(NOON, 21.3, "ok")]


def test_a_repeated_attempt_fills_in_what_the_first_could_not_read(tmp_path) -> None:
    path = tmp_path / "farm.db"
    collection.store(path, NOON, [reading(None, "no_answer")], 0)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE readings SET batch = 'x', sent_at = 'y'")

    collection.store(path, NOON, [reading(21.4)], 0)

    assert rows_of(path) == [(NOON, 21.4, "ok")]
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT batch, sent_at FROM readings").fetchall() == [(None, None)]


def test_a_failed_attempt_never_takes_a_value_away(tmp_path) -> None:
    path = tmp_path / "farm.db"
    collection.store(path, NOON, [reading(21.3)], 0)

    collection.store(path, NOON, [reading(None, "no_answer")], 0)

    assert rows_of(path) == [(NOON, 21.3, "ok")]


def test_a_sensor_that_repeats_itself_exactly_is_stuck(tmp_path) -> None:
    path = tmp_path / "farm.db"
    for minute in range(4):
        moment = f"2026-11-24T12:0{minute}:00.000+00:00"
        collection.store(path, moment, [reading(21.3)], 3)
    collection.store(path, LATER, [reading(21.4)], 3)

    qualities = [quality for _, _, quality in rows_of(path)]

    assert qualities == ["ok", "ok", "ok", "stuck", "ok"]


def test_moments_sort_as_text_whatever_zone_they_came_in() -> None:
    assert collection.moment("2026-11-24T21:00:00+09:00") == NOON


def test_a_device_without_a_host_takes_the_spare_one_or_is_left_out(tmp_path, monkeypatch) -> None:
    path = tmp_path / "farm.toml"
    registers = 'registers = [{ sensor = "t", address = 0, type = "int16" }]'
    path.write_text(
        f'[[devices]]\npond = "a"\nhost = ""\n{registers}\n'
        f'[[devices]]\npond = "b"\nhost = "10.0.0.2"\nunit = 7\n{registers}\n'
    )

    monkeypatch.delenv("FARM_DEVICE", raising=False)
    assert [device.pond for device in collection.read_farm(path).devices] == ["b"]
    monkeypatch.setenv("FARM_DEVICE", "127.0.0.1:5020")
    devices = collection.read_farm(path).devices

    assert [(d.pond, d.host, d.port, d.unit) for d in devices] == [
        ("a", "127.0.0.1", 5020, 1),
        ("b", "10.0.0.2", 502, 7),
    ]
