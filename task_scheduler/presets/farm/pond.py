"""The simulated ponds: what their sensors read at a moment, and when they are broken.

Responsible for: values and faults as pure functions of pond, seed and time, and their encoding in
registers. Knows neither clock nor network.
"""

from __future__ import annotations

import math
import random
import struct
from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "SENSORS",
    "Fault",
    "FaultKind",
    "Sensor",
    "encode",
    "fault_at",
    "healthy_value",
    "value_with_fault",
]

_HOUR = 3600.0
_DAY = 24 * _HOUR
_JAPAN = 9 * _HOUR
"""Seconds by which the ponds' sun is ahead of UTC."""


@dataclass(frozen=True, slots=True)
class Sensor:
    """A sensor of a pond: where it stands in the device's registers, and how it swings.

    `peak_hour` is the local hour of the highest value; `period_hours` is 24 for what follows the
    sun and 12.42 for what follows the tide. `broken` is what a torn cable reads.
    """

    name: str
    unit: str
    address: int
    type: str
    scale: float
    mean: float
    swing: float
    peak_hour: float
    noise: float
    broken: float
    period_hours: float = 24.0


SENSORS = (
    Sensor("temperature", "°C", 0, "int16", 0.1, 22.0, 2.5, 15.0, 0.15, -127.0),
    Sensor("dissolved_oxygen", "mg/L", 1, "uint16", 0.01, 7.2, 1.4, 16.0, 0.08, 99.99),
    Sensor("ph", "pH", 2, "uint16", 0.01, 8.0, 0.25, 16.0, 0.02, 20.47),
    Sensor("salinity", "PSU", 3, "float32", 1.0, 31.0, 0.4, 3.0, 0.05, 120.0, 12.42),
)


class FaultKind(StrEnum):
    """How a device is broken."""

    STUCK = "stuck"
    """One sensor repeats the value that it had when the fault began."""
    OUT_OF_RANGE = "out_of_range"
    """One sensor reads what no pond can have."""
    SILENT = "silent"
    """The device takes requests and answers none."""
    EXCEPTION = "exception"
    """The device answers every request with a Modbus exception."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of one device: its kind, the sensor where it has one, and since when (epoch s)."""

    kind: FaultKind
    sensor: str | None = None
    since: float = 0.0


def healthy_value(sensor: Sensor, pond: int, seed: int, at: float) -> float:
    """Return what a working sensor reads at `at` (epoch seconds)."""
    hours = (at + _JAPAN) / _HOUR - sensor.peak_hour
    cycle = math.cos(2 * math.pi * hours / sensor.period_hours)
    # Each pond differs a little, always in the same way; the noise changes every minute.
    offset = _draw(seed, pond, sensor.name).uniform(-1, 1) * sensor.swing / 5
    noise = _draw(seed, pond, sensor.name, int(at // 60)).uniform(-1, 1) * sensor.noise
    return sensor.mean + offset + sensor.swing * cycle + noise


def fault_at(pond: int, ponds: int, seed: int, at: float) -> Fault | None:
    """Return how pond number `pond` (1..`ponds`) is broken at `at`; None if it is well.

    Short faults come by the hour and to one pond at a time, so that the others still answer; a
    stuck sensor lasts five hours of about every second day.
    """
    hour = int(at // _HOUR)
    if hour % ponds == pond - 1:
        draw = _draw(seed, pond, "hour", hour)
        kind = draw.choice((None, None, None, FaultKind.SILENT, FaultKind.OUT_OF_RANGE))
        since = hour * _HOUR + draw.uniform(0, 50) * 60
        sensor = draw.choice(SENSORS).name
        if kind is not None and since <= at < since + draw.uniform(3, 8) * 60:
            return Fault(kind, None if kind is FaultKind.SILENT else sensor, since)
    day = int(at // _DAY)
    draw = _draw(seed, pond, "day", day)
    since = day * _DAY + draw.uniform(0, 18) * _HOUR
    if draw.random() < 0.5 and since <= at < since + 5 * _HOUR:
        return Fault(FaultKind.STUCK, draw.choice(SENSORS).name, since)
    return None


def value_with_fault(sensor: Sensor, pond: int, seed: int, at: float, fault: Fault | None) -> float:
    """Return what a sensor reads at `at` while its device has `fault`."""
    if fault is None or fault.sensor != sensor.name:
        return healthy_value(sensor, pond, seed, at)
    if fault.kind is FaultKind.STUCK:
        return healthy_value(sensor, pond, seed, fault.since)
    return sensor.broken


def encode(sensor: Sensor, value: float) -> list[int]:
    """Return a value as the 16-bit registers that the device holds, high word first."""
    if sensor.type == "float32":
        return list(struct.unpack(">HH", struct.pack(">f", value)))
    return [round(value / sensor.scale) & 0xFFFF]


def _draw(*what: object) -> random.Random:
    """Return a source of chance that is always the same for the same `what`."""
    return random.Random("/".join(map(str, what)))
