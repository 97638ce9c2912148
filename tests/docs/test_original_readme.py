"""Every block of the original README runs as printed.

The document is the public API: what it promises is asserted by its effect, in a process of its own
whose folder holds the files that the block names.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from task_scheduler.config import Config
from tests.docs.document import ROOT, Block, blocks_of, environment, interrupt, run, run_until

DOCUMENT = Path(__file__).with_name("original-readme.zh.md")
BLOCKS = blocks_of(DOCUMENT)

_SCRIPT = """
import json, os, sys
with open(os.path.join(os.path.dirname(__file__), "ran.jsonl"), "a") as file:
    file.write(json.dumps([os.getcwd(), sys.argv[1:]]) + "\\n")
print("uploaded")
"""

_A_TASK = """
def beat():
    return True

task = FunctionTask(task_id="task_id", name="心跳检测", func=beat)
schedule_rule = ScheduleRule(ScheduleType.INTERVAL, seconds=30)
"""
_A_SCHEDULER = "scheduler = TaskScheduler()\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the script that the document names."""
    client = tmp_path / "client"
    client.mkdir()
    (client / "updata.py").write_text(_SCRIPT, encoding="utf-8")
    return tmp_path


def block(name: str) -> Block:
    return BLOCKS[name]


def log_of(folder: Path) -> str:
    return (folder / "logs" / "scheduler.log").read_text(encoding="utf-8")


def test_every_block_of_the_document_has_a_test_here() -> None:
    names = {name for name in BLOCKS if name.split()[0] in {"python", "json", "bash", "text"}}
    tested = set(re.findall(r'block\("(\w+ \d+)"\)', Path(__file__).read_text(encoding="utf-8")))

    # "bash 3" opens an editor as root; the unit it would write is the service issue's.
    assert names - tested == {"bash 3"}


def test_the_first_program_runs_its_script_and_reaches_its_own_interrupt(folder: Path) -> None:
    ran = folder / "client" / "ran.jsonl"
    after = """
        status = scheduler.get_task_status("data_upload")
        print("REACHED", scheduler.get_task_status()["scheduler"]["state"], status["run_count"],
              status["success_count"], status["name"], status["status"])
        print("NEXT", status["next_run_time"])
    """

    output = run_until(folder, block("python 1"), ran.exists, after=after)

    assert "REACHED stopped 1 1 数据上传任务 idle" in output
    assert re.search(r"NEXT \d{4}-\d\d-\d\dT[\d:.]+[+-]\d\d:\d\d", output)
    assert len(ran.read_text().splitlines()) == 1
    assert "任务执行成功: 数据上传任务" in log_of(folder)


def test_the_log_has_the_format_of_the_document(folder: Path) -> None:
    printed = block("text 1").text.strip()
    as_printed = re.compile(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d - TaskScheduler - INFO - _execute_task:\d+"
        r" - 开始执行任务: 数据上传任务"
    )
    assert as_printed.fullmatch(printed)

    run_until(folder, block("python 1"), (folder / "client" / "ran.jsonl").exists)

    assert any(as_printed.fullmatch(line) for line in log_of(folder).splitlines())


def test_a_script_task_keeps_what_it_was_given(folder: Path) -> None:
    after = f"""
        assert task.script_path == {str(folder / "client" / "updata.py")!r}, task.script_path
        assert task.args == ["--mode", "auto"]
        assert task.working_dir == "/path/to/workdir"
        assert task.description == "上传传感器数据"
        scheduler = TaskScheduler()
        scheduler.add_task(task)
        assert scheduler.get_task_status("upload_task")["policies"]["timeout"] == 300
    """

    output = run(folder, block("python 2"), after=after)

    # The folder of the document exists nowhere: that is a warning when it is added.
    assert "WARNING" in output
    assert "/path/to/workdir" in output


def test_a_script_task_runs_in_its_working_folder_with_its_arguments(folder: Path) -> None:
    workdir = folder / "workdir"
    workdir.mkdir()
    after = f"""
        task.working_dir = {str(workdir)!r}
        with TaskScheduler() as scheduler:
            scheduler.add_task(task)
            run_id = scheduler.run_task("upload_task")
            until(lambda: scheduler.get_task_status("upload_task")["run_count"])
            run = scheduler.view.run(run_id)
            assert run["state"] == "succeeded", run
    """

    run(folder, block("python 2"), after=after)

    (line,) = (folder / "client" / "ran.jsonl").read_text().splitlines()
    assert json.loads(line) == [str(workdir), ["--mode", "auto"]]


def test_a_function_whose_keywords_do_not_fit_warns_when_added_and_fails_when_run(
    folder: Path,
) -> None:
    after = """
        with TaskScheduler(tasks={"max_retries": 0}) as scheduler:
            scheduler.add_task(task)
            scheduler.run_task("func_task")
            status = until(lambda: (s := scheduler.get_task_status("func_task"))["run_count"] and s)
        assert status["failure_count"] == 1 and status["success_rate"] == 0, status
        assert "key" in status["last_error"], status["last_error"]
        assert status["description"] == "执行自定义函数"
    """

    output = run(folder, block("python 3"), after=after)

    assert re.search(r"WARNING - .*func_task.*key", output)
    assert "执行函数: arg1, arg2" not in output


