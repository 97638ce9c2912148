"""The confinement that a task asks for: as whom, with how much, over which network.

Responsible for: the options of a task in one checked, plain form, which is stored with it. Does not
know what this machine offers, nor the defaults of the configuration: see `launch_guard`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from typing import Any

from task_scheduler.errors import DefinitionError

__all__ = ["LIMIT_NAMES", "OPTIONS", "confinement_of", "names_secret", "ports_of", "take_options"]

OPTIONS = ("user", "group", "umask", "nice", "limits", "network", "no_new_privileges")
"""The keywords of tasks that run in a process; `ScriptTask` has `sha256` too."""
LIMIT_NAMES = (
    "cpu_seconds", "memory_bytes", "open_files", "processes", "file_size_bytes", "cpu_percent",
)  # fmt: skip

_DIGEST = re.compile(r"[0-9a-fA-F]{64}")
_OCTAL = re.compile(r"0?o?[0-7]{1,4}")
_PORT = re.compile(r":?(?P<first>[0-9]{1,5})(-(?P<last>[0-9]{1,5}))?")
_MOST_PORTS = 1_000
_LARGEST = 1 << 62


def take_options(
    keywords: MutableMapping[str, Any], *, more: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Take the options of a confinement out of the keywords of a task; None is not given."""
    found = {name: keywords.pop(name) for name in (*OPTIONS, *more) if name in keywords}
    return {name: value for name, value in found.items() if value is not None}


def confinement_of(task_id: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options as plain JSON data; raises DefinitionError, which says what one may be."""
    return {name: _CHECKS[name](task_id, value) for name, value in options.items()}


def ports_of(rules: list[str]) -> list[int]:
    """Return the ports of rules such as ``443``, ``:443`` and ``8000-8010``; sorted, each once.

    Raises ValueError with the first rule that is not one: a host, for one.
    """
    ports: set[int] = set()
    for rule in rules:
        match = _PORT.fullmatch(rule.strip())
        first = int(match["first"]) if match else 0
        last = int(match["last"] or first) if match else 0
        if not 1 <= first <= last <= 65_535 or last - first >= _MOST_PORTS:
            raise ValueError(rule)
        ports |= set(range(first, last + 1))
    return sorted(ports)


def names_secret(text: str) -> bool:
    """Whether a text refers to a secret: where everybody can read it, it must not."""
    return "${secret:" in text or "${secret-file:" in text


def _account(name: str) -> Any:
    def check(task_id: str, value: object) -> str | int:
        is_number = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        is_name = isinstance(value, str) and value.strip() == value != "" and ":" not in value
        if not (is_number or is_name):
            raise DefinitionError(
                "confinement.bad_account", task_id=task_id, name=name, value=value
            )
        return value  # type: ignore[return-value]

    return check


def _umask(task_id: str, value: object) -> int:
    """Return the bits; text is octal, as everywhere where such masks are written."""
    if isinstance(value, str) and _OCTAL.fullmatch(value):
        value = int(value.replace("o", ""), 8)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 0o777:
        raise DefinitionError("confinement.bad_umask", task_id=task_id, value=value)
    return value


def _nice(task_id: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not -20 <= value <= 19:
        raise DefinitionError("confinement.bad_nice", task_id=task_id, value=value)
    return value


def _limits(task_id: str, value: object) -> dict[str, int]:
    if not isinstance(value, Mapping):
        raise DefinitionError("confinement.bad_limits", task_id=task_id, value=value)
    for name, most in value.items():
        if name not in LIMIT_NAMES:
            known = ", ".join(LIMIT_NAMES)
            raise DefinitionError(
                "confinement.unknown_limit", task_id=task_id, name=name, known=known
            )
        if not isinstance(most, int) or isinstance(most, bool) or not 1 <= most <= _LARGEST:
            raise DefinitionError("confinement.bad_limit", task_id=task_id, name=name, value=most)
    return dict(value)


def _network(task_id: str, value: object) -> str | dict[str, list[str]]:
    if value in ("all", "none", "loopback"):
        return str(value)
    if (
        isinstance(value, Mapping)
        and set(value) == {"tcp"}
        and isinstance(value["tcp"], list | tuple)
    ):
        rules = [str(rule) for rule in value["tcp"]]
        try:
            ports_of(rules)
        except ValueError as error:
            raise DefinitionError(
                "confinement.bad_rule", task_id=task_id, rule=str(error)
            ) from None
        return {"tcp": rules}
    raise DefinitionError("confinement.bad_network", task_id=task_id, value=value)


def _flag(task_id: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise DefinitionError("confinement.bad_flag", task_id=task_id, value=value)
    return value


def _digest(task_id: str, value: object) -> str:
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise DefinitionError("confinement.bad_digest", task_id=task_id, value=value)
    return value.lower()


_CHECKS: Mapping[str, Any] = {
    "user": _account("user"),
    "group": _account("group"),
    "umask": _umask,
    "nice": _nice,
    "limits": _limits,
    "network": _network,
    "no_new_privileges": _flag,
    "sha256": _digest,
}
