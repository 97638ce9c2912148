"""The section `monitoring`: where metrics and traces go.

Responsible for: its keys, what pydantic cannot see of what is wrong with them, and the plans that
they mean. Serving and sending is `observe`'s.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError

from task_scheduler.config.alerts import Url
from task_scheduler.config.problems import KeyPath
from task_scheduler.config.sections import Model, Seconds, Text, absolute
from task_scheduler.core.model import SECOND
from task_scheduler.i18n import translate

if TYPE_CHECKING:
    from task_scheduler.observe.exporter import ExportPlan
    from task_scheduler.observe.tracing import TracePlan

__all__ = [
    "MetricsConfig",
    "MonitoringProblem",
    "MonitoringSection",
    "TracesConfig",
    "export_plan_of",
    "monitoring_keys",
    "monitoring_problems",
    "monitoring_secrets_of",
    "trace_plan_of",
]

_PORTS = range(65_536)
_REFERENCE = "${secret:"
_OTEL = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


class MonitoringProblem(NamedTuple):
    """Something that is wrong: the key within the section, and a sentence."""

    path: KeyPath
    sentence: str


def _listen(value: Any) -> Any:
    try:
        address_of(value)
    except (TypeError, ValueError) as error:
        raise PydanticCustomError("config.must_be_listen", "no address") from error
    return value


def _file(value: Any, info: ValidationInfo) -> Any:
    return None if value is None else absolute(value, info)


def address_of(text: str) -> tuple[str, int]:
    """Return host and port of ``127.0.0.1:9464``, ``[::1]:9464``, ``name:9464``.

    Raises ValueError for anything else; all addresses of a machine have to be asked for as such.
    """
    host, colon, port = text.rpartition(":")
    if not (colon and port.isascii() and port.isdigit() and int(port) in _PORTS):
        raise ValueError(text)
    if host.startswith("["):
        return str(ipaddress.IPv6Address(host.removeprefix("[").removesuffix("]"))), int(port)
    if not host or ":" in host or not host.isprintable() or any(mark in host for mark in " /@"):
        raise ValueError(text)
    return host, int(port)


_Listen = Annotated[
    str,
    BeforeValidator(lambda value: None if value is None else _listen(value)),
    WithJsonSchema({"type": "string", "pattern": r"^(\[[0-9a-fA-F:.]+\]|[^\s:/@]+):[0-9]{1,5}$"}),
]
_File = Annotated[Path | None, BeforeValidator(_file)]


class MetricsConfig(Model):
    """The metrics, for Prometheus to fetch."""

    listen: _Listen | None = "127.0.0.1:9464"
    """None: nowhere, only a file."""
    token: Text | None = None
    """What a request has to carry as ``Authorization: Bearer``."""
    file: _File = None
    """For a text-file collector."""
    file_interval_seconds: Annotated[float, Field(ge=1, le=3_600), Seconds] = 15
    task_limit: Annotated[int, Field(ge=1, le=10_000)] = 500
    """Tasks with series of their own."""


class TracesConfig(Model):
    """Traces, for an OpenTelemetry collector."""

    endpoint: Url | None = None
    """None: as the variables ``OTEL_EXPORTER_OTLP_...`` say, else this machine."""
    headers: dict[str, str] = Field(default_factory=dict)
    sample_ratio: Annotated[float, Field(ge=0, le=1)] = 1
    service_name: Text | None = None
    timeout_seconds: Annotated[float, Field(ge=0.1, le=60), Seconds] = 10


class MonitoringSection(Model):
    """Where metrics and traces go; neither unless it is given."""

    metrics: MetricsConfig | None = None
    traces: TracesConfig | None = None


def monitoring_keys(path: KeyPath) -> list[str]:
    """Return the keys that may stand where a path of the section ends."""
    models: Mapping[str, type[Model]] = {"metrics": MetricsConfig, "traces": TracesConfig}
    return list(models.get(str(path[-2]), MonitoringSection).model_fields)


def monitoring_problems(section: MonitoringSection) -> Iterator[MonitoringProblem]:
    """Yield what is wrong although each key by itself is right; paths within the section."""
    if section.traces is not None and not _is_installed():
        yield MonitoringProblem(("traces",), translate("config.otel_missing"))


def export_plan_of(
    section: MonitoringSection, reveal: Callable[[str], str] = str
) -> ExportPlan | None:
    """Return where metrics go; None where nobody asked. `reveal` replaces references to secrets."""
    from task_scheduler.observe.exporter import ExportPlan  # sockets are not for everybody

    given = section.metrics
    if given is None:
        return None
    return ExportPlan(
        listen=None if given.listen is None else address_of(given.listen),
        token=None if given.token is None else reveal(given.token),
        file=given.file,
        file_interval=round(given.file_interval_seconds * SECOND),
    )


def trace_plan_of(
    section: MonitoringSection, reveal: Callable[[str], str] = str
) -> TracePlan | None:
    """Return where traces go; None where nobody asked."""
    given = section.traces
    if given is None:
        return None
    from task_scheduler.observe.tracing import TracePlan  # an extra

    return TracePlan(
        endpoint=None if given.endpoint is None else reveal(given.endpoint),
        headers={name: reveal(value) for name, value in given.headers.items()},
        sample_ratio=given.sample_ratio,
        service_name=given.service_name,
        timeout_seconds=given.timeout_seconds,
    )


def monitoring_secrets_of(section: MonitoringSection) -> list[str]:
    """Return what is never to be shown of the section; references to secrets are not."""
    found: list[str] = []
    if section.metrics is not None and section.metrics.token is not None:
        found.append(section.metrics.token)
    if section.traces is not None:
        found += section.traces.headers.values()
    return [text for text in found if _REFERENCE not in text]


def _is_installed() -> bool:
    try:
        return all(find_spec(name) is not None for name in _OTEL)
    except ModuleNotFoundError:
        return False
