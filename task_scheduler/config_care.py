"""What users do with the configuration: see what it would change, take it up, read it again.

Responsible for: that part of the facade, and that what is wrong changes nothing: the last good
configuration stays in force, and the status, the log and the events tell of it. What a plan is
stands in `declaration_plan`, what the ledger does with it in `core.declarations`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from task_scheduler.bindings import Bindings
from task_scheduler.config_watch import ConfigWatch, Watched
from task_scheduler.control import ask
from task_scheduler.core.additions import refuse_unknown_pools
from task_scheduler.core.chains import refuse_circles
from task_scheduler.core.declarations import DECLARED
from task_scheduler.core.entries import StoredEntry
from task_scheduler.core.events import ConfigDrifted, ConfigRefused, ConfigTaken
from task_scheduler.core.faults import FaultKind, Trouble
from task_scheduler.core.inbox import AddEntries, DeclareEntries
from task_scheduler.core.model import Entry
from task_scheduler.declaration_plan import (
    Base,
    Change,
    ChangeKind,
    Plan,
    counts_of,
    first_runs,
    plan_of,
)
from task_scheduler.errors import ConfigError, TaskSchedulerError
from task_scheduler.facade_part import FacadePart
from task_scheduler.ledger_view import iso
from task_scheduler.observe.logs import LOGGER_NAME
from task_scheduler.registration import Registration, Wanted, without_collecting
from task_scheduler.tasks.function import FunctionTask, MissingFunction
from task_scheduler.tasks.registry import EntryMaker

if TYPE_CHECKING:
    from task_scheduler.config import Config

__all__ = ["ConfigCare"]

_log = logging.getLogger(LOGGER_NAME)

_PAGE = 2_000
_WHOLE = 10_000
"""Changed tasks up to which a configuration is one commit."""
_PART = 5_000
_HIDDEN = "***"
"""Stands for a value that may be a secret."""


@dataclass(frozen=True, slots=True)
class _Read:
    """What a configuration declares, beside what the ledger holds."""

    declared: Registration
    live: Mapping[str, StoredEntry]
    plan: Plan


class ConfigCare(FacadePart):
    """The part of `TaskScheduler` for its configuration."""

    _bindings: Bindings
    _open_logs: Callable[[], None]

    def _prepare_config(self) -> None:
        """Have what is wrong with the configuration shown, and answer other processes."""
        self._config_turn = threading.Lock()
        self._config_trouble = ""
        self._runtime.vigil.add_probe(FaultKind.CONFIG_REFUSED, self._config_fault)
        self._runtime.on_request("reload", self.reload)
        self._runtime.on_request("plan", self.plan_declared)
        self._runtime.on_request("config", self._config_here)

    def plan_declared(self) -> dict[str, Any]:
        """Return what taking up the configuration, as it is in its file now, would change.

        ``changes``: each with ``kind`` (``add``, ``restore``, ``change``, ``replace``, ``archive``,
        ``drift``), ``task_id``, ``name``, ``fields`` (``key``, ``before``, ``after``, ``is_edit``),
        ``first_runs`` under each new rule (``rule``, ``at``) and, of one that was edited,
        ``edited`` (``at``, ``actor``). ``fingerprint`` is of the files. Raises ConfigError.
        """
        config = self.config.again()
        read = self._compare(config)
        changes = [self._shown(change, read, config) for change in read.plan.changes]
        path = None if config.path is None else str(config.path)
        return {"config": path, "fingerprint": config.files.fingerprint, "changes": changes}

    def ask_plan(self) -> dict[str, Any]:
        """Return what `plan_declared` answers in the process that runs the ledger.

        That one has its own environment and its own time. Raises what that one raises.
        """
        found: dict[str, Any] = ask(self.files.socket, "plan")
        return found

    def ask_reload(
        self, *, overwrite: bool = False, fingerprint: str | None = None
    ) -> dict[str, int]:
        """Have the process that runs the ledger do what `reload` does; raises what it raises."""
        done: dict[str, int] = ask(
            self.files.socket, "reload", overwrite=overwrite, fingerprint=fingerprint
        )
        return done

    def ask_config(self) -> str | None:
        """Return the path of the configuration that the process has which runs the ledger."""
        found: dict[str, Any] = ask(self.files.socket, "config")
        path: str | None = found["path"]
        return path

    def reload(self, *, overwrite: bool = False, fingerprint: str | None = None) -> dict[str, int]:
        """Read the configuration again and take up what it declares.

        What was edited since it was declared stays so, unless `overwrite` or its declaration has
        changed. Raises ConfigError, with the last good configuration kept; also where `fingerprint`
        is given and the files are not those any more.
        """
        path = str(self.config.path or "")
        with self._config_turn:
            put_back = self.config.kept()
            try:
                found = self.config.again()
                if fingerprint in (None, found.files.fingerprint):
                    self.config.adopt(found)
                    done = self._take_up(overwrite=overwrite)
            except BaseException as error:
                put_back()
                if isinstance(error, TaskSchedulerError):
                    self._refuse_config(path, error)
                raise
            if fingerprint not in (None, found.files.fingerprint):
                # It may be right: it is only not what was shown.
                raise ConfigError("config.changed_meanwhile", path=path)
            self._config_trouble = ""
        return done

    def apply_declared(self, *, overwrite: bool = False) -> dict[str, int]:
        """Bring the ledger in line with the tasks that the configuration declares.

        Tasks that it declares no more are archived with their history, and have it again when they
        are declared again. What was edited since stays so unless `overwrite`. A function that
        cannot be imported stops no other task: a warning tells it. Returns how many tasks are
        declared (``added``) and went (``removed``), and of those how many are ``new``, ``changed``,
        ``restored``, ``archived`` and, left as they were edited, ``drifted``.
        """
        with self._config_turn:
            return self._take_up(overwrite=overwrite)

    def watch_config(self, changed: Callable[[], None]) -> ConfigWatch | None:
        """Call `changed` after each change of the configuration's files, from a thread of its own.

        None: there are none, or ``scheduler.watch_config`` says that nobody is to look.
        """
        config = self.config
        if config.path is None or not config.settings.scheduler.watch_config:
            return None
        watch = ConfigWatch(lambda: Watched(config.files.paths, config.files.patterns), changed)
        if config.files.is_changed():
            # Since it was read, and before anybody looked.
            changed()
        return watch

    # -- taking up ------------------------------------------------------------------------------

    def _take_up(self, *, overwrite: bool) -> dict[str, int]:
        self._open_logs()
        # What an older release wrote is brought up to date before it is read.
        self._runtime.execute(AddEntries(entries=[]))
        read = self._compare(self.config)
        plan = read.plan
        for warning in read.declared.warnings:
            _log.warning(warning)
        kept = set() if overwrite else set(plan.ids(ChangeKind.DRIFT))
        taken = plan.taken(overwrite=overwrite)
        archived = plan.ids(ChangeKind.ARCHIVE)
        found = read.declared
        rows = [
            row
            for row in zip(found.entries, found.tasks, found.rules, strict=True)
            if row[0].task_id not in kept
        ]
        undo = self._bindings.bind_all(
            [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]
        )
        try:
            self._declare([row[0] for row in rows if row[0].task_id in taken], archived, found)
        except BaseException:
            undo()
            raise
        for task_id in archived:
            self._bindings.unbind(task_id)
        counts = counts_of(plan, overwrite=overwrite)
        self._tell_taken(counts, sorted(kept))
        return {"added": len(found.entries), "removed": len(archived), **counts}

    def _declare(
        self, entries: Sequence[Entry], archived: Sequence[str], found: Registration
    ) -> None:
        """Have the engine write it: up to some thousands in one commit, more in parts."""
        functions = [task.func for task in found.tasks if isinstance(task, FunctionTask)]
        missing = [f.reference for f in functions if isinstance(f, MissingFunction)]
        size = len(entries) if len(entries) <= _WHOLE else _PART
        if len(entries) > size:
            refuse_unknown_pools(entries, self.config.settings.pools)
            refuse_circles(entries, self._reader.fetch)
        for start in range(0, len(entries), size or 1):
            is_last = start + size >= len(entries)
            part = entries[start : start + size]
            gone = archived if is_last else ()
            self._runtime.execute(DeclareEntries(entries=part, archived=gone, missing=missing))
        if not entries and archived:
            self._runtime.execute(DeclareEntries(entries=(), archived=archived))

    def _tell_taken(self, counts: Mapping[str, int], drifted: Sequence[str]) -> None:
        names = ("changed", "restored", "archived")
        if counts["new"] or any(counts[name] for name in names):
            path = str(self.config.path or "")
            told = {name: counts[name] for name in names}
            self._runtime.tell(ConfigTaken(path=path, added=counts["new"], **told))
        if drifted:
            self._runtime.tell(ConfigDrifted(tuple(drifted)))

    # -- comparing ------------------------------------------------------------------------------

    def _compare(self, config: Config) -> _Read:
        """Return what a configuration declares and what that would change."""
        declared = config.declared(is_code_needed=False)
        rules = [d.rules if d.is_enabled else () for d in declared]
        wanted = Wanted([d.task for d in declared], list(rules))
        maker = EntryMaker(config.policies, origin=DECLARED)
        with without_collecting(len(declared)):
            found = Registration(wanted, maker=maker, guard=self._guard, calendars=config.calendars)
        bases = self._bases()
        ids = {entry.task_id for entry in found.entries}
        if config.path is not None:
            # A configuration that a program gave as a dict says nothing of other tasks.
            ids |= {*self.view.ids_from(DECLARED), *bases}
        live = self._live(sorted(ids))
        return _Read(found, live, plan_of(found.entries, live, bases))

    def _bases(self) -> dict[str, Base]:
        """Return what was declared of each task last."""
        bases: dict[str, Base] = {}
        after = ""
        while rows := self._reader.fetch("list_declared", after=after, limit=_PAGE):
            bases.update((row[0], Base(*row[1:])) for row in rows)
            after = rows[-1][0]
        return bases

    def _live(self, ids: Sequence[str]) -> dict[str, StoredEntry]:
        live: dict[str, StoredEntry] = {}
        for start in range(0, len(ids), _PAGE):
            rows = self._reader.fetch("load_entries", ids=list(ids[start : start + _PAGE]))
            live.update((row[0], StoredEntry(row)) for row in rows)
        return live

    def _shown(self, change: Change, read: _Read, config: Config) -> dict[str, Any]:
        """Return a change as JSON data; what a reference stands for is not told."""
        hidden = {
            ".".join(map(str, path)): text
            for path, text in config.references_of(change.task_id).items()
        }
        fields = []
        for field in change.fields:
            plain = field.plain()
            text = next((t for key, t in hidden.items() if _is_within(key, field.key)), None)
            if text is not None:
                plain["after"] = text
                plain["before"] = None if field.before is None else _HIDDEN
                plain["is_hidden"] = True
            fields.append(plain)
        old = read.live.get(change.task_id)
        now = self._clock.now()
        return {
            "kind": str(change.kind),
            "task_id": change.task_id,
            "name": change.name,
            "fields": fields,
            "first_runs": first_runs(change, old, config.calendars, now),
            "edited": self._edit_of(change),
        }

    def _edit_of(self, change: Change) -> dict[str, Any] | None:
        """Return who edited a task last, and when; None where nobody did since it was declared."""
        if not change.is_edited:
            return None
        rows = self.view.audit(change.task_id, limit=1)
        return {"at": rows[0]["at"], "actor": rows[0]["actor"]} if rows else None

    # -- what is wrong --------------------------------------------------------------------------

    def _refuse_config(self, path: str, error: TaskSchedulerError) -> None:
        """Show that the configuration was not taken, until it is right."""
        self._config_trouble = " ".join(str(error).split())
        self._runtime.tell(ConfigRefused(path, str(error)))

    def _config_fault(self) -> Trouble | None:
        if not self._config_trouble:
            return None
        path = str(self.config.path or "")
        return Trouble(FaultKind.CONFIG_REFUSED, path, self._config_trouble)

    def _config_here(self) -> dict[str, Any]:
        """Say which configuration this process has, for one that asks."""
        path = None if self.config.path is None else str(self.config.path)
        return {"path": path, "error": self._config_trouble or None, "at": iso(self._clock.now())}


def _is_within(key: str, field: str) -> bool:
    """Whether a value of an entry is, or lies in, one of its fields."""
    return key == field or key.startswith(f"{field}.") or field.startswith(f"{key}.")