def test_the_function_of_the_document_runs_with_arguments_that_fit(folder: Path) -> None:
    after = """
        task.kwargs.clear()
        with TaskScheduler() as scheduler:
            scheduler.add_task(task, every=3600)
            until(lambda: scheduler.get_task_status("func_task")["success_count"])
    """

    assert "执行函数: arg1, arg2" in run(folder, block("python 3"), after=after)


def test_a_custom_task_tells_success_failure_and_its_error(folder: Path) -> None:
    after = """
        class Failing(CustomTask):
            def execute(self):
                self.last_error = "池塘3: 传感器无响应"
                return False

        with TaskScheduler(tasks={"max_retries": 0}) as scheduler:
            scheduler.add_task(CustomTask("good", "好"), every=3600)
            scheduler.add_task(Failing("bad", "坏"), every=3600)
            until(lambda: scheduler.get_task_status("good")["run_count"])
            until(lambda: scheduler.get_task_status("bad")["run_count"])
            good, bad = scheduler.get_task_status("good"), scheduler.get_task_status("bad")
        assert (good["success_count"], good["last_error"]) == (1, None), good
        assert (bad["failure_count"], bad["last_error"]) == (1, "池塘3: 传感器无响应"), bad
    """

    assert "池塘3: 传感器无响应" in run(folder, block("python 4"), after=after)


def test_the_interval_rules_of_the_document_go_in_steps_of_their_length(folder: Path) -> None:
    text = block("python 5").text
    assert re.findall(r"seconds=(\d+)", text) == ["30", "300", "3600"]
    after = """
        scheduler = TaskScheduler()
        scheduler.add_task(FunctionTask("hourly", func=print), schedule)
        status = scheduler.get_task_status("hourly")
        due = datetime.fromisoformat(status["next_run_time"])
        assert abs((due - datetime.now().astimezone()).total_seconds()) < 5, "due when first added"
        assert schedule.get_next_run_time(due) - due == timedelta(hours=1)
    """

    run(folder, block("python 5"), after=after)


def test_a_task_once_is_due_five_minutes_from_now_and_no_more(folder: Path) -> None:
    after = """
        scheduler = TaskScheduler()
        scheduler.add_task(FunctionTask("once", func=print), schedule)
        due = datetime.fromisoformat(scheduler.get_task_status("once")["next_run_time"])
        assert due == run_time.astimezone(), (due, run_time)
        assert schedule.get_next_run_time(run_time) is None
    """

    run(folder, block("python 6"), after=after)


def test_the_configuration_of_the_document_means_what_it_says(folder: Path) -> None:
    (folder / "scheduler_config.json").write_text(block("json 1").text, encoding="utf-8")

    settings = Config.load(folder / "scheduler_config.json", environ={}).settings

    assert settings.scheduler.max_workers == 10
    assert settings.scheduler.check_interval == 1
    assert settings.scheduler.enable_monitoring is True
    assert settings.scheduler.log_level == "INFO"
    assert settings.logging.path == folder / "logs" / "scheduler.log"
    assert settings.logging.max_log_size == 10_000_000
    assert settings.logging.backup_count == 5
    policies = Config.load(folder / "scheduler_config.json", environ={}).policies
    assert (policies.timeout_seconds, policies.max_retries, policies.retry_delay_seconds) == (
        300,
        3,
        5,
    )


def test_the_configuration_for_production_means_what_it_says(folder: Path) -> None:
    (folder / "scheduler_config.json").write_text(block("json 2").text, encoding="utf-8")

    config = Config.load(folder / "scheduler_config.json", environ={})

    assert config.settings.scheduler.max_workers == 20
    assert config.settings.scheduler.log_level == "WARNING"
    assert (config.policies.max_retries, config.policies.retry_delay_seconds) == (5, 10)


def test_a_configuration_of_ones_own_is_used(folder: Path) -> None:
    (folder / "my_config.json").write_text(block("json 1").text, encoding="utf-8")
    after = f"""
        assert str(scheduler.config.path) == {str(folder / "my_config.json")!r}
        with scheduler:
            scheduler.add_task(FunctionTask("f", func=time.time), every=3600)
            assert scheduler.get_task_status("f")["policies"]["retry_delay"] == 5
    """

    run(folder, block("python 7"), after=after)

    assert "TaskScheduler - INFO" in log_of(folder)


def test_an_added_task_is_in_the_status_and_runs(folder: Path) -> None:
    after = """
        assert list(scheduler.get_task_status()["tasks"]) == ["task_id"]
        scheduler.start()
        until(lambda: scheduler.get_task_status("task_id")["success_count"])
        scheduler.stop()
    """

    run(folder, block("python 8"), before=_A_TASK + _A_SCHEDULER, after=after)


def test_a_removed_task_is_gone(folder: Path) -> None:
    before = _A_TASK + _A_SCHEDULER + "scheduler.add_task(task, schedule_rule)\n"
    after = """
        assert scheduler.get_task_status()["total_tasks"] == 0
        try:
            scheduler.get_task_status("task_id")
        except LookupError as error:
            assert "task_id" in str(error)
        else:
            raise AssertionError("it is still there")
    """

    run(folder, block("python 9"), before=before, after=after)


