"""The rules that a program gives a task: as objects, or by keywords.

Responsible for: reading `add_task`'s arguments, telling the keywords of time from those of a task,
and the plain form under which a rule is stored. What a rule may be is `schedules.rule`'s business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from task_scheduler.core.model import Microseconds
from task_scheduler.core.policies import ALIASES, POLICY_KEYS
from task_scheduler.errors import ScheduleError
from task_scheduler.ledger_view import USER_RULE
from task_scheduler.schedules.instants import instant_of
from task_scheduler.schedules.keywords import rules_from
from task_scheduler.schedules.rule import ScheduleRule, describe, to_plain
from task_scheduler.schedules.zones import local_zone

__all__ = ["Rules", "moment_of", "plain_of", "rules_of", "without_times"]

Rules: TypeAlias = ScheduleRule | Sequence[ScheduleRule] | None

_OPTIONS = frozenset((*POLICY_KEYS, *ALIASES, "args", "kwargs", "description"))


def rules_of(given: Rules, **times: Any) -> tuple[ScheduleRule, ...]:
    """Return the rules of a task: the given one or ones, or those of the keywords; perhaps none.

    Raises ScheduleError for what is neither, and for both at once.
    """
    if isinstance(given, ScheduleRule) and not times:
        return (given,)
    if given is None:
        return rules_from(**times)
    named = [name for name, value in times.items() if value is not None]
    if named:
        raise ScheduleError("runtime.rule_and_keyword", names=", ".join(named))
    rules: object = (given,) if isinstance(given, ScheduleRule) else given
    if not isinstance(rules, list | tuple):
        raise ScheduleError("runtime.no_rule", value=given)
    for rule in rules:
        if not isinstance(rule, ScheduleRule):
            raise ScheduleError("runtime.no_rule", value=rule)
    return tuple(rules)


def moment_of(given: object) -> Microseconds:
    """Return the moment of a datetime or an ISO 8601 text; a naive one is in the machine's zone.

    Raises ScheduleError for anything else.
    """
    try:
        moment = given if isinstance(given, datetime) else datetime.fromisoformat(str(given))
        return instant_of(moment, local_zone().tz)
    except (ValueError, OverflowError):
        raise ScheduleError("runtime.bad_moment", value=given) from None


def without_times(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part the keywords of a function task from those of its times: return both, the task's first.

    What is neither is taken for a time that was mistyped: its error names both kinds.
    """
    times = {name: value for name, value in options.items() if name not in _OPTIONS}
    return {name: value for name, value in options.items() if name not in times}, times


def plain_of(rule: ScheduleRule) -> dict[str, Any]:
    """Return the form under which a rule is stored.

    The code of a user's own rule cannot be stored: what is shown of it is kept, and tells a
    changed rule from the same.
    """
    plain = to_plain(rule)
    if plain is not None:
        return plain
    return {"type": USER_RULE, "class": type(rule).__qualname__, "description": describe(rule)}
