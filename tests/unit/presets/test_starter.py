"""The farm as a folder: complete, in three languages, and never over somebody's own file."""

from __future__ import annotations

import runpy
import sys
import tomllib

import pytest

from task_scheduler.config import Config
from task_scheduler.presets.farm.pond import SENSORS
from task_scheduler.presets.farm.starter import SCRIPTS, bundled_file, write_farm
from task_scheduler.schedules.rule import to_plain

FILES = {
    "scheduler_config.json",
    "farm.toml",
    "README.md",
    "sensor_data_collection.py",
    "client/updata.py",
    "client/heart_beat.py",
}
NAMES = {
    "en": ["Data upload", "Sensor data collection", "Heartbeat", "Log cleanup"],
    "zh": ["数据上传任务", "传感器数据采集", "心跳检测", "日志清理"],
    "ja": ["データアップロード", "センサーデータ収集", "ハートビート", "ログ清掃"],
}


class LackingFinder:
    """Makes a machine without the packages of the farm."""

    def find_spec(self, name: str, *_: object) -> None:
        if name in ("httpx", "pymodbus"):
            raise ModuleNotFoundError(name=name)


@pytest.mark.parametrize("language", NAMES)
def test_a_folder_gets_a_whole_farm(tmp_path, language) -> None:
    outcome = write_farm(tmp_path / "new" / "farm", language)

    assert {str(path.relative_to(tmp_path / "new" / "farm")) for path, _ in outcome} == FILES
    assert all(is_written and path.is_file() for path, is_written in outcome)


def test_files_that_are_there_stay_as_they_are(tmp_path) -> None:
    own = tmp_path / "client" / "updata.py"
    own.parent.mkdir()
    own.write_text("print('mine')\n")
    write_farm(tmp_path, "en")
    (tmp_path / "farm.toml").write_text("# mine\n")

    again = write_farm(tmp_path, "ja")

    assert own.read_text() == "print('mine')\n"
    assert (tmp_path / "farm.toml").read_text() == "# mine\n"
    assert not any(is_written for _, is_written in again)


@pytest.mark.parametrize("language", NAMES)
def test_the_configuration_declares_the_four_tasks(tmp_path, language) -> None:
    write_farm(tmp_path, language)

    declared = Config.load(tmp_path / "scheduler_config.json", environ={}).declared()

    assert [one.task.name for one in declared] == NAMES[language]
    assert [(one.task.task_id, to_plain(one.rules[0])) for one in declared] == [
        ("data_upload", {"type": "interval", "seconds": 3600}),
        ("sensor_collection", {"type": "interval", "seconds": 300}),
        ("heartbeat", {"type": "interval", "seconds": 30}),
        ("log_cleanup", {"type": "interval", "seconds": 86400}),
    ]
    assert [warning for one in declared for warning in one.task.warnings()] == []


@pytest.mark.parametrize("name", ["scheduler_config.json", "farm.toml"])
def test_the_languages_differ_in_words_only(name) -> None:
    def content(language: str) -> object:
        path = bundled_file(name, language)
        if name == "farm.toml":
            return tomllib.loads(path.read_text(encoding="utf-8"))
        plain = dict(Config.load(path, environ={}).plain())
        entries = {key: {**entry, "name": ""} for key, entry in plain["entries"].items()}
        return {**plain, "entries": entries}

    assert content("zh") == content("en")
    assert content("ja") == content("en")


def test_the_table_describes_the_registers_of_the_simulated_device() -> None:
    farm = tomllib.loads(bundled_file("farm.toml", "en").read_text(encoding="utf-8"))

    for device in farm["devices"]:
        described = [
            (r["sensor"], r["unit"], r["address"], r["type"], r.get("scale", 1.0))
            for r in device["registers"]
        ]
        assert described == [(s.name, s.unit, s.address, s.type, s.scale) for s in SENSORS]
        for register, sensor in zip(device["registers"], SENSORS, strict=True):
            assert register["low"] <= sensor.mean <= register["high"]
            assert not register["low"] <= sensor.broken <= register["high"]


@pytest.mark.parametrize(
    "script", ["sensor_data_collection.py", "client/updata.py", "client/heart_beat.py"]
)
def test_the_scripts_need_nothing_of_the_scheduler(script) -> None:
    text = bundled_file(script, "en").read_text(encoding="utf-8")

    assert "import task_scheduler" not in text
    assert "from task_scheduler" not in text


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "the Python package {} is missing: pip install 'task-scheduler[farm]'\n"),
        ("zh", "缺少 Python 包 {}：pip install 'task-scheduler[farm]'\n"),
        ("ja", "Python パッケージ {} がありません: pip install 'task-scheduler[farm]'\n"),
    ],
)
@pytest.mark.parametrize("script", SCRIPTS.values())
def test_a_script_without_its_packages_says_how_to_get_them(
    script, language, sentence, monkeypatch, capsys
) -> None:
    package = "pymodbus" if "sensor" in script else "httpx"
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [LackingFinder(), *sys.meta_path])
    monkeypatch.setenv("FARM_LANGUAGE", language)
    monkeypatch.setattr(sys, "argv", [script])

    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(bundled_file(script, language)), run_name="__main__")

    assert end.value.code == 1
    assert capsys.readouterr().err == sentence.format(package)
