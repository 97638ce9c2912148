"""`Config`: the configuration of one scheduler, from wherever it comes, and its changes.

Responsible for: putting the layers together, holding the last values that were right, and telling
subscribers of new ones. Does not know what subscribers do with them.
"""

from __future__ import annotations

import copy
import os
import threading
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from task_scheduler.config.calendar_files import CalendarError
from task_scheduler.config.calendars import calendar_of
from task_scheduler.config.checks import Checked, Read, checked, entry_problem
from task_scheduler.config.entries import Declared, Folders
from task_scheduler.config.entry_times import EntryError
from task_scheduler.config.files import ConfigFiles, read_files
from task_scheduler.config.home_paths import home_path
from task_scheduler.config.layers import (
    Layer,
    Merged,
    environment_layer,
    mapping_layer,
    merge,
    options_layer,
    plain_copy,
)
from task_scheduler.config.live import LiveMapping
from task_scheduler.config.problems import KeyPath, Place, Problem, dotted, error_of
from task_scheduler.config.references import References
from task_scheduler.config.settings import NAMED_SECTIONS, SECTIONS, Settings, plain_defaults
from task_scheduler.config.source import default_file
from task_scheduler.core.model import Policies
from task_scheduler.core.policies import policies_from
from task_scheduler.errors import ConfigError
from task_scheduler.i18n import translate
from task_scheduler.schedules.calendars.registry import Calendars

__all__ = ["Config"]

Source = str | os.PathLike[str] | Mapping[str, Any] | None