def test_the_status_of_all_and_of_one_has_the_keys_of_the_document(folder: Path) -> None:
    before = f"""{_A_TASK}{_A_SCHEDULER}
scheduler.add_task(task, schedule_rule)
scheduler.start()
until(lambda: scheduler.get_task_status("task_id")["run_count"])
"""

    output = run(folder, block("python 10"), before=before, after="scheduler.stop()\n")

    assert "总任务数: 1\n运行中: 0\n" in output
    assert "任务状态: idle\n执行次数: 1\n成功率: 1.0\n" in output


def test_a_task_class_of_ones_own_returns_nothing_and_that_is_named(folder: Path) -> None:
    after = """
        with TaskScheduler(tasks={"max_retries": 0}) as scheduler:
            task = MyCustomTask("mine", "我的任务", custom_param=3)
            assert task.custom_param == 3
            scheduler.add_task(task, every=3600)
            status = until(lambda: (s := scheduler.get_task_status("mine"))["run_count"] and s)
        # do_something() of the document passes: None is neither True nor False.
        assert status["failure_count"] == 1 and "None" in status["last_error"], status
    """

    run(folder, block("python 11"), after=after)


def test_a_task_class_of_ones_own_tells_its_exception(folder: Path) -> None:
    after = """
        class Raising(MyCustomTask):
            def do_something(self):
                raise ValueError("溶解氧过低")

        with TaskScheduler(tasks={"max_retries": 0}) as scheduler:
            scheduler.add_task(Raising("mine", "我的任务", custom_param=3), every=3600)
            status = until(lambda: (s := scheduler.get_task_status("mine"))["run_count"] and s)
        assert status["last_error"] == "溶解氧过低", status
    """

    assert "任务执行失败: 溶解氧过低" in run(folder, block("python 11"), after=after)


def test_a_rule_of_ones_own_that_says_none_never_fires(folder: Path) -> None:
    after = """
        class EverySecond(CronScheduleRule):
            def get_next_run_time(self, last_run=None):
                return datetime.now() if last_run is None else last_run + timedelta(seconds=0.1)

        def never():
            raise AssertionError

        with TaskScheduler() as scheduler:
            scheduler.add_task(FunctionTask("never", func=never), CronScheduleRule("* * * * *"))
            scheduler.add_task(FunctionTask("often", func=time.time), EverySecond("* * * * *"))
            until(lambda: scheduler.get_task_status("often")["run_count"] >= 3)
            status = scheduler.get_task_status("never")
        assert (status["run_count"], status["next_run_time"]) == (0, None), status
        assert status["status"] == "finished" and status["rule_error"] is None, status
    """

    run(folder, block("python 12"), after=after)


def test_the_log_level_changes_at_once_and_every_status_prints_as_json(folder: Path) -> None:
    before = f"""{_A_TASK}{_A_SCHEDULER}
scheduler.add_task(task, schedule_rule)
logger = logging.getLogger("TaskScheduler")
logger.debug("before the switch")
"""
    after = """
        logger.debug("after the switch")
        try:
            scheduler.config.config["scheduler"]["log_level"] = "LOUD"
        except ValueError as error:
            assert "LOUD" in str(error)
        else:
            raise AssertionError("a wrong level was taken")
        try:
            scheduler.config.config["scheduler"]["loglevel"] = "INFO"
        except ValueError as error:
            assert "log_level" in str(error), error
        else:
            raise AssertionError("a wrong key was taken")
    """

    output = run(folder, block("python 13"), before=before, after=after)

    assert '"name": "心跳检测"' in output
    assert "DEBUG" in log_of(folder)
    assert "after the switch" in log_of(folder)
    assert "before the switch" not in log_of(folder)


def test_the_predefined_tasks_run_and_stop_at_an_interrupt(tmp_path: Path) -> None:
    argv = _argv(block("bash 1"))

    def have_begun() -> bool:
        log = tmp_path / "logs" / "scheduler.log"
        lines = log.read_text(encoding="utf-8") if log.exists() else ""
        return len(re.findall("任务执行成功: ", lines)) >= 4

    interrupt([*argv, "--dir", str(tmp_path)], ROOT, have_begun)

    for name in ("数据上传", "传感器数据采集", "心跳", "日志清理"):
        assert re.search(f"任务执行成功: .*{name}", log_of(tmp_path)), name


def test_the_examples_show_every_kind_of_task_and_end_by_themselves(tmp_path: Path) -> None:
    done = subprocess.run(
        _argv(block("bash 2")),
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    for kind in ("脚本", "命令", "函数", "自定义任务类", "日志清理"):
        assert re.search(f"{kind}.*成功", done.stdout), kind


def _argv(shell: Block) -> list[str]:
    """Return the one command of a block, with this Python and the repository's file."""
    (command,) = [line for line in shell.text.splitlines() if line and not line.startswith("#")]
    python, file = command.split()
    assert python == "python"
    return [sys.executable, str(ROOT / file)]
