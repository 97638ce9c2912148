"""A configuration that is broken: who goes on without it, and who does not."""

from __future__ import annotations

import pytest

from task_scheduler.cli.exit_codes import ExitCode
from tests.unit.cli.made_ledger import MadeLedger

BROKEN = '{"scheduler": {"max_workers": "many"}, "storage": {"path": "kept/here.db"}}'


@pytest.mark.parametrize("line", ["ls", "show heartbeat", "runs", "next", "pause heartbeat"])
@pytest.mark.parametrize("text", ['{"scheduler": {"max_workers": "many"}}', "{ broken"])
def test_a_broken_config_blinds_nobody(farm: MadeLedger, line: str, text: str) -> None:
    farm.config.write_text(text)

    answer = farm.tsk(*line.split())

    assert answer.code == ExitCode.FINE, answer.err
    warning = answer.err.splitlines()[0]
    assert warning.startswith("warning: ")
    assert "scheduler_config.json:1" in warning
    assert "tsk check" in warning


def test_a_broken_config_still_says_where_its_ledger_is(farm: MadeLedger) -> None:
    (farm.folder / ".scheduler").rename(farm.folder / "kept")
    (farm.folder / "kept" / "scheduler.db").rename(farm.folder / "kept" / "here.db")
    farm.config.write_text(BROKEN)

    answer = farm.tsk("status")

    assert answer.code == ExitCode.UNREACHABLE
    assert str(farm.folder / "kept" / "here.db") in answer.out
    assert "not used" in answer.out


@pytest.mark.parametrize("line", ["up", "check", "simulate"])
def test_what_needs_the_declared_tasks_refuses_a_broken_config(farm: MadeLedger, line: str) -> None:
    farm.config.write_text('{"scheduler": {"max_workers": "many"}}')

    answer = farm.tsk(line)

    assert answer.code == ExitCode.INVALID
    assert "warning" not in answer.err


def test_a_broken_config_without_a_ledger_hides_nothing(farm: MadeLedger) -> None:
    farm.config.write_text(BROKEN)

    assert farm.tsk("ls").code == ExitCode.INVALID
    assert not (farm.folder / "kept").exists()
