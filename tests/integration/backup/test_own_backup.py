"""A program that backs its own ledger up while it runs it."""

from __future__ import annotations

import threading

import pytest

from task_scheduler.errors import StoreError
from tests.integration.facade.bench import Bench


@pytest.mark.parametrize("is_memory", [False, True], ids=["file", "memory"])
def test_a_program_backs_its_own_ledger_up_while_it_runs(bench: Bench, is_memory: bool) -> None:
    scheduler = bench.running(**({"storage": ":memory:"} if is_memory else {}))
    done = threading.Event()
    scheduler.task("pump", every="1h")(done.set)
    assert done.wait(10)
    path = bench.folder / "x.backup"

    found = scheduler.backup(path)
    with pytest.raises(FileExistsError):
        scheduler.backup(path)
    again = scheduler.backup(path, overwrite=True)

    assert found["entries"] == again["entries"] == 1
    assert found["ledger_id"] == again["ledger_id"]
    assert [p.name for p in bench.folder.glob("*backup*")] == ["x.backup"], "nothing half done"


@pytest.mark.parametrize("name", ["scheduler.db", "scheduler.db-wal", "scheduler.marks"])
def test_a_file_of_the_ledger_itself_is_never_overwritten(bench: Bench, name: str) -> None:
    scheduler = bench.running()
    path = bench.state / ".." / "state" / name
    before = path.stat().st_ino if path.exists() else None

    with pytest.raises(FileExistsError):
        scheduler.backup(path, overwrite=True)

    assert (path.stat().st_ino if path.exists() else None) == before


def test_a_backup_that_cannot_be_written_is_told_and_leaves_nothing(bench: Bench) -> None:
    scheduler = bench.running()

    with pytest.raises(StoreError, match="nowhere") as raised:
        scheduler.backup(bench.folder / "nowhere" / "x.backup")

    assert raised.value.key == "errors.copy_failed"
    scheduler.task("pump", every="1h")(lambda: None)
