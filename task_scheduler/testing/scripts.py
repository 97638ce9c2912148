"""Scripts: how long the attempts of a task take in a virtual world, and how they end.

Responsible for: what users write for that (a value, a sequence, a function of the run), checked
when it is written, and what the next attempt makes of it. Starts and ends nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from task_scheduler.core.model import SECOND, Microseconds, Outcome
from task_scheduler.errors import ConfigError, DefinitionError
from task_scheduler.i18n import translate

__all__ = ["Ending", "Script", "Scripts", "VirtualRun", "duration_of"]

_Value = TypeVar("_Value")
_Source = Callable[["VirtualRun"], Any]


@dataclass(frozen=True, slots=True)
class VirtualRun:
    """An attempt that begins, as a script's function sees it; `number` counts them from 0."""

    task_id: str
    run_id: int
    attempt: int
    number: int
    scheduled_at: datetime
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt goes: `duration` in microseconds, None where it never ends by itself."""

    duration: Microseconds | None
    outcome: Outcome
    error: str | None


class Script:
    """The attempts of one task: for each of them a duration, and an outcome if there is one."""

    def __init__(self, task_id: str, duration: Any, outcome: Any, *, listens: bool) -> None:
        self.listens = listens
        """Whether it ends at once when it is asked to, or when its time is over."""
        self._task_id = task_id
        self._outcome = None if outcome is None else self._source(outcome, self._outcome_of)
        self._duration = self._source(duration, duration_of)
        self.fixed: Ending | None = None
        """How every attempt goes, where no attempt needs to be asked about."""
        if not any(_is_asked(given) for given in (duration, outcome)):
            ends: tuple[Outcome, str | None] = (Outcome.SUCCEEDED, None)
            ends = ends if outcome is None else self._outcome_of(outcome)
            self.fixed = Ending(duration_of(duration), *ends)

    def duration(self, run: VirtualRun) -> Microseconds | None:
        """Return how long an attempt takes, in microseconds; None: it never ends by itself."""
        return duration_of(self._duration(run))

    def outcome(self, run: VirtualRun) -> tuple[Outcome, str | None] | None:
        """Return how an attempt ends, with its error; None where the script does not say."""
        return None if self._outcome is None else self._outcome_of(self._outcome(run))

    def _source(self, given: Any, check: Callable[[Any], object]) -> _Source:
        if callable(given):
            function: _Source = given
            return function
        if isinstance(given, list | tuple):
            if not given:
                raise DefinitionError("simulate.empty_script", task_id=self._task_id)
            for value in given:
                check(value)
            return _one_after_another(given)
        if isinstance(given, Iterator):
            return _one_after_another(given)
        check(given)
        return lambda _: given

    def _outcome_of(self, value: Any) -> tuple[Outcome, str | None]:
        """Return an outcome and its error from a word, a bool, an `Outcome` or an exception."""
        if isinstance(value, BaseException):
            return Outcome.FAILED, f"{type(value).__name__}: {value}"
        if isinstance(value, bool):
            value = Outcome.SUCCEEDED if value else Outcome.FAILED
        try:
            outcome = Outcome(value)
        except ValueError:
            raise DefinitionError(
                "simulate.bad_outcome",
                task_id=self._task_id,
                value=value,
                known=", ".join(Outcome),
            ) from None
        is_fine = outcome is Outcome.SUCCEEDED
        return outcome, None if is_fine else translate("simulate.scripted", outcome=str(outcome))


class Scripts:
    """The scripts of all tasks, by id or pattern; what is said later wins."""

    def __init__(self, duration: Any) -> None:
        self._default = ("*", {"duration": duration, "outcome": None, "listens": False})
        self._written: list[tuple[str, dict[str, Any]]] = []
        self._made: dict[str, Script] = {}
        Script("*", duration, None, listens=False)

    def write(self, pattern: str, **options: Any) -> None:
        """Script the tasks of an id or a pattern; raises DefinitionError for what cannot be."""
        Script(pattern, **options)
        self._written.append((pattern, options))
        self._made = {
            task_id: script
            for task_id, script in self._made.items()
            if not fnmatchcase(task_id, pattern)
        }

    def of(self, task_id: str) -> Script:
        """Return the script of a task: each task goes through a sequence by itself."""
        script = self._made.get(task_id)
        if script is None:
            # An id may hold what a pattern would mean by itself.
            fitting = (
                written
                for written in reversed(self._written)
                if written[0] == task_id or fnmatchcase(task_id, written[0])
            )
            _, options = next(fitting, self._default)
            script = self._made[task_id] = Script(task_id, **options)
        return script


def duration_of(value: Any) -> Microseconds | None:
    """Return a duration in microseconds: seconds, ``"40s"``, a timedelta; None for ever.

    ``math.inf`` is for ever. Raises DefinitionError for anything else.
    """
    from task_scheduler.config.amounts import parse_duration

    try:
        seconds = value.total_seconds() if isinstance(value, timedelta) else parse_duration(value)
        if seconds == math.inf:
            return None
        if not 0 <= seconds < 1e12:
            raise ConfigError("config.bad_duration")
    except ConfigError:
        raise DefinitionError("simulate.bad_duration", value=value) from None
    return round(seconds * SECOND)


def _is_asked(given: Any) -> bool:
    """Whether what was written may differ from one attempt to the next."""
    return callable(given) or isinstance(given, list | tuple | Iterator)


def _one_after_another(values: Iterable[_Value]) -> Callable[[VirtualRun], _Value]:
    """Return a source that gives one value an attempt, and after the last one that one again."""
    iterator = iter(values)
    last: list[_Value] = []

    def following(_: VirtualRun) -> _Value:
        for value in iterator:
            last[:] = [value]
            break
        if not last:
            raise DefinitionError("simulate.empty_script", task_id=_.task_id)
        return last[0]

    return following
