"""Mark bytes: what they say after `kill -9`, and that no slot is ever two claims'."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from task_scheduler.core.hold import Mileage, Witness
from task_scheduler.core.recovery import Mark
from task_scheduler.executors.marks import MarkFile, MemoryMarks, read_witness
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

    assert marks._bytes[3] == Mark.SUCCEEDED


@pytest.mark.parametrize("slot", [-1, 65_536])
def test_a_slot_that_cannot_be_has_no_mark(tmp_path: Path, slot: int) -> None:
    marks = MarkFile(tmp_path / "marks")

    assert marks.read(slot) is None

    marks.close()


def test_the_file_is_private_and_whole_from_the_start(tmp_path: Path) -> None:
    MarkFile(tmp_path / "marks").close()

    status = (tmp_path / "marks").stat()
    assert (status.st_mode & 0o777, status.st_size) == (0o600, 65_536 + 4_096)
    assert status.st_blocks * 512 >= status.st_size, "a hole would be a crash on a full disk"


def test_a_link_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "marks").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OSError, match="marks"):
        MarkFile(tmp_path / "marks")


LEDGER = "0123456789abcdef" * 2
OTHER = "f" * 32

NOTER = """
    import sys
    from pathlib import Path
    from task_scheduler.core.hold import Mileage
    from task_scheduler.executors.marks import MarkFile
    marks = MarkFile(Path(sys.argv[1]))
    marks.identify(sys.argv[2], Mileage(1 << 32, 0))
    print("ready", flush=True)
    number = 0
    while True:
        number += 1
        marks.note_claims((2 << 32) + number, number)
"""


def test_what_a_process_noted_of_its_claims_survives_its_sudden_death(tmp_path: Path) -> None:
    for _ in range(5):
        noter = child(NOTER, tmp_path / "marks", LEDGER)
        assert noter.stdout is not None
        noter.stdout.readline()
        while (seen := read_witness(tmp_path / "marks")) is None or seen.mileage.token < 2 << 32:
            pass
        noter.send_signal(signal.SIGKILL)
        noter.communicate()

        witness = read_witness(tmp_path / "marks")

        assert witness is not None
        assert witness.ledger_id == LEDGER
        token, run_id = witness.mileage.token, witness.mileage.run_id
        # The run is noted before the token: killed in between, it is one ahead.
        assert run_id - (token - (2 << 32)) in (0, 1)


def test_marks_that_get_another_ledger_tell_nothing_of_the_one_before(tmp_path: Path) -> None:
    marks = MarkFile(tmp_path / "marks")
    marks.identify(LEDGER, Mileage(1 << 32, 3))
    marks.note_claims(9 << 32, 700)

    marks.identify(OTHER, Mileage(1 << 32, 0))

    assert read_witness(tmp_path / "marks") == Witness(OTHER, Mileage(1 << 32, 0))
    marks.close()


def test_the_marks_of_an_earlier_release_are_read_and_grow(tmp_path: Path) -> None:
    (tmp_path / "marks").write_bytes(bytes([Mark.FAILED]) + bytes(65_535))
    assert read_witness(tmp_path / "marks") is None

    marks = MarkFile(tmp_path / "marks")

    assert marks.read(0) == Mark.FAILED
    assert read_witness(tmp_path / "marks") is None
    marks.identify(LEDGER, Mileage(5, 6))
    assert read_witness(tmp_path / "marks") == Witness(LEDGER, Mileage(5, 6))
    marks.close()


@pytest.mark.parametrize(
    "content",
    [b"", bytes(65_536), bytes(70_000), bytes(65_536) + b"\xff" * 4_096],
    ids=["empty", "old", "zeros", "ones"],
)
def test_a_witness_that_makes_no_sense_tells_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "marks").write_bytes(content)

    assert read_witness(tmp_path / "marks") is None


def test_without_a_file_there_is_no_witness(tmp_path: Path) -> None:
    assert read_witness(tmp_path / "marks") is None


def test_marks_whose_file_vanished_are_put_back_with_what_they_said(tmp_path: Path) -> None:
    path = tmp_path / "scheduler.marks"
    marks = MarkFile(path)
    slot = marks.take()
    assert slot is not None
    marks.set(slot, Mark.RUNNING)
    path.unlink()

    marks.write_back()
    marks.set(slot, Mark.SUCCEEDED)

    assert MarkFile(path).read(slot) == Mark.SUCCEEDED
    marks.close()
