"""The launch guard: what the section `security` makes of a start."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from task_scheduler import CommandTask, DefinitionError, ScriptTask
from task_scheduler.confinement.refusal import REASONS, StartRefusedError
from task_scheduler.core.model import LaunchSpec
from task_scheduler.i18n import LANGUAGES, set_language
from task_scheduler.launch_guard import SAFE_ENVIRONMENT, LaunchGuard, SecurityRules, sentence_of

NAME = "nobody"


def spec(**confinement: Any) -> LaunchSpec:
    return LaunchSpec(argv=("true",), working_dir="/", confinement=confinement)


def guarded(rules: SecurityRules, **confinement: Any) -> LaunchSpec:
    return LaunchGuard(rules).guard(spec(**confinement))


def test_without_a_wish_nothing_is_confined() -> None:
    done = guarded(SecurityRules(), script={"path": "/x.py", "place": 1, "is_python": True})

    assert (done.confinement, done.inherited) == ({}, None)


def test_what_a_task_asks_for_stands_over_the_defaults() -> None:
    rules = SecurityRules(confinement={"nice": 5, "network": "none", "umask": 0o27})

    done = guarded(rules, nice=1, network="all")

    assert done.confinement == {"nice": 1, "umask": 0o27}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_a_user_becomes_numbers_and_variables() -> None:
    done = guarded(SecurityRules(), user=NAME)

    assert done.confinement["uid"] == 65_534
    assert done.confinement["gid"] == done.confinement["groups"][0]
    assert done.env["USER"] == done.env["LOGNAME"] == NAME


def test_the_variables_of_a_task_stand_over_those_of_its_user() -> None:
    wish = LaunchSpec(
        argv=("true",), working_dir="/", env={"HOME": "/x"}, confinement={"user": os.getuid()}
    )

    assert LaunchGuard().guard(wish).env["HOME"] == "/x"


@pytest.mark.parametrize("wish", [{"user": "no-such-user"}, {"group": "no-such-group"}])
def test_an_account_that_there_is_not_is_a_failed_start(wish: dict[str, str]) -> None:
    with pytest.raises(DefinitionError, match="no-such"):
        guarded(SecurityRules(), **wish)


def test_scripts_are_checked_where_it_is_enforced_or_one_is_pinned() -> None:
    script = {"path": "/srv/job.py", "place": 1, "is_python": True}
    strict = SecurityRules(is_enforced=True, script_roots=("/srv",))

    enforced = guarded(strict, script=script).confinement["script"]
    pinned = guarded(SecurityRules(), script=script, sha256="ab" * 32).confinement["script"]

    assert (enforced["roots"], enforced["is_lenient"]) == (["/srv"], False)
    assert (pinned["roots"], pinned["is_lenient"], pinned["sha256"]) == ([], True, "ab" * 32)


def test_tasks_inherit_the_usual_variables_where_it_is_enforced() -> None:
    assert guarded(SecurityRules(is_enforced=True)).inherited == SAFE_ENVIRONMENT
    assert guarded(SecurityRules(is_enforced=True, environment=("A",))).inherited == ("A",)
    assert guarded(SecurityRules(environment=())).inherited == ()


@pytest.mark.parametrize(
    ("modules", "reference", "is_allowed"),
    [
        (None, "pond.jobs:read", True),
        (None, "os:system", False),
        (None, "builtins:exec", False),
        (None, "os.path:join", False),
        (("pond",), "pond:read", True),
        (("pond",), "pond.jobs:read", True),
        (("pond",), "pondering:read", False),
        (("shutil",), "shutil:rmtree", True),
        ((), "pond:read", False),
    ],
)
def test_a_name_is_imported_only_from_where_it_may(
    modules: tuple[str, ...] | None, reference: str, is_allowed: bool
) -> None:
    assert SecurityRules(function_modules=modules).allows_function(reference) is is_allowed


def test_an_unsafe_script_is_warned_of_where_it_is_not_refused(tmp_path: Path) -> None:
    script = tmp_path / "job.py"
    script.write_text("pass\n")
    script.chmod(0o666)
    task = ScriptTask("job", None, script)

    assert str(script) in LaunchGuard().warnings_of(task)[0]
    assert "enforce is off" in LaunchGuard().warnings_of(task)[0]
    script.chmod(0o600)
    assert LaunchGuard().warnings_of(task) == []
    assert LaunchGuard().warnings_of(CommandTask("c", None, ["true"])) == []


def test_what_will_be_refused_is_told_as_that(tmp_path: Path) -> None:
    script = tmp_path / "job.py"
    script.write_text("pass\n")
    pinned = ScriptTask("job", None, script, sha256="ab" * 32)
    elsewhere = LaunchGuard(SecurityRules(is_enforced=True, script_roots=("/nowhere",)))
    wishes: list[dict[str, Any]] = [
        {"user": "no-such-user"}, {"group": "no-such-group"}, {"env": {"A": "${secret:UNKNOWN}"}},
    ]  # fmt: skip
    told = [
        LaunchGuard().warnings_of(pinned),
        elsewhere.warnings_of(ScriptTask("job", None, script)),
        *(LaunchGuard().warnings_of(CommandTask("c", None, ["true"], **wish)) for wish in wishes),
    ]

    for warnings in told:
        assert len(warnings) == 1
        assert "will not start" in warnings[0]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("reason", REASONS)
def test_every_refusal_has_its_sentence(reason: str, language: str) -> None:
    set_language(language)
    try:
        sentence = sentence_of(StartRefusedError(reason, "THING", "WHY"))
    finally:
        set_language("en")

    assert "{" not in sentence
    assert sentence != f"confinement.{reason}"
