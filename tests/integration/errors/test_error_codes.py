"""Every code of an error is met for real, with its exit code; and every exit code is."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from task_scheduler.cli import main
from task_scheduler.cli.error_pages import document, document_name
from task_scheduler.cli.exit_codes import ExitCode, code_of
from task_scheduler.cli.program import GROUPS
from task_scheduler.error_codes import AREAS, CODES, code_for
from task_scheduler.errors import TaskSchedulerError
from task_scheduler.i18n import LANGUAGES, translate_into
from tests.integration.errors import test_with_a_scheduler as beside
from tests.integration.errors.cases import CALLS, LINES, met
from tests.integration.errors.stories import STORIES
from tests.unit.cli.made_ledger import Answer, MadeLedger

ROOT = Path(__file__).parents[3]
STUCK = ROOT / "tests" / "integration" / "faults" / "test_shown.py"


def test_every_code_has_a_case() -> None:
    cases = [*LINES, *CALLS, *STORIES, *beside.CODES]

    missing = sorted(set(CODES) - set(cases))

    assert missing == [], "say in tests/integration/errors how these are met"
    assert sorted(cases) == sorted(set(cases) & set(CODES)), "met twice, or no code"


@pytest.mark.parametrize("code", LINES)
def test_a_line_that_is_typed_is_answered_with_its_code(farm: MadeLedger, code: str) -> None:
    expected, line = LINES[code]

    answer, asked = farm.tsk(*line), farm.tsk(*line, "--json")

    assert answer.err.startswith(f"error[{code}]: ")
    assert (answer.code, asked.code) == (expected, expected)
    error = asked.document["error"]
    assert error["code"] == code
    # What `explain` says of an expression is a document of its own.
    if asked.document["schema"] == "tsk.error/1":
        assert error["exit_code"] == expected
        assert error["message"] in answer.err


@pytest.mark.parametrize("code", CALLS)
def test_a_call_raises_the_error_of_its_code(code: str) -> None:
    error = met(CALLS[code])

    assert error.code == code, f"{error.key}: {error}"


@pytest.mark.parametrize("code", STORIES)
def test_what_takes_more_than_a_line_is_answered_with_its_code(
    farm: MadeLedger, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    expected, story = STORIES[code]

    told = story(farm, monkeypatch)

    if isinstance(told, Answer):
        assert f"error[{code}]: " in told.err, told.err
        assert told.code == expected
    else:
        assert isinstance(told, TaskSchedulerError)
        assert told.code == code, f"{told.key}: {told}"
        assert expected is None or code_of(told) == expected


def test_every_exit_code_has_a_case() -> None:
    given = {0, *beside.EXIT_CODES}
    given |= {code for code, _ in [*LINES.values(), *STORIES.values()] if code is not None}
    if "ends(ExitCode.STUCK)" in STUCK.read_text(encoding="utf-8"):
        given.add(ExitCode.STUCK)

    assert sorted(set(ExitCode) - given) == []


def test_what_is_fine_ends_with_0(farm: MadeLedger) -> None:
    assert farm.tsk("ls").code == ExitCode.FINE


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_is_explained(capsys: pytest.CaptureFixture[str], language: str) -> None:
    for code in CODES:
        assert main(["help", code.lower(), "--lang", language]) == 0

        shown = capsys.readouterr().out.split()
        for name in (code, f"{code}_cause", f"{code}_next"):
            sentence = translate_into(language, f"codes.{name}")
            # Wide characters are broken anywhere.
            assert "".join(sentence.split()) in "".join(shown)


def test_all_codes_are_listed_with_what_they_mean(farm: MadeLedger) -> None:
    listed = farm.tsk("help", "errors", "--json").document["codes"]

    assert list(listed) == list(CODES)
    assert {code[1] for code in CODES} == set(AREAS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_documents_list_what_the_program_says(language: str) -> None:
    path = ROOT / "docs" / document_name(language)

    assert path.read_text(encoding="utf-8") == document(language), (
        "write it anew: python -m task_scheduler.cli.error_pages docs"
    )


def test_no_sentence_of_an_error_is_without_a_code() -> None:
    known = {kind.__name__ for kind in _all_kinds(TaskSchedulerError)}

    assert [kind for kind in known if not _code_of_kind(kind)] == []


def _all_kinds(kind: type[TaskSchedulerError]) -> list[type[TaskSchedulerError]]:
    return [each for sub in kind.__subclasses__() for each in (sub, *_all_kinds(sub))]


def _code_of_kind(name: str) -> str:
    kind = next(each for each in _all_kinds(TaskSchedulerError) if each.__name__ == name)
    code = code_for(kind("nothing.of_this_name"))
    return "" if code == "E9001" else code


def test_every_sentence_that_a_code_names_is_in_the_catalogue() -> None:
    folder = ROOT / "task_scheduler" / "i18n" / "catalogues"
    known = {
        f"{path.name.partition('.')[0]}.{name}"
        for path in folder.glob("*.en.json")
        for name in json.loads(path.read_text(encoding="utf-8"))
    }

    unknown = [
        name
        for names in CODES.values()
        for name in names
        if "." in name and not any(fnmatchcase(key, name) for key in known)
    ]

    assert unknown == []


@pytest.mark.parametrize("option", ["--json", "--jsonl"])
def test_a_mistake_in_the_command_line_is_a_document_too(farm: MadeLedger, option: str) -> None:
    answer = farm.tsk("runs", "-n", "0", option)

    assert answer.document["error"]["code"] == "E1005"
    assert len(answer.out.splitlines()) == 1 or option == "--json"


def test_a_declared_task_that_was_meant_is_named(farm: MadeLedger) -> None:
    entry = '{"type": "command", "command": ["true"], "every": "1h"}'
    farm.config.write_text(f'{{"entries": {{"hello": {entry}}}}}', encoding="utf-8")

    assert "did you mean 'hello'?" in farm.tsk("show", "helo").err


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_command_that_is_to_be_typed_next_exists(language: str) -> None:
    known = {name for names in GROUPS.values() for name in names}
    told = " ".join(translate_into(language, f"codes.{code}_next") for code in CODES)

    named = set(re.findall(r"tsk (?:-c \S+ )?([a-z][\w-]*)", told))

    assert len(named) > 20
    assert sorted(named - known) == []
