"""The list itself: every row is there, every test that it names exists, and no test hides."""

from __future__ import annotations

from tests.regressions.rows import FILES, ROWS, named_here


def test_all_88_rows_are_there_in_their_order() -> None:
    assert [row.number for row in ROWS] == list(range(1, 89))
    sections = [number for *_, first, last in FILES for number in range(first, last + 1)]
    assert sections == list(range(1, 89))
    assert all(row.threads and row.symptom for row in ROWS)


def test_every_named_test_exists_in_the_file_of_its_section() -> None:
    here = named_here()

    missing = [
        (row.number, name) for row in ROWS for name in row.tests if name not in here[row.file]
    ]

    assert missing == []


def test_every_test_is_named_after_a_thread_of_its_row_and_belongs_to_one() -> None:
    named = [name for row in ROWS for name in row.tests]

    assert [
        (row.number, name)
        for row in ROWS
        for name in row.tests
        if not name.startswith(f"test_{row.slug}_")
    ] == []
    assert sorted(named) == sorted(name for names in named_here().values() for name in names)
    assert len(named) == len(set(named))


def test_a_row_without_a_test_says_why() -> None:
    without = [row for row in ROWS if not row.tests]

    assert [row.number for row in without if not row.note] == []
    print(f"{len(ROWS) - len(without)} of {len(ROWS)} rows have a test;", end=" ")
    print("not yet:", ", ".join(f"{row.number} {row.slug}" for row in without))
