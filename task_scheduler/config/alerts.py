"""The section `alerts`: channels, rules, and when to be quiet.

Responsible for: its keys, what pydantic cannot see of what is wrong with them, and the plan of
`alerts.rules` that they mean. What a rule or a channel does is theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from task_scheduler.alerts.rules import (
    AlertKind,
    AlertPlan,
    Channel,
    Expectation,
    Heartbeat,
    Maintenance,
    Rule,
)
from task_scheduler.config.calendar_files import CalendarError, calendar_of_plain
from task_scheduler.config.ping_in import (
    ExpectConfig,
    PingInConfig,
    door_of,
    door_problems,
)
from task_scheduler.config.problems import KeyPath, hint_for
from task_scheduler.config.sections import Bytes, Model, Seconds, Text, absolute
from task_scheduler.core.model import SECOND, Microseconds
from task_scheduler.errors import ScheduleError
from task_scheduler.i18n import translate
from task_scheduler.schedules.calendars.named_calendar import Calendar
from task_scheduler.schedules.calendars.registry import BUILT_IN, Calendars

__all__ = [
    "AlertProblem",
    "AlertsSection",
    "Url",
    "alert_problems",
    "nested_keys",
    "plan_of",
    "secrets_of",
]

_WEEK = 7 * 86_400
_DEFAULT_RULE = "all"


class AlertProblem(NamedTuple):
    """Something that is wrong: the key within the section, and a sentence."""

    path: KeyPath
    sentence: str


def _url(value: Any) -> Any:
    is_fine = isinstance(value, str) and value.startswith(("http://", "https://", "${secret:"))
    if value is not None and (not is_fine or any(mark in value for mark in " \t\r\n\0")):
        raise PydanticCustomError("config.must_be_url", "no URL")
    return value


def _file(value: Any, info: ValidationInfo) -> Any:
    return None if value is None else absolute(value, info)


def _address(value: Any) -> Any:
    from email.headerregistry import Address  # takes longer than all the rest of this
    from email.utils import parseaddr

    try:
        if not isinstance(value, str) or not value.isprintable():
            raise ValueError("no text")
        Address(addr_spec=parseaddr(value)[1])
    except (ValueError, IndexError) as error:
        raise PydanticCustomError("config.must_be_address", "no address") from error
    return value


Url = Annotated[
    str,
    BeforeValidator(_url),
    WithJsonSchema({"type": "string", "pattern": r"^(https?://|\$\{secret:)\S+$"}),
]
"""Text that leads somewhere over HTTP."""
_Address = Annotated[str, BeforeValidator(_address), Field(min_length=1)]
_Span = Annotated[float, Field(ge=1, le=52 * _WEEK), Seconds]
_Most = Annotated[int, Field(ge=1, le=1 << 60), Bytes]
_Limit = Annotated[float, Field(ge=0.1, le=600), Seconds]


class MailConfig(Model):
    """Letters through a mail server."""

    to: Annotated[list[_Address], Field(min_length=1)]
    sender: Annotated[_Address | None, Field(alias="from")] = None
    host: Text = "localhost"
    port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    security: Literal["starttls", "tls", "none"] | None = None
    """Without it ``starttls``, and ``none`` on this machine."""
    username: Text | None = None
    password: Text | None = None
    ca_file: Annotated[Path | None, BeforeValidator(_file)] = None
    """The certificate of who vouches for the server; without it, whom this machine trusts."""
    timeout_seconds: _Limit = 30


class WebhookConfig(Model):
    """Requests to a URL."""

    url: Url
    form: Literal["json", "slack", "discord", "wecom", "dingtalk", "feishu"] = "json"
    headers: dict[str, str] = Field(default_factory=dict)
    signing_key: Text | None = None
    timeout_seconds: _Limit = 15


class ProgramConfig(Model):
    """A program that gets each message."""

    argv: Annotated[list[Text], Field(min_length=1)]
    env: dict[str, str] = Field(default_factory=dict)
    timeout_seconds: _Limit = 30


class AppriseConfig(Model):
    """Services that the library apprise reaches."""

    urls: Annotated[list[Text], Field(min_length=1)]


class QuietConfig(Model):
    """Hours in which only what is urgent is delivered."""

    begin: Text = Field(alias="from")
    end: Text = Field(alias="to")
    weekdays: Text | None = None
    timezone: Text | None = None


class ChannelConfig(Model):
    """A way to people: exactly one kind of it."""

    mail: MailConfig | None = None
    webhook: WebhookConfig | None = None
    command: ProgramConfig | None = None
    apprise: AppriseConfig | None = None
    quiet_hours: QuietConfig | None = None

    @model_validator(mode="after")
    def _one(self) -> ChannelConfig:
        kinds = (self.mail, self.webhook, self.command, self.apprise)
        if sum(kind is not None for kind in kinds) != 1:
            raise PydanticCustomError("config.must_be_channel", "not one")
        return self


class AlertRuleConfig(Model):
    """What of which tasks is told to whom."""

    name: Text | None = None
    on: Annotated[
        list[
            Literal[
                "failed",
                "late",
                "missed",
                "overrun",
                "slow",
                "heavy",
                "unresolved",
                "silent",
                "fault",
            ]
        ],
        Field(min_length=1),
    ]
    tasks: list[Text] = Field(default_factory=lambda: ["*"], min_length=1)
    tags: list[Text] = Field(default_factory=list)
    """Tasks with one of these, beside those of `tasks`; without `tasks`, these alone."""
    channels: list[Text] | None = None
    """None: all of them."""
    in_a_row: Annotated[int, Field(ge=1, le=1_000)] | None = None
    failures: Annotated[int, Field(ge=1, le=1_000)] | None = None
    within_seconds: _Span = 3_600
    late_seconds: _Span = 60
    overrun_seconds: _Span | None = None
    memory_bytes: _Most | None = None
    cpu_seconds: _Span | None = None
    read_bytes: _Most | None = None
    written_bytes: _Most | None = None
    recovered: bool = True
    urgent: bool = False


class MaintenanceConfig(Model):
    """Times in which nothing of some tasks is told."""

    tasks: list[Text] = Field(default_factory=lambda: ["*"], min_length=1)
    tags: list[Text] = Field(default_factory=list)
    begin: Annotated[Text | None, Field(alias="from")] = None
    end: Annotated[Text | None, Field(alias="to")] = None
    weekdays: Text | None = None
    timezone: Text | None = None
    calendar: Text | None = None
    """The name of a calendar, instead of the others."""


class HeartbeatConfig(Model):
    """The scheduler's own sign of life."""

    url: Url
    every_seconds: _Span = 60


