"""Mark bytes: what they say after `kill -9`, and that no slot is ever two claims'."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from task_scheduler.core.recovery import Mark
from task_scheduler.executors.marks import MarkFile, MemoryMarks
from tests.contract.ledgers import child

WRITER = """
    import sys
    from pathlib import Path
    from task_scheduler.executors.marks import MarkFile
    marks = MarkFile(Path(sys.argv[1]))
    slots = [marks.take() for _ in range(4)]
    for slot, mark in zip(slots, (0, 1, 2, 3)):
        marks.set(slot, mark)
    print(*slots, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(params=["file", "memory"])
def marks(request: pytest.FixtureRequest, tmp_path: Path) -> MemoryMarks:
    return MemoryMarks() if request.param == "memory" else MarkFile(tmp_path / "marks")


def test_marks_survive_the_sudden_death_of_their_process(tmp_path: Path) -> None:
    writer = child(WRITER, tmp_path / "marks")
    assert writer.stdout is not None
    slots = [int(slot) for slot in writer.stdout.readline().split()]
    writer.send_signal(signal.SIGKILL)
    writer.communicate()

    marks = MarkFile(tmp_path / "marks")

    found = [marks.read(slot) for slot in slots]
    assert found == [Mark.CLEAR, Mark.RUNNING, Mark.SUCCEEDED, Mark.FAILED]
    marks.close()


def test_every_slot_is_taken_by_one_claim_at_a_time(marks: MemoryMarks) -> None:
    taken = []
    while (slot := marks.take()) is not None:
        taken.append(slot)

    assert len(taken) == len(set(taken)) == 65_536
    marks.release(taken[7])
    assert marks.take() == taken[7]
    assert marks.take() is None
    marks.close()


def test_a_taken_slot_is_clear_whatever_was_in_it(marks: MemoryMarks) -> None:
    first = marks.take()
    assert first is not None
    marks.set(first, Mark.FAILED)
    marks.release(first)

    while (slot := marks.take()) != first:
        assert slot is not None

    assert marks._bytes[first] == Mark.CLEAR
    marks.close()


def test_the_slots_of_recovered_claims_are_kept_until_they_are_released(
    marks: MemoryMarks,
) -> None:
    marks.reserve({0, 1, 5})

    assert [marks.take() for _ in range(4)] == [2, 3, 4, 6]
    marks.release(1)
    rest = set()
    while (slot := marks.take()) is not None:
        rest.add(slot)
    assert 1 in rest
    assert not rest & {0, 5}
    marks.close()


def test_a_claim_without_a_slot_marks_nothing(marks: MemoryMarks) -> None:
    marks.set(-1, Mark.RUNNING)
    marks.release(-1)

    assert marks._bytes[-1] == Mark.CLEAR
    assert marks.take() == 0
    marks.close()


def test_a_thread_that_outlives_the_scheduler_may_still_write_its_mark(marks: MemoryMarks) -> None:
    marks.close()

    marks.set(3, Mark.SUCCEEDED)


@pytest.mark.parametrize("slot", [-1, 65_536])
def test_a_slot_that_cannot_be_has_no_mark(tmp_path: Path, slot: int) -> None:
    marks = MarkFile(tmp_path / "marks")

    assert marks.read(slot) is None

    marks.close()


def test_the_file_is_private_and_whole_from_the_start(tmp_path: Path) -> None:
    MarkFile(tmp_path / "marks").close()

    status = (tmp_path / "marks").stat()
    assert (status.st_mode & 0o777, status.st_size) == (0o600, 65_536)
    assert status.st_blocks * 512 >= 65_536, "a hole would be a crash on a full disk"


def test_a_link_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "marks").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OSError, match="marks"):
        MarkFile(tmp_path / "marks")
