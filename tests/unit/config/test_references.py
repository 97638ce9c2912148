"""References: `${env:...}` and `${file:...}` in values."""

from __future__ import annotations

from pathlib import Path

import pytest

from task_scheduler.config.references import References
from task_scheduler.errors import ConfigError

ENVIRON = {"HOST": "pond-7", "EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "resolved", "is_single"),
    [
        ("plain", "plain", False),
        ("${env:HOST}", "pond-7", True),
        ("http://${env:HOST}/", "http://pond-7/", False),
        ("${env:MISSING:-fallback}", "fallback", True),
        ("${env:EMPTY:-fallback}", "fallback", True),
        ("${env:EMPTY}", "", True),
        ("$${env:HOST}", "${env:HOST}", False),
        ("${HOME}/x", "${HOME}/x", False),
    ],
)
def test_variables_are_put_in_their_place(text: str, resolved: str, is_single: bool) -> None:
    assert References(ENVIRON, Path("/")).resolve(text) == (resolved, is_single)


def test_a_file_is_read_without_its_last_line_break(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n", encoding="utf-8")

    assert References({}, tmp_path).resolve("Bearer ${file:token}") == ("Bearer s3cret", False)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("${env:MISSING}", "the environment variable MISSING is not set"),
        ("${env:HOST", "no closing brace"),
        ("${env:}", "names nothing"),
        ("${file:}", "names nothing"),
        ("${file:missing}", "No such file"),
        ("${file:.}", "not a regular file"),
        ("${file:latin}", "not UTF-8"),
        ("${file:long}", "larger than"),
        ("${file:a\0b}", "cannot be read"),
    ],
)
def test_one_that_leads_nowhere_is_told(text: str, what: str, tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"\xe9")
    (tmp_path / "long").write_bytes(b"x" * 2_000_000)

    with pytest.raises(ConfigError, match=what):
        References(ENVIRON, tmp_path).resolve(text)