class AlertsSection(Model):
    """Who hears of what goes wrong, and when."""

    name: Text | None = None
    """How messages call this scheduler; without it, as the machine is called."""
    channels: dict[str, ChannelConfig] = Field(default_factory=dict)
    rules: list[AlertRuleConfig] = Field(default_factory=list)
    """None: failures, delays and faults are told through every channel."""
    gather_seconds: Annotated[float, Field(ge=0, le=3_600), Seconds] = 60
    digest_seconds: Annotated[float, Field(ge=1, le=86_400), Seconds] = 300
    reminder_seconds: list[_Span] = Field(default_factory=lambda: [3_600.0, 14_400.0, 86_400.0])
    most_messages: Annotated[int, Field(ge=1, le=1_000)] = 10
    parents: dict[str, list[Text]] = Field(default_factory=dict)
    maintenance: list[MaintenanceConfig] = Field(default_factory=list)
    expected: dict[str, ExpectConfig] = Field(default_factory=dict)
    pings: dict[str, Url] = Field(default_factory=dict)
    heartbeat: HeartbeatConfig | None = None
    ping_in: PingInConfig | None = None


_MODELS: Mapping[str, type[Model]] = {
    "mail": MailConfig,
    "webhook": WebhookConfig,
    "command": ProgramConfig,
    "apprise": AppriseConfig,
    "quiet_hours": QuietConfig,
    "heartbeat": HeartbeatConfig,
    "ping_in": PingInConfig,
}
_OF_ITEMS: Mapping[str, type[Model]] = {
    "channels": ChannelConfig,
    "rules": AlertRuleConfig,
    "maintenance": MaintenanceConfig,
    "expected": ExpectConfig,
}


def nested_keys(path: KeyPath) -> list[str]:
    """Return the keys that may stand where a path of the section ends."""
    *_, holder, _ = path
    model = _MODELS.get(str(holder)) or _OF_ITEMS.get(str(path[1]), AlertsSection)
    return [field.alias or name for name, field in model.model_fields.items()]