class Config:
    """Checked settings, and the mapping through which they change while the scheduler runs.

    Make one with `Config.load`. `config` is that mapping, nested as in the file; `settings` is what
    it means, and is replaced by every change. Both may be used from any thread.
    """

    def __init__(
        self,
        source: Source,
        *,
        options: Mapping[str, Any],
        environ: Mapping[str, str],
        folder: Path,
    ) -> None:
        # Copies: `reload` is to find what was given at first.
        self._source = plain_copy(source) if isinstance(source, Mapping) else source
        self._options = dict(options)
        self._environ = dict(environ)
        self._lock = threading.RLock()
        self._subscribers: list[Callable[[Settings], None]] = []
        self.path: Path | None = self._find(folder)
        self.folder: Path = folder if self.path is None else self.path.parent
        self.files = ConfigFiles()
        """What was read last, whether it was right or not."""
        self._merged, self._settings, self._calendars = self._read()
        self._policies: tuple[Settings | None, Policies] = None, Policies()

    @classmethod
    def load(
        cls,
        source: Source = None,
        *,
        options: Mapping[str, Any] | None = None,
        environ: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> Config:
        """Return the configuration: defaults < file < environment < options.

        `source` is a file (JSON, TOML, YAML or Python, by its suffix), or its content as a mapping;
        None reads ``scheduler_config.json``, ``.toml`` or ``.yaml`` in `folder`, the current one by
        default, if there is one. Raises ConfigError that lists
        everything that is wrong, each with its place.
        """
        return cls(
            source,
            options=options or {},
            environ=os.environ if environ is None else environ,
            folder=Path.cwd() if folder is None else folder.absolute(),
        )

    @property
    def settings(self) -> Settings:
        """Return the settings of the moment; a frozen value."""
        return self._settings

    @property
    def config(self) -> MutableMapping[str, Any]:
        """Return the live mapping: a change that is wrong raises ConfigError and changes nothing.

        An assigned section is laid over its defaults.
        """
        return LiveMapping(self)

    @property
    def calendars(self) -> Calendars:
        """Return the calendars that rules may name; a frozen value, made when they were read."""
        return _registry_of(self._calendars)

    @property
    def policies(self) -> Policies:
        """Return the policies of tasks that do not give their own."""
        settings, policies = self._policies
        if settings is not self._settings:
            settings = self._settings
            policies = policies_from(settings.tasks.model_dump(), Policies())
            # Asked for by every task that is added.
            self._policies = settings, policies
        return policies

    def subscribe(self, callback: Callable[[Settings], None]) -> None:
        """Have a callback called with each new settings, in the thread that made the change."""
        with self._lock:
            self._subscribers.append(callback)

    def reload(self) -> None:
        """Read the same source again, with the same environment and options.

        Changes made through `config` are gone then. Raises ConfigError if it is wrong now, or
        declares a task that cannot be made, and keeps what it had.
        """
        with self._lock:
            merged, settings, calendars = self._read()
            self._declared(merged, settings, calendars)
            self._adopt(merged, settings, calendars)

    def again(self) -> Config:
        """Return what the same source says now, beside this one, which stays as it is.

        Raises ConfigError.
        """
        source: Source = self.path
        if source is None:
            source = self._source if isinstance(self._source, Mapping) else {}
        found = Config(source, options=self._options, environ=self._environ, folder=self.folder)
        self.files = found.files
        return found

    def adopt(self, other: Config) -> None:
        """Take over what another one, made by `again`, says; subscribers are told."""
        with self._lock:
            self._adopt(other._merged, other._settings, other._calendars)

    def kept(self) -> Callable[[], None]:
        """Return what puts everything back as it is now; subscribers are told then."""
        state = self._merged, self._settings, self._calendars

        def put_back() -> None:
            with self._lock:
                self._adopt(*state)

        return put_back

    def references_of(self, task_id: str) -> Mapping[KeyPath, str]:
        """Return the values of an entry that were made of references, as they are written."""
        return self._merged.references_in(("entries", task_id))

    def reread_calendars(self) -> list[str]:
        """Read the files of calendars again; return what is wrong with them now, with the place.

        A file that is gone or wrong leaves the calendar that was read last. Subscribers are told
        where a calendar changed.
        """
        sentences = []
        with self._lock:
            read = dict(self._calendars)
            for name, (config, _) in self._calendars.items():
                try:
                    read[name] = config, calendar_of(config, self.folder)
                except CalendarError as error:
                    key = dotted(("calendars", name, *error.path))
                    label = error.place.label if error.place else self._name()
                    sentences.append(str(Problem(Place(label), key, error.sentence)))
            self._adopt(self._merged, self._settings, read)
        return sentences

    def declared(self, *, is_code_needed: bool = True) -> list[Declared]:
        """Return the declared tasks; their functions are imported now.

        Raises ConfigError that lists every entry that cannot be made, with its place. Unless code
        is needed, a function that cannot be imported is none: its task is there and cannot run.
        """
        with self._lock:
            merged, settings, calendars = self._merged, self._settings, self._calendars
        return self._declared(merged, settings, calendars, is_code_needed=is_code_needed)

    def plain(self) -> Mapping[str, Any]:
        """Return the values behind `config`; they are not to be changed."""
        return self._merged.values

    def assign(self, path: KeyPath, values: Mapping[str, Any]) -> None:
        """Set keys of the mapping at a path of `config`, all or none; raises ConfigError."""
        given: dict[str, Any] = plain_copy(values)
        with self._lock:
            base = copy.deepcopy(self._merged.values)
            if not path:
                # A section is replaced whole, as in any dict; what it leaves out is the default.
                base.update((key, plain_defaults()[key]) for key in given if key in base)
            elif path[0] in SECTIONS or len(path) == 1:
                given = {str(path[0]): given}
            else:
                holder: Any = base
                for part in path:
                    holder = holder[part]
                holder.update(given)
                given = {}
            self._change(base, given)

    def remove(self, path: KeyPath) -> None:
        """Remove an entry or a calendar, or a key of one; sections stay. Raises ConfigError."""
        if path[0] not in NAMED_SECTIONS or len(path) == 1:
            place = mapping_layer({}, translate("config.live")).place(path, False)
            sentence = translate("config.cannot_remove", key=dotted(path))
            problem = Problem(place, dotted(path), sentence)
            raise error_of([problem], source=self._name())
        with self._lock:
            base = copy.deepcopy(self._merged.values)
            holder: Any = base
            for part in path[:-1]:
                holder = holder[part]
            del holder[path[-1]]
            self._change(base, {})

    def _declared(
        self, merged: Merged, settings: Settings, read: Read, *, is_code_needed: bool = True
    ) -> list[Declared]:
        folders = Folders(self.folder, settings.logging.log_dir)
        calendars = _registry_of(read)
        found: list[Declared] = []
        problems: list[Problem] = []
        for task_id, entry in settings.entries.items():
            try:
                declared = entry.declare(task_id, folders, calendars, is_code_needed=is_code_needed)
                found.append(declared)
            except EntryError as error:
                problems.append(entry_problem(merged, task_id, error))
        if problems:
            raise error_of(problems, source=self._name())
        return found

    def _change(self, base: dict[str, dict[str, Any]], given: Mapping[str, Any]) -> None:
        label = translate("config.live")
        merged = merge([mapping_layer(base, label), mapping_layer(given, label)])
        # The files of calendars are read when the configuration is, not whenever a key changes.
        self._adopt(merged, *self._checked(merged, self._calendars))

    def _adopt(self, merged: Merged, settings: Settings, calendars: Read) -> None:
        is_new = settings != self._settings or calendars != self._calendars
        self._merged, self._settings, self._calendars = merged, settings, calendars
        if is_new:
            for callback in list(self._subscribers):
                callback(settings)

    def _find(self, folder: Path) -> Path | None:
        """Return the file to read; None if there is none to be read."""
        if isinstance(self._source, Mapping):
            return None
        if self._source is None:
            return default_file(folder)
        is_path = isinstance(self._source, str | os.PathLike)
        name = os.fspath(self._source) if is_path else None
        if not isinstance(name, str) or not name:
            raise ConfigError("config.bad_source", value=repr(self._source))
        return folder / home_path(name)

    def _read(self) -> tuple[Merged, Settings, Read]:
        references = References(self._environ, self.folder)
        layers: list[Layer] = [mapping_layer(plain_defaults(), translate("config.defaults"))]
        if isinstance(self._source, Mapping):
            label = translate("config.given_mapping")
            layers.append(mapping_layer(self._source, label, references))
        elif self.path is not None:
            self.files = read_files(self.path, self._environ)
            layers.extend(self.files.layers)
        layers.append(environment_layer(self._environ))
        layers.append(options_layer(self._options, references))
        merged = merge(layers)
        return merged, *self._checked(merged, {})

    def _checked(self, merged: Merged, read: Read) -> tuple[Settings, Read]:
        found: Checked = checked(merged, self.folder, read)
        if found.settings is None:
            raise error_of(found.problems, source=self._name())
        return found.settings, found.calendars

    def _name(self) -> str:
        return translate("config.configuration") if self.path is None else str(self.path)


def _registry_of(read: Read) -> Calendars:
    return Calendars({name: calendar for name, (_, calendar) in read.items()})
