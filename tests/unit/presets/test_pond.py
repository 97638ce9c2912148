"""The simulated ponds are a pure function of pond, seed and time."""

from __future__ import annotations

from collections import Counter

import pytest

from task_scheduler.presets.farm.pond import (
    SENSORS,
    Fault,
    FaultKind,
    encode,
    fault_at,
    healthy_value,
    value_with_fault,
)
from task_scheduler.presets.farm.sensor_data_collection import Register, decode

HOUR = 3600
NOON_IN_JAPAN = 3 * HOUR

TEMPERATURE, OXYGEN, _, _ = SENSORS


def test_the_same_moment_always_reads_the_same() -> None:
    for sensor in SENSORS:
        first = healthy_value(sensor, 1, seed=7, at=NOON_IN_JAPAN)

        assert healthy_value(sensor, 1, seed=7, at=NOON_IN_JAPAN) == first
        assert healthy_value(sensor, 2, seed=7, at=NOON_IN_JAPAN) != first
        assert healthy_value(sensor, 1, seed=8, at=NOON_IN_JAPAN) != first


@pytest.mark.parametrize("sensor", [TEMPERATURE, OXYGEN], ids=lambda sensor: sensor.name)
def test_afternoons_are_higher_than_mornings(sensor) -> None:
    midnight_in_japan = 15 * HOUR
    for day in range(30):
        start = midnight_in_japan + day * 24 * HOUR
        morning = healthy_value(sensor, 1, seed=1, at=start + 4 * HOUR)
        afternoon = healthy_value(sensor, 1, seed=1, at=start + 16 * HOUR)

        assert afternoon - morning > sensor.swing


def test_a_register_gives_back_what_was_measured() -> None:
    for sensor in SENSORS:
        register = Register(sensor.name, sensor.address, sensor.type, scale=sensor.scale)
        for value in (sensor.mean, sensor.mean - sensor.swing, sensor.broken):
            words = encode(sensor, value)

            assert len(words) == register.count
            assert decode(register, words) == pytest.approx(value, abs=max(sensor.scale, 0.001))


def test_faults_of_every_kind_come_and_only_one_pond_at_a_time_is_silent() -> None:
    seen: Counter[str] = Counter()
    for minute in range(0, 20 * 24 * 60, 2):
        at = NOON_IN_JAPAN + minute * 60
        faults = [fault_at(pond, 2, 1, at) for pond in (1, 2)]
        kinds = [fault.kind for fault in faults if fault is not None]
        seen.update(kinds)

        assert kinds.count(FaultKind.SILENT) <= 1

    assert set(seen) == {FaultKind.SILENT, FaultKind.OUT_OF_RANGE, FaultKind.STUCK}
    assert seen[FaultKind.SILENT] < 20 * 24 * 30 * 0.05


def test_a_stuck_sensor_repeats_its_value_and_the_others_do_not() -> None:
    fault = Fault(FaultKind.STUCK, "temperature", since=NOON_IN_JAPAN)
    later = [NOON_IN_JAPAN + minutes * 60 for minutes in (5, 10, 60)]

    temperatures = {value_with_fault(TEMPERATURE, 1, 1, at, fault) for at in later}
    oxygen = {value_with_fault(OXYGEN, 1, 1, at, fault) for at in later}

    assert len(temperatures) == 1
    assert len(oxygen) == 3


def test_a_torn_cable_reads_what_no_pond_can_have() -> None:
    fault = Fault(FaultKind.OUT_OF_RANGE, "temperature")

    assert value_with_fault(TEMPERATURE, 1, 1, NOON_IN_JAPAN, fault) == TEMPERATURE.broken
