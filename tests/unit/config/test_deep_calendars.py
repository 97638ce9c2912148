"""Calendar files that are deep instead of long are refused before anything reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from task_scheduler.config.calendar_files import CalendarError, read_calendar


@pytest.mark.parametrize("text", ["days: " + "[" * 3_000, "days: " + '{"a": ' * 3_000])
def test_brackets_within_each_other_beyond_need_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "days.yaml"
    path.write_text(text)

    with pytest.raises(CalendarError, match="parts"):
        read_calendar(path)


def test_many_brackets_beside_each_other_are_no_matter(tmp_path: Path) -> None:
    path = tmp_path / "days.yaml"
    path.write_text(f"windows: []\nweekends: true\n# {'[]' * 500}\n")

    assert read_calendar(path) is not None
