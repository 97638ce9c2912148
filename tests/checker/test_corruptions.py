"""The checker itself: sound histories pass, and each corruption is named by its invariant."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path

import pytest

from tests.checker import History, from_plain, sound, to_plain, violations
from tests.checker.corruptions import CORRUPTIONS
from tests.checker.spoiling import AbsentError, Spoiler

RECORDED = sorted((Path(__file__).parent / "recorded").glob("*.json.gz"))


@cache
def recorded(path: Path) -> History:
    return from_plain(json.loads(gzip.decompress(path.read_bytes())))


day = cache(sound.day)


@pytest.mark.parametrize("seed", range(25))
def test_a_sound_history_passes(seed: int) -> None:
    assert violations(day(seed)) == []


def test_a_sound_restore_passes() -> None:
    assert violations(sound.restored()) == []


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.name)
def test_a_recorded_history_passes(path: Path) -> None:
    assert violations(recorded(path)) == []


def test_there_are_more_than_a_hundred_corruptions_and_they_break_every_invariant() -> None:
    assert len(CORRUPTIONS) >= 100
    assert {invariant for invariant, _ in CORRUPTIONS.values()} == {
        *(f"I{number}" for number in range(1, 25)),
        "A/B",
    }


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corruption_is_named_by_its_invariant(name: str) -> None:
    invariant, corrupt = CORRUPTIONS[name]
    history = sound.restored() if invariant == "I22" else day(0)
    spoiler = Spoiler(history)
    corrupt(spoiler)

    found = violations(spoiler.history)

    assert invariant in {violation.invariant for violation in found}, "\n".join(map(str, found))
    (first, *_) = [violation for violation in found if violation.invariant == invariant]
    assert first.row is not None
    assert first.text


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.name)
def test_what_really_happened_is_rejected_as_well_when_it_is_corrupted(path: Path) -> None:
    applied, missed = 0, []
    for name, (invariant, corrupt) in CORRUPTIONS.items():
        spoiler = Spoiler(recorded(path))
        try:
            corrupt(spoiler)
        except AbsentError:
            continue
        applied += 1
        if invariant not in {violation.invariant for violation in violations(spoiler.history)}:
            missed.append(name)

    assert not missed
    assert applied >= 100


def test_a_history_keeps_its_form() -> None:
    plain = to_plain(sound.day(3))

    kept = from_plain(json.loads(json.dumps(plain)))

    assert to_plain(kept) == plain
    assert kept.ledger == sound.day(3).ledger
