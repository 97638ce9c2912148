"""The section `calendars` of a configuration.

Responsible for: the keys of a calendar, and making calendars of them. Files are read in
`calendar_files`; what a calendar means is the business of `schedules.calendars`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from task_scheduler.config.calendar_files import CalendarError, calendar_of_plain, read_calendar
from task_scheduler.config.home_paths import home_path
from task_scheduler.config.sections import Model, Text
from task_scheduler.i18n import translate
from task_scheduler.schedules.calendars.named_calendar import Calendar

__all__ = ["CalendarConfig", "WindowConfig", "calendar_of"]


def _weekends(value: Any) -> Any:
    if not isinstance(value, bool | str):
        raise PydanticCustomError("config.must_be_weekends", "no weekends")
    return value


class WindowConfig(Model):
    """A stretch of local time, of every week or once."""

    begin: Text = Field(alias="from")
    end: Text = Field(alias="to")
    weekdays: Text | None = None


class CalendarConfig(Model):
    """A calendar: a file, or what it covers."""

    file: Text | None = None
    country: Text | None = None
    weekends: Annotated[
        Any, BeforeValidator(_weekends), WithJsonSchema({"type": ["boolean", "string"]})
    ] = False
    days: list[Text] = Field(default_factory=list)
    workdays: list[Text] = Field(default_factory=list)
    windows: list[WindowConfig] = Field(default_factory=list)
    timezone: Text | None = None


def calendar_of(config: CalendarConfig, folder: Path) -> Calendar:
    """Return a calendar, its file read now, seen from `folder`; raises CalendarError."""
    plain = config.model_dump(by_alias=True, exclude_unset=True, exclude_none=True)
    name = plain.pop("file", None)
    if name is None:
        return calendar_of_plain(plain)
    beside = [key for key in plain if key != "timezone"]
    if beside:
        raise CalendarError((beside[0],), translate("config.calendar_file_alone", key=beside[0]))
    zone = calendar_of_plain(plain).timezone
    path = folder / home_path(name)
    found = read_calendar(path)
    if zone is not None and found.timezone is not None:
        sentence = translate("config.calendar_two_zones", path=str(path))
        raise CalendarError(("timezone",), sentence)
    return found if zone is None else replace(found, timezone=zone)
