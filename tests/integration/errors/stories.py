"""How codes of errors are met that take more than a line or a call: each a small story.

Responsible for: telling them. Those with a scheduler in a process of its own are in
`test_with_a_scheduler`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from task_scheduler import TaskScheduler
from task_scheduler.cli.commands import edit
from task_scheduler.cli.session import Session
from task_scheduler.errors import TaskSchedulerError
from task_scheduler.restoring import refuse_living, restore_ledger
from task_scheduler.service.systemd import Answer as Answered
from task_scheduler.service.systemd import Systemd
from task_scheduler.state_files import StateFiles
from task_scheduler.stores.sqlite import SqliteStore
from task_scheduler.stores.sqlite_connection import Translated
from task_scheduler.stores.sqlite_reader import SqliteReader
from tests.integration.errors.cases import met
from tests.unit.cli.made_ledger import Answer, MadeLedger, at

NOBODY = 65534
"""A user who owns nothing."""

Story = Callable[[MadeLedger, pytest.MonkeyPatch], Answer | BaseException]


def configured(farm: MadeLedger, text: str, *line: str) -> Answer:
    """Type a line with another configuration."""
    farm.config.write_text(text, encoding="utf-8")
    return farm.tsk(*line)


@contextlib.contextmanager
def shut_out(folder: Path) -> Iterator[None]:
    """Take away the right to look into a folder; root has it until it is somebody else."""
    is_root = os.geteuid() == 0
    folder.chmod(0o700 if is_root else 0)
    try:
        if is_root:
            os.seteuid(NOBODY)
        yield
    finally:
        if is_root:
            os.seteuid(0)
        folder.chmod(0o700)


def _broken_syntax(farm: MadeLedger, _: pytest.MonkeyPatch) -> Answer:
    return configured(farm, '{"scheduler": }', "up")


def _bad_values(farm: MadeLedger, _: pytest.MonkeyPatch) -> Answer:
    return configured(farm, '{"scheduler": {"max_workers": 0}}', "up")


def _changed_files(farm: MadeLedger, _: pytest.MonkeyPatch) -> BaseException:
    scheduler = TaskScheduler(str(farm.config))
    error = met(lambda: scheduler.reload(fingerprint="of what was shown"))
    scheduler.stop(0)
    return error


def _archived(farm: MadeLedger, _: pytest.MonkeyPatch) -> Answer:
    assert farm.tsk("apply", "--yes").code == 0
    return farm.tsk("show", "heartbeat")


def _too_large(farm: MadeLedger, monkeypatch: pytest.MonkeyPatch) -> BaseException:
    monkeypatch.setattr("task_scheduler.ledger_care._QUICK_BYTES", 0)
    scheduler = TaskScheduler({"logging": {"console": False}}, storage=str(farm.folder / "x.db"))
    scheduler.start()
    error = met(lambda: scheduler.collect(vacuum=True))
    scheduler.stop(0)
    return error


def _code_is_gone(farm: MadeLedger, _: pytest.MonkeyPatch) -> Answer:
    farm.task("closure")
    farm.execute("UPDATE entries SET is_code_bound = 1 WHERE task_id = 'closure'")
    farm.execute("UPDATE progress SET is_resolved = 0 WHERE task_id = 'closure'")
    return farm.tsk("backfill", "closure", "--from", "2026-01-01", "--to", "2026-01-02")


def _declared_only(farm: MadeLedger, _: pytest.MonkeyPatch) -> Answer:
    text = '{"entries": {"hello": {"type": "command", "command": ["true"], "every": "1h"}}}'
    return configured(farm, text, "show", "hello")


def _failing_rule(farm: MadeLedger, _: pytest.MonkeyPatch) -> Answer:
    farm.task("odd", {"type": "moonrise"})
    return farm.tsk("backfill", "odd", "--from", "2026-01-01", "--to", "2026-01-02")


def _stopped_while_it_starts(farm: MadeLedger, monkeypatch: pytest.MonkeyPatch) -> BaseException:
    scheduler = TaskScheduler({"logging": {"console": False}}, storage=":memory:")
    runtime = scheduler._runtime
    stopping = threading.Thread(target=scheduler.stop, args=(0,))
    asked = threading.Event()

    def activate(_: object) -> None:
        stopping.start()
        while runtime._stop_deadline is None:
            asked.wait(0.01)

    monkeypatch.setattr(runtime, "_activate", activate)
    error = met(scheduler.start)
    stopping.join()
    return error


def _forked(farm: MadeLedger, _: pytest.MonkeyPatch) -> BaseException:
    store = SqliteStore(farm.database)
    pid = os.fork()
    if pid == 0:
        try:
            store.vacuum()
        except TaskSchedulerError as error:
            os._exit(7 if error.code == "E4009" else 1)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    store._pid = pid
    error = met(store.vacuum)
    store._pid = os.getpid()
    store.close()
    return error


def _locked(farm: MadeLedger, monkeypatch: pytest.MonkeyPatch) -> Answer:
    monkeypatch.setattr("task_scheduler.stores.sqlite._BUSY_SECONDS", 0.05)
    foreign = sqlite3.connect(farm.database, isolation_level=None)
    foreign.execute("BEGIN EXCLUSIVE")
    answer = farm.tsk("pause", "heartbeat")
    foreign.close()
    return answer


def _refused_by_sqlite(farm: MadeLedger, mode: str, *statements: str) -> BaseException:
    connection = sqlite3.connect(f"file:{farm.database}?mode={mode}", uri=True)

    def write() -> None:
        with Translated(str(farm.database)):
            for statement in statements:
                connection.execute(statement)

    error = met(write)
    connection.close()
    return error


def _full(farm: MadeLedger, _: pytest.MonkeyPatch) -> BaseException:
    statement = "CREATE TABLE big AS SELECT zeroblob(9000000)"
    return _refused_by_sqlite(farm, "rw", "PRAGMA max_page_count = 100", statement)


def _read_only(farm: MadeLedger, _: pytest.MonkeyPatch) -> BaseException:
    return _refused_by_sqlite(farm, "ro", "CREATE TABLE t (x)")


def _folder_for_a_file(farm: MadeLedger, _: pytest.MonkeyPatch) -> Answer:
    (farm.folder / "place").mkdir()
    return configured(farm, '{"storage": {"path": "place"}}', "pause", "heartbeat")


def _vanished(farm: MadeLedger, _: pytest.MonkeyPatch) -> BaseException:
    store = SqliteStore(farm.database)
    farm.database.unlink()
    error = met(store.check_place)
    store.close()
    return error


def _replaced(farm: MadeLedger, _: pytest.MonkeyPatch) -> BaseException:
    store = SqliteStore(farm.database)
    farm.database.rename(farm.folder / "old.db")
    farm.database.write_bytes(b"another file")
    error = met(store.check_place)
    store.close()
    return error


def _damaged(farm: MadeLedger, _: pytest.MonkeyPatch) -> Answer:
    farm.database.write_bytes(b"no database" * 1_000)
    return farm.tsk("ls")


def _damaged_log(farm: MadeLedger, _: pytest.MonkeyPatch) -> BaseException:
    store = SqliteStore(farm.folder / "live.db")
    for number in range(12):
        with store.transaction():
            store.execute("begin_epoch", boot_id=str(number), pid=1, version="0", at=number)
    copy = farm.folder / "copy.db"
    for suffix in ("", "-wal"):
        shutil.copy(store.path + suffix, f"{copy}{suffix}")
    store.close()
    log = Path(f"{copy}-wal")
    data = bytearray(log.read_bytes())
    data[32 + 3 * (24 + 4096) + 500] ^= 0x5A
    log.write_bytes(data)
    return met(lambda: SqliteStore(copy))


def _of_version(farm: MadeLedger, version: int) -> None:
    farm.execute(f"PRAGMA user_version = {version}")


def _too_new(farm: MadeLedger, _: pytest.MonkeyPatch) -> Answer:
    _of_version(farm, 999)
    return farm.tsk("ls")


def _too_old(farm: MadeLedger, _: pytest.MonkeyPatch) -> BaseException:
    _of_version(farm, 1)
    return met(lambda: SqliteReader(farm.database).fetch("count_entries"))


def _on_a_network(farm: MadeLedger, monkeypatch: pytest.MonkeyPatch) -> Answer:
    monkeypatch.setattr("task_scheduler.stores.sqlite.network_file_system_of", lambda _: "nfs4")
    return farm.tsk("pause", "heartbeat")


def _in_use(farm: MadeLedger, monkeypatch: pytest.MonkeyPatch) -> BaseException:
    assert farm.tsk("backup", "x.backup").code == 0
    monkeypatch.setattr("task_scheduler.stores.engine_lock.EngineLock.acquire", lambda _: False)
    files = StateFiles(farm.database)
    return met(lambda: restore_ledger(files, farm.folder / "x.backup", now=at("06:00:00")))


def _no_lock(farm: MadeLedger, _: pytest.MonkeyPatch) -> Answer:
    lock = farm.database.with_suffix(".lock")
    lock.unlink(missing_ok=True)
    lock.mkdir()
    return farm.tsk("pause", "heartbeat")


def _no_backup(farm: MadeLedger, _: pytest.MonkeyPatch) -> Answer:
    (farm.folder / "x.backup").write_text("no backup")
    return farm.tsk("restore", "x.backup", "--yes")


def _nothing_to_copy(farm: MadeLedger, _: pytest.MonkeyPatch) -> Answer:
    return configured(farm, '{"storage": {"path": "elsewhere/x.db"}}', "backup")


def _already_there(farm: MadeLedger, _: pytest.MonkeyPatch) -> Answer:
    (farm.folder / "x.backup").touch()
    return farm.tsk("backup", "x.backup")


def _broken_off(farm: MadeLedger, _: pytest.MonkeyPatch) -> BaseException:
    store = SqliteStore(farm.database)
    closing = threading.Thread(target=store.close)

    def rest() -> None:
        if not closing.ident:
            closing.start()
        while not store._is_closed:
            threading.Event().wait(0.01)

    target = sqlite3.connect(":memory:")
    error = met(lambda: store.copy(target, pages=1, rest=rest))
    closing.join()
    target.close()
    return error


def _ahead(farm: MadeLedger, _: pytest.MonkeyPatch) -> Answer:
    assert farm.tsk("backup", "x.backup").code == 0
    assert farm.tsk("restore", "x.backup", "--yes").code == 0
    return farm.tsk("restore", "--resume-from", "2100-01-01T00:00")


def _strays(farm: MadeLedger, _: pytest.MonkeyPatch) -> BaseException:
    folder = farm.runs_folder / "900-900"
    folder.mkdir()
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return met(lambda: refuse_living(StateFiles(farm.database), lambda _: []))


def _no_channel(farm: MadeLedger, _: pytest.MonkeyPatch) -> Answer:
    text = '{"alerts": {"channels": {"ops": {"command": ["true"]}}}}'
    return configured(farm, text, "alerts", "test", "nope")


def _odd_ping(farm: MadeLedger, _: pytest.MonkeyPatch) -> BaseException:
    text = (
        '{"alerts": {"expected": {"nas": {"every_seconds": 86400}}}, "logging": {"console": false}}'
    )
    farm.config.write_text(text)
    scheduler = TaskScheduler(str(farm.config))
    error = met(lambda: scheduler.ping("nas", "well"))
    scheduler.stop(0)
    return error


def _no_job_store(farm: MadeLedger, _: pytest.MonkeyPatch) -> Answer:
    (farm.folder / "jobs.sqlite").write_text("no database" * 1_000)
    return farm.tsk("import", "apscheduler", "jobs.sqlite")


def _no_crontab(farm: MadeLedger, monkeypatch: pytest.MonkeyPatch) -> Answer:
    program = farm.folder / "bin" / "crontab"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho you may not use crontab >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return farm.tsk("import", "crontab")


def _unexpected(farm: MadeLedger, monkeypatch: pytest.MonkeyPatch) -> Answer:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("task_scheduler.ledger_view.LedgerView.runs", fail)
    return farm.tsk("runs")


def _below_a_file(farm: MadeLedger, _: pytest.MonkeyPatch) -> Answer:
    (farm.folder / "file").touch()
    return farm.tsk("init", "file/below")


def _not_mine(farm: MadeLedger, _: pytest.MonkeyPatch) -> Answer:
    shut = farm.folder / "shut"
    # Once before, so that nothing is left to import.
    assert farm.tsk("init", str(shut)).code == 0
    with shut_out(shut):
        return farm.tsk("init", str(shut / "below"))


def _no_textual(farm: MadeLedger, monkeypatch: pytest.MonkeyPatch) -> Answer:
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    return farm.tsk("top")


def _bound_to_code(farm: MadeLedger, _: pytest.MonkeyPatch) -> Answer:
    farm.task("closure")
    farm.execute(
        "UPDATE entries SET is_code_bound = 1, definition = 'null' WHERE task_id = 'closure'"
    )
    return farm.tsk("edit", "closure", "--every", "1m", "--yes")


def _changed_meanwhile(farm: MadeLedger, monkeypatch: pytest.MonkeyPatch) -> Answer:
    read = edit.stored_form
    seen: list[object] = []

    def read_and_change(session: Session, task: Mapping[str, Any]) -> dict[str, Any]:
        seen.append(task)
        # Somebody else is faster.
        return {**read(session, task), "name": f"version {len(seen)}"}

    monkeypatch.setattr(edit, "stored_form", read_and_change)
    return farm.tsk("edit", "heartbeat", "--every", "1m", "--yes")


class Machine:
    """A machine in a folder, which systemd runs or not."""

    def __init__(self, farm: MadeLedger, monkeypatch: pytest.MonkeyPatch, *, is_run: bool) -> None:
        self.root = farm.folder / "machine"
        (self.root / "etc/systemd/system").mkdir(parents=True)
        if is_run:
            (self.root / "run/systemd/system").mkdir(parents=True)
        self.unit = self.root / "etc/systemd/system/task-scheduler.service"
        for name in ("install_service", "uninstall_service"):
            module = f"task_scheduler.cli.commands.{name}"
            monkeypatch.setattr(f"{module}.Systemd", lambda user: Systemd(user, self.root))
        monkeypatch.setattr(Systemd, "call", lambda *_, **__: Answered("systemctl", 1, "no"))


def _without_systemd(farm: MadeLedger, monkeypatch: pytest.MonkeyPatch) -> Answer:
    Machine(farm, monkeypatch, is_run=False)
    return farm.tsk("install-service")


def _edited_unit(farm: MadeLedger, monkeypatch: pytest.MonkeyPatch) -> Answer:
    Machine(farm, monkeypatch, is_run=True).unit.write_text("[Service]\nNice=5\n")
    return farm.tsk("uninstall-service")


def _systemd_refuses(farm: MadeLedger, monkeypatch: pytest.MonkeyPatch) -> Answer:
    Machine(farm, monkeypatch, is_run=True)
    return farm.tsk("install-service")


def _no_service(farm: MadeLedger, monkeypatch: pytest.MonkeyPatch) -> Answer:
    Machine(farm, monkeypatch, is_run=True)
    return farm.tsk("uninstall-service")


STORIES: dict[str, tuple[int | None, Story]] = {
    "E1012": (1, _no_textual),
    "E2003": (7, _broken_syntax),
    "E2004": (7, _bad_values),
    "E2006": (7, _changed_files),
    "E2213": (7, _code_is_gone),
    "E2215": (6, _bound_to_code),
    "E3003": (3, _declared_only),
    "E3012": (7, _failing_rule),
    "E3016": (6, _changed_meanwhile),
    "E3017": (3, _archived),
    "E4003": (4, _stopped_while_it_starts),
    "E4009": (None, _forked),
    "E5001": (6, _locked),
    "E5002": (6, _full),
    "E5003": (6, _read_only),
    "E5004": (6, _folder_for_a_file),
    "E5005": (6, _vanished),
    "E5006": (6, _replaced),
    "E5007": (7, _damaged),
    "E5008": (7, _damaged_log),
    "E5009": (7, _too_new),
    "E5010": (6, _too_old),
    "E5011": (7, _on_a_network),
    "E5013": (6, _in_use),
    "E5014": (6, _no_lock),
    "E5015": (1, _too_large),
    "E6001": (7, _no_backup),
    "E6002": (3, _nothing_to_copy),
    "E6003": (6, _already_there),
    "E6005": (6, _broken_off),
    "E6007": (7, _ahead),
    "E6008": (6, _strays),
    "E7001": (3, _no_channel),
    "E7005": (7, _odd_ping),
    "E8002": (7, _no_job_store),
    "E8003": (1, _no_crontab),
    "E8006": (1, _without_systemd),
    "E8007": (6, _edited_unit),
    "E8008": (1, _systemd_refuses),
    "E8009": (3, _no_service),
    "E9001": (1, _unexpected),
    "E9002": (1, _below_a_file),
    "E9004": (5, _not_mine),
}
"""What takes more than a line, and its exit code."""
