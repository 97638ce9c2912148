"""The section `alerts`: what it means, and what is wrong with it, each at its place."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from task_scheduler.alerts.rules import AlertKind, stretch_end
from task_scheduler.config.alerts import plan_of, secrets_of
from task_scheduler.errors import ConfigError
from task_scheduler.i18n import LANGUAGES, set_language
from tests.unit.config.conftest import Load

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs" / "alerts.md").read_text("utf-8")
SCHEMA = json.loads((ROOT / "docs" / "scheduler_config.schema.json").read_text("utf-8"))
EXAMPLES = re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)
HOOK = {"webhook": {"url": "https://chat.example/x"}}
CHECK = {"every_seconds": 60, "token_sha256": "0" * 64}
SECOND = 1_000_000


def plan(load: Load, alerts: dict[str, Any], **more: Any) -> Any:
    config = load(json.dumps({"alerts": alerts, **more}))
    return plan_of(config.settings.alerts, calendars=config.calendars)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_examples_of_the_document_are_right(load: Load, number: int) -> None:
    value = json.loads(EXAMPLES[number])

    assert plan(load, **value)
    assert jsonschema.Draft202012Validator(SCHEMA).is_valid(value)


def test_a_channel_alone_is_told_of_all_but_what_needs_a_limit(load: Load) -> None:
    [rule] = plan(load, {"channels": {"chat": HOOK}}).rules

    assert rule.kinds == frozenset(AlertKind) - {
        AlertKind.OVERRUN,
        AlertKind.SLOW,
        AlertKind.HEAVY,
    }
    assert (rule.channels, rule.tasks) == (("chat",), ("*",))


def test_nothing_is_told_without_a_channel(load: Load) -> None:
    assert not plan(load, {})


def test_a_mail_server_elsewhere_is_spoken_to_in_private(load: Load) -> None:
    def target(**more: Any) -> tuple[str, int]:
        channels = {"ops": {"mail": {"to": ["a@b.example"], **more}}}
        found = plan(load, {"channels": channels}).channels["ops"].target
        return found.security, found.port

    assert target() == ("none", 25)
    assert target(host="mail.example") == ("starttls", 587)
    assert target(host="mail.example", security="tls") == ("tls", 465)
    assert target(port=2525) == ("none", 2525)


def test_quiet_hours_end_in_their_zone(load: Load) -> None:
    quiet = {"from": "22:00", "to": "07:00", "timezone": "Asia/Tokyo"}
    channel = plan(load, {"channels": {"chat": {**HOOK, "quiet_hours": quiet}}}).channels["chat"]

    # 2026-11-24 23:00 in Tokyo, and noon of the day after.
    night, noon = 1_795_528_800 * SECOND, 1_795_575_600 * SECOND

    assert stretch_end(channel.quiet, night) == night + 8 * 3_600 * SECOND
    assert stretch_end(channel.quiet, noon) is None


def test_a_maintenance_may_be_a_calendar(load: Load) -> None:
    calendars = {"closed": {"days": ["2026-11-24"], "timezone": "UTC"}}
    maintenance = [{"tasks": ["db_*"], "calendar": "closed"}]
    made = plan(load, {"channels": {"chat": HOOK}, "maintenance": maintenance}, calendars=calendars)
    noon = 1_795_521_600 * SECOND

    assert made.is_in_maintenance("db_1", noon)
    assert not made.is_in_maintenance("web", noon)
    assert not made.is_in_maintenance("db_1", noon + 86_400 * SECOND)


def test_what_is_written_into_the_file_is_never_shown(load: Load) -> None:
    channels = {
        "chat": {"webhook": {"url": "https://chat.example/hidden", "signing_key": "sign"}},
        "ops": {"mail": {"to": ["a@b.example"], "password": "${secret:smtp}"}},
    }
    config = load(json.dumps({"alerts": {"channels": channels}}))

    assert secrets_of(config.settings.alerts) == ["https://chat.example/hidden", "sign"]


WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "no kind": ({"channels": {"a": {}}}, "alerts.channels.a", "exactly one"),
    "two kinds": (
        {"channels": {"a": {**HOOK, "command": {"argv": ["x"]}}}},
        "alerts.channels.a",
        "exactly one",
    ),
    "unknown kind": ({"channels": {"a": {"mial": {}}}}, "alerts.channels.a.mial", "'mail'"),
    "unknown key": (
        {"channels": {"a": {"mail": {"to": ["a@b.c"], "hots": "x"}}}},
        "alerts.channels.a.mail.hots",
        "'host'",
    ),
    "unknown key of a rule": (
        {"channels": {"a": HOOK}, "rules": [{"on": ["failed"], "task": ["x"]}]},
        "alerts.rules[0].task",
        "'tasks'",
    ),
    "unknown key of the section": ({"chanels": {}}, "alerts.chanels", "'channels'"),
    "no URL": ({"channels": {"a": {"webhook": {"url": "ftp://x"}}}}, "url", "http://"),
    "no address": ({"channels": {"a": {"mail": {"to": ["a b"]}}}}, "to[0]", "ops@example.org"),
    "a line break in an address": (
        {"channels": {"a": {"mail": {"to": ["a@b.c\nBcc: x@y.z"]}}}},
        "to[0]",
        "ops@example.org",
    ),
    "unknown channel": (
        {"channels": {"ops": HOOK}, "rules": [{"on": ["failed"], "channels": ["osp"]}]},
        "alerts.rules[0].channels[0]",
        "'ops'",
    ),
    "unknown event": (
        {"channels": {"a": HOOK}, "rules": [{"on": ["fail"]}]},
        "alerts.rules[0].on[0]",
        "'failed'",
    ),
    "overrun of what": (
        {"channels": {"a": HOOK}, "rules": [{"on": ["overrun"]}]},
        "alerts.rules[0].on",
        "overrun_seconds",
    ),
    "one name for two": (
        {
            "channels": {"a": HOOK},
            "rules": [{"name": "x", "on": ["failed"]}, {"name": "x", "on": ["late"]}],
        },
        "alerts.rules[1].name",
        "'x'",
    ),
    "a rule for nobody": ({"rules": [{"on": ["failed"]}]}, "alerts.rules[0]", "channels"),
    "no hours": (
        {"channels": {"a": {**HOOK, "quiet_hours": {"from": "25:00", "to": "07:00"}}}},
        "alerts.channels.a.quiet_hours",
        "25:00",
    ),
    "half a window": ({"maintenance": [{"from": "02:00"}]}, "alerts.maintenance[0]", "to"),
    "no calendar": (
        {"maintenance": [{"calendar": "japn"}]},
        "alerts.maintenance[0].calendar",
        "japan",
    ),
    "no library": (
        {"channels": {"a": {"apprise": {"urls": ["json://x"]}}}},
        "alerts.channels.a.apprise",
        "pip install 'task-scheduler[alerts]'",
    ),
    "no time": ({"expected": {"nas": {}}}, "alerts.expected.nas.every_seconds", ""),
    "heavy by what": (
        {"channels": {"a": HOOK}, "rules": [{"on": ["heavy"]}]},
        "alerts.rules[0].on",
        "memory_bytes",
    ),
    "no address to listen at": (
        {"ping_in": {"listen": "8421"}, "expected": {"nas": CHECK}},
        "alerts.ping_in.listen",
        "127.0.0.1:8421",
    ),
    "no port": (
        {"ping_in": {"listen": "127.0.0.1:70000"}, "expected": {"nas": CHECK}},
        "alerts.ping_in.listen",
        "127.0.0.1:8421",
    ),
    "nobody who could ping": ({"ping_in": {}}, "alerts.ping_in", "tsk alerts token"),
    "one token for two": (
        {"ping_in": {}, "expected": {"nas": CHECK, "nsa": CHECK}},
        "alerts.expected.nsa.token_sha256",
        "'nas'",
    ),
    "a token in the clear": (
        {"ping_in": {}, "expected": {"nas": {**CHECK, "token_sha256": "secret"}}},
        "alerts.expected.nas.token_sha256",
        "",
    ),
    "unknown key of the door": (
        {"ping_in": {"lisen": "x:1"}, "expected": {"nas": CHECK}},
        "alerts.ping_in.lisen",
        "'listen'",
    ),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_wrong_is_told_at_its_place(
    load: Load, monkeypatch: pytest.MonkeyPatch, name: str, language: str
) -> None:
    alerts, place, hint = WRONG[name]
    monkeypatch.setattr("task_scheduler.alerts.channels.apprise_urls.is_installed", lambda: False)
    set_language(language)

    with pytest.raises(ConfigError) as caught:
        load(json.dumps({"alerts": alerts}, indent=1))

    try:
        [problem] = caught.value.values["problems"]
        assert place in problem["key"]
        assert problem["line"] is not None
        if language == "en":
            assert hint in problem["message"]
    finally:
        set_language("en")
