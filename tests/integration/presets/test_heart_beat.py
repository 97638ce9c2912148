"""The heartbeat script against a real collector."""

from __future__ import annotations

SCRIPT = "client/heart_beat.py"
AT = {"TASK_SCHEDULER_SCHEDULED_AT": "2026-11-24T12:00:00+00:00"}


def test_a_beat_tells_how_the_gateway_is(farm, start_collector, start_device) -> None:
    collector = start_collector()
    farm.set_up(url=collector.url, device=start_device().address)
    farm.run("sensor_data_collection.py")

    done = farm.run(SCRIPT, **AT)

    beat = collector.get()["last_heartbeat"]
    assert (done.returncode, done.stderr) == (0, "")
    assert beat["gateway"] == "g1"
    assert beat["unsent_readings"] == 8
    assert beat["last_measured_at"] is not None
    assert beat["disk_free_bytes"] > 0
    assert beat["uptime_seconds"] > 0
    assert beat["memory"]["total_bytes"] > beat["memory"]["available_bytes"] > 0
    assert len(beat["load"]) == 3


def test_a_repeated_attempt_is_the_same_beat(farm, start_collector) -> None:
    collector = start_collector()
    farm.set_up(url=collector.url)

    codes = [farm.run(SCRIPT, **AT).returncode for _ in range(2)]

    assert codes == [0, 0]
    assert collector.get()["heartbeats"] == 1


def test_an_unreachable_server_is_told_in_one_line(farm, free_port) -> None:
    farm.set_up(url=f"http://127.0.0.1:{free_port}")

    done = farm.run(SCRIPT)

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert f"http://127.0.0.1:{free_port} was not reached" in done.stderr


def test_data_that_cannot_be_read_does_not_silence_the_gateway(farm, start_collector) -> None:
    collector = start_collector()
    farm.set_up(url=collector.url)
    farm.database.parent.mkdir()
    farm.database.write_bytes(b"no database at all" * 100)

    done = farm.run(SCRIPT)

    assert done.returncode == 0
    assert collector.get()["last_heartbeat"]["unsent_readings"] is None
