"""Pauses with an end, and backfills, from the command line."""

from __future__ import annotations

from task_scheduler.cli.exit_codes import ExitCode
from tests.unit.cli.made_ledger import MadeLedger


def test_a_pause_has_an_end_where_one_is_given(farm: MadeLedger) -> None:
    paused = farm.tsk("pause", "heartbeat", "--for", "2h", "--json")
    assert paused.code == ExitCode.FINE, paused.err
    until = paused.document["until"]
    assert farm.tsk("show", "heartbeat", "--json").document["task"]["paused_until"] == until

    sooner = farm.tsk("resume", "heartbeat", "--from", "2100-01-01T00:00:00+00:00")
    assert sooner.code == ExitCode.FINE, sooner.err
    assert farm.tsk("show", "heartbeat", "--json").document["task"]["paused_until"][:4] == "2100"

    both = farm.tsk("pause", "heartbeat", "--for", "2h", "--until", "2100-01-01")
    assert both.code == ExitCode.USAGE


def test_a_backfill_counts_first_and_plans_then(farm: MadeLedger) -> None:
    span = ("--from", "2026-11-24T00:00:00", "--to", "2026-11-24T06:00:00")

    dry = farm.tsk("backfill", "data_upload", *span, "--dry-run", "--json")
    assert dry.code == ExitCode.FINE, dry.err
    assert (dry.document["planned"], dry.document["present"]) == (6, 0)
    done = farm.tsk("backfill", "data_upload", *span)
    assert done.out == "data_upload: 6 runs planned; 0 were there already\n"
    assert "tsk runs data_upload" in done.err

    assert farm.tsk("backfill", "data_upload", *span, "--limit", "2").code == ExitCode.INVALID
    assert farm.tsk("backfill", "data_upload").code == ExitCode.USAGE
