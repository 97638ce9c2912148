"""The recipes of deploy/ name what there is, and their steps work, as far as a test can show."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import sysconfig
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from task_scheduler.cli.program import GROUPS, module_of
from task_scheduler.config import Config
from task_scheduler.doctor.findings import CHECKS

ROOT = Path(__file__).parents[3]
CONTAINERFILE = ROOT / "deploy" / "container" / "Containerfile"
COMPOSE = ROOT / "deploy" / "container" / "compose.yaml"
KUBERNETES = ROOT / "deploy" / "kubernetes" / "task-scheduler.yaml"
GRACE_SPARE_SECONDS = 20.0
"""Beyond the tasks' own deadline: what is left is killed, and the ledger closed."""


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Containerfile with their arguments."""
    text = re.sub(r"^#.*\n", "", CONTAINERFILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1].strip()) for line in lines if line]


def given(name: str) -> list[str]:
    """Return the arguments of every instruction of a name."""
    return [words for instruction, words in instructions() if instruction == name]


def documents() -> dict[str, dict[str, Any]]:
    """Return what is given to Kubernetes, by kind."""
    found = yaml.safe_load_all(KUBERNETES.read_text(encoding="utf-8"))
    return {document["kind"]: document for document in found}


def container_of(documents: dict[str, dict[str, Any]]) -> dict[str, Any]:
    (container,) = documents["StatefulSet"]["spec"]["template"]["spec"]["containers"]
    return dict(container)


def is_call(words: list[str]) -> bool:
    """Whether tsk would take these words as a call of it; nothing is run."""
    from task_scheduler.cli.program import _program

    with _program.make_context("tsk", list(words)) as ctx:
        name, command, rest = _program.resolve_command(ctx, [*ctx._protected_args, *ctx.args])
        assert isinstance(command, click.Command)
        command.make_context(str(name), rest, parent=ctx).close()
    return True


# -- the container --------------------------------------------------------------------------------


def test_everything_that_the_image_copies_is_there_and_not_ignored() -> None:
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_in = {line[1:] for line in ignore if line.startswith("!")}
    copied = [words.split()[:-1] for words in given("COPY") if "--from=" not in words]

    names = {name.removeprefix("./") for names in copied for name in names}

    assert names == let_in == {"pyproject.toml", "README.md", "LICENSE", "task_scheduler"}
    assert [name for name in names if not (ROOT / name).exists()] == []


def test_the_image_runs_as_nobody_special_and_its_command_is_one() -> None:
    (entry,), (command,), (health,) = given("ENTRYPOINT"), given("CMD"), given("HEALTHCHECK")
    check = yaml.safe_load(health.partition("CMD ")[2])

    assert given("USER") == ["10001:10001"]
    assert yaml.safe_load(entry) == ["tsk"] == check[:1]
    assert is_call(yaml.safe_load(command))
    assert is_call(check[1:])


def test_the_image_has_a_python_that_the_package_takes() -> None:
    images = [words.split()[0] for words in given("FROM")]

    versions = {re.search(r"python:3\.(\d+)-slim", image)[1] for image in images}

    assert len(versions) == 1
    assert int(versions.pop()) >= 11


def test_the_steps_that_install_it_work_in_a_fresh_environment(tmp_path: Path) -> None:
    steps = [words for words in given("RUN") if "/opt/task-scheduler" in words]
    venv = tmp_path / "venv"
    source = tmp_path / "src"
    source.mkdir()
    for words in given("COPY"):
        if "--from=" not in words:
            *names, _ = words.split()
            for name in names:
                (source / name).symlink_to(ROOT / name)
    # Offline: what it needs is found where the tests found theirs.
    environ = {
        **{name: text for name, text in os.environ.items() if name != "PYTHONPATH"},
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    for step in steps:
        argv = shlex.split(step.replace("/opt/task-scheduler", str(venv)))
        done = subprocess.run(
            argv, cwd=source, env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{step}\n{done.stdout}\n{done.stderr}"
        for folder in venv.glob("lib/python*/site-packages"):
            (folder / "tests.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")

    done = subprocess.run(
        [venv / "bin" / "tsk", "version"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    installed = list(venv.glob("lib/python*/site-packages/task_scheduler/service/*.template"))
    assert done.stdout.startswith("tsk ")
    assert {path.stem for path in installed} == {"unit", "sandbox"}
    assert len(steps) == 2


def test_the_composition_builds_that_image_and_gives_tasks_time_to_end() -> None:
    compose = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    service = compose["services"]["scheduler"]
    build = service["build"]
    default = Config.load({}).settings.scheduler.stop_timeout_seconds

    assert (COMPOSE.parent / build["context"]).resolve() == ROOT
    assert ROOT / build["dockerfile"] == CONTAINERFILE
    assert is_call(service["command"])
    assert int(service["stop_grace_period"].removesuffix("s")) >= default + GRACE_SPARE_SECONDS
    assert [volume.split(":")[1] for volume in service["volumes"]] == given("VOLUME")
    assert set(compose["volumes"]) == {volume.split(":")[0] for volume in service["volumes"]}


# -- Kubernetes -----------------------------------------------------------------------------------


def test_there_is_one_scheduler_and_never_two() -> None:
    spec = documents()["StatefulSet"]["spec"]
    (claim,) = spec["volumeClaimTemplates"]

    assert spec["replicas"] == 1
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]
    assert spec["serviceName"] == documents()["Service"]["metadata"]["name"]
    labels = spec["template"]["metadata"]["labels"]
    assert labels == spec["selector"]["matchLabels"] == documents()["Service"]["spec"]["selector"]


def test_the_configuration_of_the_pod_is_right_and_writes_where_it_may() -> None:
    found = documents()
    (text,) = found["ConfigMap"]["data"].values()
    settings = Config.load(yaml.safe_load(text)).settings
    pod = found["StatefulSet"]["spec"]["template"]["spec"]
    container = container_of(found)
    writable = [m["mountPath"] for m in container["volumeMounts"] if not m.get("readOnly")]

    for path in (settings.storage.path, settings.logging.log_dir):
        assert any(Path(path).is_relative_to(folder) for folder in writable), path
    grace = pod["terminationGracePeriodSeconds"]
    assert grace >= settings.scheduler.stop_timeout_seconds + GRACE_SPARE_SECONDS


def test_every_mount_has_its_volume_and_the_config_is_read_where_it_is_mounted() -> None:
    found = documents()
    spec = found["StatefulSet"]["spec"]
    container = container_of(found)
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    volumes = {volume["name"] for volume in spec["template"]["spec"]["volumes"]}
    (name,) = found["ConfigMap"]["data"]
    config = f"{mounts['config']}/{name}"

    assert mounts.keys() == volumes | {c["metadata"]["name"] for c in spec["volumeClaimTemplates"]}
    assert container["args"][:2] == ["-c", config]
    assert {"name": "TASK_SCHEDULER_CONFIG", "value": config} in container["env"]
    assert is_call(container["args"])


@pytest.mark.parametrize("probe", ["startupProbe", "livenessProbe", "readinessProbe"])
def test_every_probe_is_a_call_that_there_is(probe: str) -> None:
    first, *words = container_of(documents())[probe]["exec"]["command"]
    checks = [word for word in words if word in CHECKS]

    assert first == "tsk"
    assert is_call(words)
    assert "scheduler" in checks


def test_the_pod_may_do_nothing_special() -> None:
    found = documents()
    container = container_of(found)
    pod = found["StatefulSet"]["spec"]["template"]["spec"]

    assert pod["securityContext"]["runAsUser"] == 10001
    assert given("USER") == ["10001:10001"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True


# -- what the comments say to type ----------------------------------------------------------------


@pytest.mark.parametrize("path", [CONTAINERFILE, COMPOSE, KUBERNETES], ids=lambda path: path.name)
def test_what_a_comment_says_to_type_exists(path: Path) -> None:
    comments = re.findall(r"^\s*# ?(.*)", path.read_text(encoding="utf-8"), re.MULTILINE)
    files = [word for line in comments for word in line.split() if fnmatch(word, "deploy/*/*")]
    commands = [line.partition("tsk ")[2].split() for line in comments if " tsk " in line]
    known = {name for names in GROUPS.values() for name in names}

    assert files
    assert [file for file in files if not (ROOT / file).is_file()] == []
    for words in commands:
        name = words[0].strip("`,:")
        assert name in known, name
        import_module(module_of(name))
