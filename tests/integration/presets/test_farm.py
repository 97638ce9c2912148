"""``python task_scheduler.py`` as a user starts it, in a folder of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from task_scheduler.presets.farm.starter import write_farm
from tests.architecture.source_tree import ROOT
from tests.integration.presets.conftest import SHORT, wait_for

OWN_SCRIPT = """
import os, pathlib, sys
line = " ".join([os.environ["TASK_SCHEDULER_TASK_ID"], *sys.argv[1:]])
with pathlib.Path("ran.txt").open("a") as file:
    file.write(line + "\\n")
"""


class RunningFarm:
    """The program, what it said, and what its collector has received."""

    def __init__(self, folder: Path, *options: str, **variables: str) -> None:
        environ = {name: text for name, text in os.environ.items() if not name.startswith("FARM_")}
        environ |= {"LC_ALL": "C.UTF-8", **variables}
        self.folder = folder
        self.log = (folder / "stderr.txt").open("w")
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "task_scheduler.py"), "--dir", str(folder), *options],
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env=environ,
            cwd="/",
        )
        self.said = ""
        while (line := self.process.stdout.readline()) and "Ctrl-C" not in line:
            self.said += line

    def received(self) -> dict[str, Any]:
        url = re.search(r"http://\S+", self.said).group()
        with urllib.request.urlopen(url, timeout=SHORT) as answer:
            return json.load(answer)

    def children(self) -> list[int]:
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                command = path.read_bytes().split(b"\0")
            except OSError:
                continue
            if (
                b"--until-eof" in command
                and str(self.folder).encode() in path.parent.joinpath("environ").read_bytes()
            ):
                found.append(int(path.parent.name))
        return found

    def end(self, number: int = signal.SIGINT) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(SHORT * 2)
        self.process.stdout.close()
        self.log.close()
        return code


@pytest.fixture
def run_farm(tmp_path) -> Iterator[Callable[..., RunningFarm]]:
    started: list[RunningFarm] = []

    def run(*options: str, **variables: str) -> RunningFarm:
        variables.setdefault("FARM_TEST", str(tmp_path))
        started.append(RunningFarm(tmp_path, *options, **variables))
        return started[-1]

    yield run
    for farm in started:
        farm.end(signal.SIGKILL)


def test_in_an_empty_folder_everything_runs_against_the_demo(run_farm, tmp_path) -> None:
    farm = run_farm()

    received = wait_for(
        lambda: (r := farm.received())["readings"] and r["heartbeats"] and r["logs"] and r, 60
    )

    assert received["last_heartbeat"]["scheduler_version"]
    assert received["last_measured_at"]
    for place in (".scheduler/farm/farm.db", ".scheduler/scheduler.db", "logs/scheduler.log"):
        assert str(tmp_path / place) in farm.said
        assert (tmp_path / place).exists()
    assert "modbus://127.0.0.1:" in farm.said
    assert {path.name for path in tmp_path.iterdir()} == {".scheduler", "logs", "stderr.txt"}
    assert farm.end() == 0
    assert farm.children() == []


def test_the_demo_ends_with_it_even_when_it_is_killed(run_farm) -> None:
    farm = run_farm()
    assert len(farm.children()) == 2

    farm.end(signal.SIGKILL)

    wait_for(lambda: farm.children() == [])


def test_the_users_own_scripts_run_in_place_of_the_bundled_ones(run_farm, tmp_path) -> None:
    (tmp_path / "client").mkdir()
    (tmp_path / "client" / "updata.py").write_text(OWN_SCRIPT)

    farm = run_farm()

    ran = tmp_path / "ran.txt"
    wait_for(lambda: ran.exists() and ran.read_text() == "data_upload\n")
    wait_for(lambda: farm.received()["heartbeats"])
    assert (tmp_path / "client" / "updata.py").read_text() == OWN_SCRIPT


def test_a_configuration_with_tasks_of_its_own_is_all_that_runs(run_farm, tmp_path) -> None:
    write_farm(tmp_path, "en")
    (tmp_path / "client" / "updata.py").write_text(OWN_SCRIPT)
    entries = {"mine": {"type": "script", "script_path": "client/updata.py", "every": "1h"}}
    (tmp_path / "scheduler_config.json").write_text(json.dumps({"entries": entries}))

    run_farm()

    ran = tmp_path / "ran.txt"
    wait_for(lambda: ran.exists() and ran.read_text() == "mine\n")
    with closing(sqlite3.connect(tmp_path / ".scheduler" / "scheduler.db")) as db:
        assert db.execute("SELECT task_id FROM entries").fetchall() == [("mine",)]


def test_a_farm_made_by_init_runs_its_own_copies_and_keeps_its_data_there(
    run_farm, tmp_path
) -> None:
    write_farm(tmp_path, "ja")

    farm = run_farm("--lang", "ja")

    wait_for(lambda: farm.received()["heartbeats"] and farm.received()["readings"], 60)
    assert f"{tmp_path}/data/farm.db" in farm.said
    assert (tmp_path / "data" / "farm.db").exists()
    assert "養殖場のフォルダー" in farm.said


def test_nothing_is_simulated_where_device_and_server_are_configured(
    run_farm, tmp_path, start_device, start_collector
) -> None:
    device, collector = start_device(), start_collector()
    write_farm(tmp_path, "en")
    text = (tmp_path / "farm.toml").read_text(encoding="utf-8")
    host, _, port = device.address.partition(":")
    text = text.replace('host = ""', f'host = "{host}"').replace("port = 502", f"port = {port}")
    (tmp_path / "farm.toml").write_text(text.replace('url = ""', f'url = "{collector.url}"'))

    farm = run_farm()

    wait_for(lambda: collector.get()["readings"] == 8)
    assert "modbus://" not in farm.said
    assert farm.children() == []


@pytest.mark.parametrize(
    ("name", "content"), [("farm.toml", "[[devices]\n"), ("scheduler_config.json", '{"tusks": {}}')]
)
def test_a_file_that_is_wrong_stops_the_start_with_its_name(run_farm, tmp_path, name, content):
    (tmp_path / name).write_text(content)

    farm = run_farm()

    assert farm.process.wait(SHORT) == 1
    words = (tmp_path / "stderr.txt").read_text()
    assert name in words
    assert "Traceback" not in words


def test_a_folder_that_is_not_there_is_named(tmp_path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "task_scheduler.py"), "--dir", str(tmp_path / "nowhere")],
        capture_output=True,
        text=True,
        timeout=SHORT,
        check=False,
    )

    assert done.returncode == 1
    assert "nowhere" in done.stderr
    assert "Traceback" not in done.stderr
