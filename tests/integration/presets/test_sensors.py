"""The collection script against real Modbus TCP."""

from __future__ import annotations

import socket

SCRIPT = "sensor_data_collection.py"
AT = {"TASK_SCHEDULER_SCHEDULED_AT": "2026-11-24T12:00:00+00:00"}


def qualities(farm) -> dict[str, str]:
    return dict(farm.query("SELECT pond || ' ' || sensor, quality FROM readings"))


def test_real_registers_become_rows(farm, start_device) -> None:
    farm.set_up(device=start_device().address)

    done = farm.run(SCRIPT, **AT)

    assert (done.returncode, done.stderr) == (0, "")
    assert set(qualities(farm).values()) == {"ok"}
    assert len(qualities(farm)) == 8
    values = dict(farm.query("SELECT sensor, value FROM readings WHERE pond = 'pond-1'"))
    assert 15 < values["temperature"] < 30
    assert 30 < values["salinity"] < 32
    assert farm.query("PRAGMA journal_mode") == [("wal",)]


def test_a_repeated_attempt_doubles_nothing(farm, start_device) -> None:
    farm.set_up(device=start_device().address)

    farm.run(SCRIPT, **AT)
    farm.run(SCRIPT, **AT)

    assert farm.query("SELECT count(*), count(DISTINCT scheduled_at) FROM readings") == [(8, 1)]


def test_a_silent_pond_gets_rows_that_say_so_and_the_others_values(farm, start_device) -> None:
    farm.set_up(device=start_device("--fault", "1:silent").address)

    done = farm.run(SCRIPT, **AT)

    assert done.returncode == 0
    assert "warning: pond-1 temperature: no_answer" in done.stderr
    assert {name: q for name, q in qualities(farm).items() if q != "ok"} == {
        f"pond-1 {sensor}": "no_answer"
        for sensor in ("temperature", "dissolved_oxygen", "ph", "salinity")
    }


def test_an_answer_with_an_exception_gets_a_row_that_says_so(farm, start_device) -> None:
    farm.set_up(device=start_device("--fault", "2:exception").address)

    done = farm.run(SCRIPT, **AT)

    assert done.returncode == 0
    found = qualities(farm)
    assert {found[name] for name in found if name.startswith("pond-2")} == {"device_error"}
    assert {found[name] for name in found if name.startswith("pond-1")} == {"ok"}


def test_a_value_that_no_pond_can_have_is_kept_and_marked(farm, start_device) -> None:
    farm.set_up(device=start_device("--fault", "1:out_of_range:temperature").address)

    farm.run(SCRIPT, **AT)

    rows = farm.query("SELECT pond, sensor, value FROM readings WHERE quality = 'out_of_range'")
    assert rows == [("pond-1", "temperature", -127.0)]


def test_without_any_answer_it_fails_with_one_line_and_still_leaves_rows(farm, free_port) -> None:
    farm.set_up(device=f"127.0.0.1:{free_port}")

    done = farm.run(SCRIPT, **AT)

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert f"127.0.0.1:{free_port}" in done.stderr
    assert set(qualities(farm).values()) == {"no_answer"}


def test_a_name_that_is_not_known_is_no_answer(farm) -> None:
    farm.set_up(device="pond.invalid:502")

    done = farm.run(SCRIPT, **AT)

    assert done.returncode == 1
    assert "pond.invalid:502" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_device_that_talks_nonsense_is_no_answer(farm) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        farm.set_up(device=f"127.0.0.1:{listener.getsockname()[1]}")
        listener.settimeout(10)

        done = farm.run(SCRIPT, **AT)

    assert done.returncode == 1
    assert set(qualities(farm).values()) == {"no_answer"}


def test_a_later_attempt_fills_in_the_values(farm, start_device, free_port) -> None:
    farm.set_up(device=f"127.0.0.1:{free_port}")
    farm.run(SCRIPT, **AT)
    start_device("--port", str(free_port))

    done = farm.run(SCRIPT, **AT)

    assert done.returncode == 0
    assert set(qualities(farm).values()) == {"ok"}


def test_without_an_address_it_says_where_to_write_it(farm) -> None:
    done = farm.run(SCRIPT, LC_ALL="ja_JP.UTF-8")

    assert done.returncode == 1
    assert done.stderr == (
        f"デバイスのアドレスがありません。{farm.folder}/farm.toml に host を記入してください\n"
    )


def test_a_table_that_is_wrong_is_named_without_a_traceback(farm) -> None:
    (farm.folder / "farm.toml").write_text("[[devices]\n")

    done = farm.run(SCRIPT)

    assert done.returncode == 1
    assert f"{farm.folder}/farm.toml cannot be used" in done.stderr
    assert "Traceback" not in done.stderr