def alert_problems(section: AlertsSection, calendars: Calendars) -> Iterator[AlertProblem]:
    """Yield what is wrong although each key by itself is right; paths within the section."""
    known = list(section.channels)
    for name, channel in section.channels.items():
        if channel.quiet_hours is not None:
            yield from _window_problems(channel.quiet_hours, ("channels", name, "quiet_hours"))
        if channel.apprise is not None:
            from task_scheduler.alerts.channels.apprise_urls import is_installed

            if not is_installed():
                sentence = translate("config.apprise_missing")
                yield AlertProblem(("channels", name, "apprise"), sentence)
    names = set()
    for index, rule in enumerate(section.rules):
        path: KeyPath = ("rules", index)
        if rule.name is not None and rule.name in names:
            sentence = translate("config.alert_rule_twice", name=rule.name)
            yield AlertProblem((*path, "name"), sentence)
        names.add(rule.name)
        for place, channel_name in enumerate(rule.channels or ()):
            if channel_name not in section.channels:
                sentence = translate(
                    "config.unknown_channel",
                    channel=channel_name,
                    hint=hint_for(channel_name, known),
                    known=", ".join(known),
                )
                yield AlertProblem((*path, "channels", place), sentence)
        if "overrun" in rule.on and rule.overrun_seconds is None:
            yield AlertProblem((*path, "on"), translate("config.overrun_without_limit"))
        if "heavy" in rule.on and not _most(rule):
            yield AlertProblem((*path, "on"), translate("config.heavy_without_limit"))
        if not section.channels:
            yield AlertProblem(path, translate("config.rule_without_channel"))
    for place_of, sentence in door_problems(section.ping_in, section.expected):
        yield AlertProblem(place_of, sentence)
    for index, times in enumerate(section.maintenance):
        at: KeyPath = ("maintenance", index)
        if times.calendar is None:
            yield from _window_problems(times, at)
            continue
        try:
            calendars.named(times.calendar)
        except ScheduleError as error:
            yield AlertProblem((*at, "calendar"), str(error))


def _window_problems(
    times: QuietConfig | MaintenanceConfig, path: KeyPath
) -> Iterator[AlertProblem]:
    try:
        _window(times)
    except CalendarError as error:
        # Of the calendar that it becomes, the key stands after the number of the window.
        yield AlertProblem((*path, *error.path[2:3]), error.sentence)


def _window(times: QuietConfig | MaintenanceConfig) -> Calendar:
    plain = times.model_dump(by_alias=True, exclude_none=True)
    window = {key: plain[key] for key in ("from", "to", "weekdays") if key in plain}
    zone = {"timezone": times.timezone} if times.timezone is not None else {}
    return calendar_of_plain({"windows": [window], **zone})


def plan_of(
    section: AlertsSection,
    *,
    calendars: Calendars = BUILT_IN,
    ping_urls: Mapping[str, str] | None = None,
) -> AlertPlan:
    """Return what the section means; `ping_urls` are those that entries give themselves.

    The section has no `alert_problems`.
    """
    every = tuple(section.channels)
    rules = tuple(_rule(rule, index, every) for index, rule in enumerate(section.rules, 1))
    if section.channels and not rules:
        rules = (Rule(name=_DEFAULT_RULE, kinds=_DEFAULT_KINDS, channels=every),)
    heartbeat = section.heartbeat
    return AlertPlan(
        name=section.name or "",
        channels={name: _channel(name, of) for name, of in section.channels.items()},
        rules=rules,
        gather=_micro(section.gather_seconds),
        digest=_micro(section.digest_seconds),
        reminders=tuple(sorted(map(_micro, section.reminder_seconds))),
        most_messages=section.most_messages,
        parents={parent: tuple(tasks) for parent, tasks in section.parents.items()},
        maintenance=tuple(
            Maintenance(
                _tasks_of(times),
                _window(times) if times.calendar is None else calendars.named(times.calendar),
            )
            for times in section.maintenance
        ),
        expected={
            name: Expectation(_micro(of.every_seconds), _micro(of.grace_seconds))
            for name, of in section.expected.items()
        },
        pings=(*(ping_urls or {}).items(), *section.pings.items()),
        heartbeat=None
        if heartbeat is None
        else Heartbeat(heartbeat.url, _micro(heartbeat.every_seconds)),
        door=door_of(section.ping_in, section.expected),
    )


