"""The vault: where secrets come from, and what is said of one that is not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from task_scheduler import CommandTask, DefinitionError, ScriptTask
from task_scheduler.vault import SecretSource, Vault


def test_a_secret_comes_from_a_file_a_variable_or_a_credential(tmp_path: Path) -> None:
    (tmp_path / "db").write_text("from a file\n")
    (tmp_path / "mail").write_text("a credential")
    vault = Vault(
        {
            "DB": SecretSource("file", str(tmp_path / "db")),
            "API": SecretSource("env", "POND_API"),
            "MAIL": SecretSource("credential", "mail"),
        },
        environ={"POND_API": "from a variable", "CREDENTIALS_DIRECTORY": str(tmp_path)},
    )

    filled, files = vault.fill(
        {
            "A": "${secret:DB}",
            "B": "user:${secret:API}@host",
            "C": "${secret:mail}",
            "D": "plain",
            "E": "${secret-file:MAIL}",
        }
    )

    assert filled == {
        "A": "from a file",
        "B": "user:from a variable@host",
        "C": "a credential",
        "D": "plain",
    }
    assert files == {"E": "a credential"}
    assert vault.masker.mask("from a file, from a variable, a credential") == "***, ***, ***"
    assert vault.variables == {"POND_API"}


@pytest.mark.parametrize(
    ("source", "word"),
    [
        (SecretSource("env", "NOT_SET"), "NOT_SET"),
        (SecretSource("file", "/no/such/file"), "/no/such/file"),
        (SecretSource("file", "/"), "/"),
        (SecretSource("credential", "x"), "secrets"),
    ],
)
def test_a_secret_that_is_not_there_is_named_with_its_place(
    source: SecretSource, word: str
) -> None:
    with pytest.raises(DefinitionError) as caught:
        Vault({"X": source}, environ={}).read("X")

    assert word in str(caught.value)


def test_a_pipe_in_its_place_does_not_hold_a_start(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    assert Vault({"X": SecretSource("file", str(tmp_path / "pipe"))}, environ={}).read("X") == ""


def test_a_secret_larger_than_any_program_takes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(5))

    with pytest.raises(DefinitionError, match="NUL"):
        Vault({"X": SecretSource("file", str(tmp_path / "big"))}, environ={}).read("X")


@pytest.mark.parametrize("name", ["", "a b", "../x", "a/b", "x" * 101])
def test_a_name_is_no_path(name: str) -> None:
    with pytest.raises(DefinitionError):
        Vault(environ={"CREDENTIALS_DIRECTORY": "/"}).read(name)


@pytest.mark.parametrize("text", ["${secret:DB}", "--password=${secret:DB}", "${secret-file:DB}"])
def test_a_secret_never_stands_in_the_arguments(text: str) -> None:
    with pytest.raises(DefinitionError, match="env"):
        CommandTask("job", None, ["mysql", text])
    with pytest.raises(DefinitionError, match="env"):
        ScriptTask("job", None, "job.py", [text])
