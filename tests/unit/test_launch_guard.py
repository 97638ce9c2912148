"""The launch guard: what the section `security` makes of a start."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from task_scheduler import CommandTask, DefinitionError, ScriptTask
from task_scheduler.confinement import control_groups
from task_scheduler.confinement.control_groups import ControlGroups, is_group_of
from task_scheduler.confinement.refusal import REASONS, StartRefusedError
from task_scheduler.core.model import LaunchSpec
from task_scheduler.executors.launch_order import order_of
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


# -- control groups -------------------------------------------------------------------------------

WHOLE = ControlGroups("/groups", frozenset({"cpu", "memory", "pids"}))
NONE = ControlGroups(reason="not_delegated", what="/system.slice/cron.service")
LIMITS = {"memory_bytes": 64_000_000, "cpu_percent": 50, "open_files": 64}


def guard_with(groups: ControlGroups) -> LaunchGuard:
    made = LaunchGuard()
    made._prepared = (made.rules.control_groups, groups)
    return made


def test_what_a_group_keeps_is_not_asked_of_each_process_as_well() -> None:
    done = guard_with(WHOLE).guard(spec(limits=LIMITS))

    assert done.confinement == {
        "limits": {"open_files": 64},
        "group": {"base": "/groups", "limits": {"memory_bytes": 64_000_000, "cpu_percent": 50}},
    }


def test_a_limit_that_no_group_could_keep_makes_none() -> None:
    done = guard_with(WHOLE).guard(spec(limits={"open_files": 64}))

    assert done.confinement == {"limits": {"open_files": 64}}


def test_without_groups_limits_hold_for_each_process() -> None:
    done = guard_with(NONE).guard(spec(limits={"memory_bytes": 9, "processes": 3}))

    assert done.confinement == {"limits": {"memory_bytes": 9, "processes": 3}}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "groups",
    [
        NONE,
        ControlGroups("/groups", frozenset({"memory", "pids"}), "no_controller", "cpu"),
        ControlGroups(reason="off"),
        ControlGroups(reason="no_mount"),
        ControlGroups(reason="not_writable", what="/x"),
        ControlGroups(reason="refused", what="/x"),
        ControlGroups("/groups", frozenset(), "shared", "1, 2"),
    ],
)
def test_a_limit_that_nothing_here_keeps_is_a_failed_start_with_the_remedy(
    groups: ControlGroups, language: str
) -> None:
    set_language(language)
    try:
        with pytest.raises(DefinitionError) as found:
            guard_with(groups).guard(spec(limits={"cpu_percent": 50}))
    finally:
        set_language("en")

    assert "Delegate=yes" in str(found.value)
    assert groups.what in str(found.value)
    assert "confinement." not in str(found.value)


def test_what_cannot_be_kept_is_told_when_the_task_is_added() -> None:
    task = CommandTask("busy", None, ["true"], limits={"cpu_percent": 50})

    [warning] = guard_with(NONE).warnings_of(task)

    assert "will not start" in warning
    assert "/system.slice/cron.service" in warning


def test_a_look_at_the_configuration_moves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    divided: list[ControlGroups] = []
    monkeypatch.setattr(control_groups, "find", lambda wish: NONE)
    monkeypatch.setattr(control_groups, "prepare", divided.append)

    LaunchGuard().warnings_of(CommandTask("busy", None, ["true"], limits=LIMITS))

    assert divided == []


def test_the_group_is_divided_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[ControlGroups] = []
    monkeypatch.setattr(control_groups, "find", lambda wish: WHOLE)

    def prepare(found: ControlGroups) -> ControlGroups:
        made.append(found)
        return found

    monkeypatch.setattr(control_groups, "prepare", prepare)
    guard = LaunchGuard()

    guard.guard(spec(limits={"open_files": 64}))
    before = len(made)
    for _ in range(3):
        guard.guard(spec(limits=LIMITS))

    assert (before, len(made)) == (0, 1)
    assert guard.groups_here() == WHOLE


def test_an_order_names_the_group_of_its_attempt_and_what_its_limits_say() -> None:
    done = guard_with(WHOLE).guard(spec(limits={**LIMITS, "processes": 9}))

    order = order_of(done, folder=b"/srv/x.runs/15-7", bell=b"/b", output_limit_bytes=9)

    group = order.confinement["group"]
    assert is_group_of(group["folder"], b"/srv/x.runs/15-7")
    assert group["folder"].startswith("/groups/")
    assert order.texts["limit_memory_bytes"] == "killed: memory limit 64 MB"
    assert order.texts["limit_processes"] == "failed: limit of 9 processes"
    assert order.texts["held_back"] == "; its limit of 50 % of a CPU held it back for {seconds} s"
    assert "limit_cpu_percent" not in order.texts


def test_an_order_with_a_group_is_not_for_a_launcher_that_knows_none() -> None:
    def number(limits: dict[str, int]) -> int:
        done = guard_with(WHOLE).guard(spec(limits=limits))
        order = order_of(done, folder=b"/x/1-1", bell=b"/b", output_limit_bytes=9)
        return int(json.loads(order.encode()[4:])["format"])

    assert number({"memory_bytes": 9}) == number({"open_files": 64}) + 1


# -- network --------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", ["none", "loopback"])
def test_a_network_that_cannot_be_given_here_is_refused_before_the_start(
    network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = ["Operation not permitted", ""]
    monkeypatch.setattr(
        "task_scheduler.confinement.network.namespace_trouble", lambda: answers.pop(0)
    )
    guard = LaunchGuard()

    [warning] = guard.warnings_of(CommandTask("t", None, ["true"], network=network))
    first = guard.guard(spec(network=network)).confinement
    second = guard.guard(spec(network=network)).confinement

    assert "will not start" in warning
    assert "Operation not permitted" in warning
    # Tried again after a refusal, and no more once it is known to be had.
    assert first == second == {"network": {"kind": network}}
    assert answers == []


@pytest.mark.parametrize(
    "rule",
    ["db.example:443", "10.0.0.5:443", "[::1]:443", "10.0.0.0/8", "localhost", "*:443", "443/udp"],
)
def test_a_rule_with_a_host_is_refused_by_name_never_widened_to_its_port(rule: str) -> None:
    with pytest.raises(DefinitionError) as found:
        CommandTask("t", None, ["true"], network={"tcp": ["443", rule]})

    assert repr(rule) in str(found.value)
    assert "firewall" in str(found.value)