def secrets_of(section: AlertsSection) -> list[str]:
    """Return what is never to be shown of the section; references to secrets are not."""
    found: list[str | None] = []
    for channel in section.channels.values():
        if channel.mail is not None:
            found.append(channel.mail.password)
        if channel.webhook is not None:
            found += [channel.webhook.url, channel.webhook.signing_key]
            found += channel.webhook.headers.values()
        if channel.apprise is not None:
            found += channel.apprise.urls
    found += section.pings.values()
    return [text for text in found if text and "${secret:" not in text]


_DEFAULT_KINDS = frozenset(
    {
        AlertKind.FAILED,
        AlertKind.LATE,
        AlertKind.MISSED,
        AlertKind.UNRESOLVED,
        AlertKind.SILENT,
        AlertKind.FAULT,
    }
)


def _rule(rule: AlertRuleConfig, number: int, every: tuple[str, ...]) -> Rule:
    within = None
    if rule.failures is not None:
        within = (rule.failures, _micro(rule.within_seconds))
    return Rule(
        name=rule.name or f"rule {number}",
        kinds=frozenset(map(AlertKind, rule.on)),
        channels=every if rule.channels is None else tuple(rule.channels),
        tasks=_tasks_of(rule),
        in_a_row=rule.in_a_row,
        within=within,
        late=_micro(rule.late_seconds),
        overrun=None if rule.overrun_seconds is None else _micro(rule.overrun_seconds),
        most=_most(rule),
        is_recovery_told=rule.recovered,
        is_urgent=rule.urgent,
    )


def _most(rule: AlertRuleConfig) -> dict[str, float]:
    """Return what a run may use of each, where the rule says so."""
    names = ("memory_bytes", "cpu_seconds", "read_bytes", "written_bytes")
    return {name: most for name in names if (most := getattr(rule, name)) is not None}


def _tasks_of(of: AlertRuleConfig | MaintenanceConfig) -> tuple[str, ...]:
    """Return the patterns of its tasks, a tag as ``tag:NAME``."""
    named = of.tasks if "tasks" in of.model_fields_set or not of.tags else []
    return (*named, *(f"tag:{tag}" for tag in of.tags))


def _channel(name: str, of: ChannelConfig) -> Channel:
    quiet = None if of.quiet_hours is None else _window(of.quiet_hours)
    return Channel(name=name, target=_target(of), quiet=quiet)


def _target(of: ChannelConfig) -> Any:
    """Return what delivers; its module is imported where there is such a channel."""
    if of.mail is not None:
        return _mail_target(of.mail)
    if of.webhook is not None:
        from task_scheduler.alerts.channels.webhook import WebhookTarget

        hook = of.webhook
        return WebhookTarget(
            url=hook.url,
            form=hook.form,
            headers=hook.headers,
            signing_key=hook.signing_key,
            timeout_seconds=hook.timeout_seconds,
        )
    if of.command is not None:
        from task_scheduler.alerts.channels.program import ProgramTarget

        program = of.command
        return ProgramTarget(
            argv=tuple(program.argv), env=program.env, timeout_seconds=program.timeout_seconds
        )
    from task_scheduler.alerts.channels.apprise_urls import AppriseTarget

    assert of.apprise is not None
    return AppriseTarget(urls=tuple(of.apprise.urls))


def _mail_target(mail: MailConfig) -> Any:
    from task_scheduler.alerts.channels.mail import MailTarget, default_sender

    is_here = mail.host in ("localhost", "127.0.0.1", "::1")
    security = mail.security or ("none" if is_here else "starttls")
    ports = {"none": 25, "starttls": 587, "tls": 465}
    return MailTarget(
        host=mail.host,
        port=mail.port or ports[security],
        recipients=tuple(mail.to),
        sender=mail.sender or default_sender(),
        security=security,
        username=mail.username,
        password=mail.password,
        ca_file=None if mail.ca_file is None else str(mail.ca_file),
        timeout_seconds=mail.timeout_seconds,
    )


def _micro(seconds: float) -> Microseconds:
    return round(seconds * SECOND)
