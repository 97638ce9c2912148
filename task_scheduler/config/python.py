"""The section `python`, and the same wishes of a script's entry.

Responsible for: their types, bounds and defaults. What a warm start is stands in `docs/warm.md`.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from task_scheduler.config.sections import Model, Seconds
from task_scheduler.errors import DefinitionError
from task_scheduler.executors.warm_starts import WarmLimits
from task_scheduler.tasks.python_wish import python_wish_of
from task_scheduler.warm_rules import WarmRules

__all__ = ["PythonKeys", "PythonSection"]

_DAY = 86_400


def _modules(value: Any) -> Any:
    try:
        return value if value is None else python_wish_of("", {"preload": value})["preload"]
    except DefinitionError as error:
        raise PydanticCustomError("config.must_be_modules", "no modules") from error


_Module = Annotated[str, Field(pattern=r"^[^\W\d]\w*(\.[^\W\d]\w*)*$")]


class PythonKeys(Model):
    """What the script of one entry asks for."""

    warm: bool | None = None
    preload: Annotated[list[_Module] | None, BeforeValidator(_modules)] = None


class PythonSection(Model):
    """How scripts of Python are started."""

    warm: bool = False
    """Whether they are forked from an interpreter that has been started before."""
    preload: Annotated[list[_Module], BeforeValidator(_modules)] = Field(default_factory=list)
    """The modules that it has loaded."""
    recycle_runs: Annotated[int, Field(ge=1, le=1_000_000)] = 1_000
    """After so many runs another one takes its place."""
    recycle_seconds: Annotated[float, Field(ge=1, le=7 * _DAY), Seconds] = 3_600
    """After so long, or so long without a run, too."""

    def rules(self) -> WarmRules:
        """Return the section as the scheduler uses it."""
        return WarmRules(
            is_warm=self.warm,
            preload=tuple(self.preload),
            limits=WarmLimits(self.recycle_runs, self.recycle_seconds),
        )
