"""What a shell is answered: the words that fit, and nothing at all where something is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from task_scheduler.cli import main
from task_scheduler.cli.completed import CONFIG_NAMES, LEDGER
from task_scheduler.cli.completion import SHELLS, script_for
from task_scheduler.config.sections import StorageSection
from task_scheduler.config.source import DEFAULT_NAMES
from tests.unit.cli.made_ledger import MadeLedger


class Shell:
    """bash, as far as it asks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def answers(self, line: str) -> list[str]:
        """Return the answers to TAB at the end of a line."""
        self._monkeypatch.setenv("TSK_LINE", line)
        self._monkeypatch.setenv("_TSK_COMPLETE", "bash_complete")
        main([])
        out, err = self._capsys.readouterr()
        assert err == ""
        return out.splitlines()

    def words(self, line: str) -> list[str]:
        """Return the answers that are words."""
        return [found.removeprefix("plain,") for found in self.answers(line)]


@pytest.fixture
def shell(
    farm: MadeLedger, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    monkeypatch.chdir(farm.folder)
    return Shell(monkeypatch, capsys)


def test_commands_are_completed(shell: Shell) -> None:
    assert shell.words("tsk ba") == ["backfill", "backup"]
    assert {"up", "ls", "install-service"} <= set(shell.words("tsk "))


@pytest.mark.parametrize("command", ["show", "run", "why", "pause", "logs", "explain", "runs"])
def test_tasks_are_completed_from_the_ledger(shell: Shell, command: str) -> None:
    assert shell.words(f"tsk {command} d") == ["data_upload"]


def test_a_task_that_is_named_already_is_not_offered_again(shell: Shell) -> None:
    assert shell.words("tsk pause backup ") == ["data_upload", "heartbeat"]


def test_tags_are_completed_from_the_ledger(shell: Shell, farm: MadeLedger) -> None:
    farm.execute("INSERT INTO tags VALUES ('pond', 'heartbeat'), ('night', 'backup')")

    assert shell.words("tsk ls --tag ") == ["night", "pond"]
    assert shell.words("tsk runs --tag p") == ["pond"]


def test_tags_are_completed_for_themselves_and_for_their_tasks(
    shell: Shell, farm: MadeLedger
) -> None:
    farm._insert("tags", tag="pond", task_id="heartbeat")
    farm._insert("tags", tag="port", task_id="backup")

    assert shell.words("tsk ls --tag po") == ["pond", "port"]
    assert shell.words("tsk pause tag:pon") == ["pond"]


def test_a_program_of_an_added_task_is_left_to_the_shell(shell: Shell) -> None:
    assert shell.words("tsk add new -- ba") == []


def test_runs_are_completed_newest_first(shell: Shell) -> None:
    assert shell.words("tsk kill ") == ["118", "117"]
    assert shell.words("tsk logs 117") == ["117"]


def test_options_are_completed_wherever_they_stand(shell: Shell) -> None:
    assert shell.words("tsk ls --fa") == ["--failed"]
    assert "--failed" in shell.words("tsk ls backup --")
    assert shell.words("tsk --no-c") == ["--no-color"]


def test_the_words_of_an_option_are_completed(shell: Shell) -> None:
    assert shell.words("tsk ls --status pa") == ["paused"]
    assert shell.words("tsk ls --status=pa") == ["paused"]
    assert shell.words("tsk --lang ") == ["en", "zh", "ja"]
    assert shell.words("tsk --tz Asia/Toky") == ["Asia/Tokyo"]
    assert shell.words("tsk audit --task he") == ["heartbeat"]
    assert shell.words("tsk doctor serv") == ["service"]
    assert shell.words("tsk completion f") == ["fish"]
    assert shell.words("tsk restore --resume-from b") == ["backup"]


def test_topics_of_the_help_are_commands_and_more(shell: Shell) -> None:
    assert shell.words("tsk help ex") == ["explain", "export", "exit-codes"]


def test_files_and_folders_are_left_to_the_shell(shell: Shell) -> None:
    assert shell.answers("tsk check my") == ["file,my"]
    assert shell.answers("tsk -c my") == ["file,my"]
    assert shell.answers("tsk init my") == ["dir,my"]


def test_what_the_shell_would_split_or_obey_is_quoted(shell: Shell, farm: MadeLedger) -> None:
    farm.task("farm:pond 7 $(reboot)")

    assert shell.words("tsk show farm") == [r"farm:pond\ 7\ \$\(reboot\)"]
    # bash has taken "farm:" for a word of its own.
    assert shell.words("tsk show farm:po") == [r"pond\ 7\ \$\(reboot\)"]
    assert shell.words(r"tsk show farm:pond\ ") == [r"pond\ 7\ \$\(reboot\)"]
    assert shell.words("tsk show 'farm:po") == ["farm:pond 7 $(reboot)"]


def test_the_config_that_stands_in_the_line_is_asked(
    shell: Shell, farm: MadeLedger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    assert shell.words("tsk show ") == []
    assert shell.words(f"tsk -c {farm.config} show h") == ["heartbeat"]
    assert shell.words(f"tsk show -c {farm.config} h") == ["heartbeat"]


def test_a_ledger_elsewhere_is_found_as_the_configuration_says(
    shell: Shell, farm: MadeLedger
) -> None:
    moved = farm.folder / "moved.db"
    farm.database.rename(moved)
    farm.config.write_text('{"storage": {"path": "moved.db"}}', encoding="utf-8")

    assert shell.words("tsk show h") == ["heartbeat"]


@pytest.mark.parametrize(
    "text", ['{"storage": {"path": 7}}', "{", '{"storage": {"path": "nowhere.db"}}', "\x00"]
)
def test_a_configuration_that_is_wrong_completes_nothing_and_says_nothing(
    shell: Shell, farm: MadeLedger, text: str
) -> None:
    farm.config.write_text(text, encoding="utf-8")
    farm.database.unlink()

    assert shell.words("tsk show ") == []
    assert shell.words("tsk sta") == ["status"]


def test_a_damaged_ledger_completes_nothing_and_says_nothing(
    shell: Shell, farm: MadeLedger
) -> None:
    farm.database.write_bytes(b"this is no database" * 1_000)

    assert shell.words("tsk show ") == []


@pytest.mark.parametrize("line", ["tsk nonsense ", "tsk show --nonsense ", "tsk --version ", "tsk"])
def test_a_line_that_is_wrong_says_nothing(shell: Shell, line: str) -> None:
    assert isinstance(shell.answers(line), list)


def test_zsh_and_fish_see_what_each_word_means(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COMP_WORDS", "tsk show data")
    monkeypatch.setenv("COMP_CWORD", "2")
    monkeypatch.setenv("_TSK_COMPLETE", "zsh_complete")
    main([])
    zsh = capsys.readouterr().out
    monkeypatch.setenv("COMP_CWORD", "data")
    monkeypatch.setenv("_TSK_COMPLETE", "fish_complete")
    main([])

    assert zsh == "plain\ndata_upload\n数据上传\n"
    assert capsys.readouterr().out == "plain,data_upload\t数据上传\n"


def test_options_have_the_sentences_of_the_help(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COMP_WORDS", "tsk down --no-w")
    monkeypatch.setenv("COMP_CWORD", "--no-w")
    monkeypatch.setenv("_TSK_COMPLETE", "fish_complete")

    main([])

    value, _, sentence = capsys.readouterr().out.rstrip("\n").partition("\t")
    assert value == "plain,--no-wait"
    assert sentence
    assert not re.match(r"\w+\.\w+", sentence)


def test_without_a_word_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert capsys.readouterr().out.startswith("Usage: tsk")


def test_an_instruction_that_is_none_is_refused(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_TSK_COMPLETE", "csh_complete")

    assert main([]) == 1


def test_the_quick_way_to_the_ledger_is_that_of_the_configuration() -> None:
    assert CONFIG_NAMES == DEFAULT_NAMES
    assert StorageSection.model_fields["path"].default == LEDGER


@pytest.mark.parametrize("name", SHELLS)
def test_each_script_is_put_where_its_shell_looks(
    farm: MadeLedger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for variable in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "ZDOTDIR", "BASH_COMPLETION_USER_DIR"):
        monkeypatch.delenv(variable, raising=False)

    printed, installed = farm.tsk("completion", name), farm.tsk("completion", name, "--install")

    (first, *_) = installed.out.splitlines()
    path = Path(first.removeprefix("Written: "))
    assert path.is_relative_to(tmp_path / "home")
    assert path.read_text(encoding="utf-8") == printed.out == script_for(name)
    assert installed.err


def test_a_file_of_somebody_else_is_left_alone(
    farm: MadeLedger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ZDOTDIR", str(tmp_path))
    own = tmp_path / ".zfunc" / "_tsk"
    own.parent.mkdir()
    own.write_text("#compdef tsk\n# mine\n", encoding="utf-8")

    answer = farm.tsk("completion", "zsh", "--install")

    assert answer.code == 6
    assert own.read_text(encoding="utf-8") == "#compdef tsk\n# mine\n"
