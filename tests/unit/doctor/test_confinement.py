"""To what tasks can be held here, as whoever starts them says."""

from __future__ import annotations

from typing import Any

import pytest

from task_scheduler.doctor.confinement import judge_confinement
from task_scheduler.doctor.findings import Level
from task_scheduler.i18n import LANGUAGES, set_language


def offered(**changes: Any) -> dict[str, Any]:
    whole = {
        "group": "/sys/fs/cgroup/tsk.service",
        "controllers": ["cpu", "memory", "pids"],
        "reason": "",
        "what": "",
        "has_port_rules": True,
        "namespace_trouble": "",
    }
    return {**whole, **changes}


def test_what_is_kept_is_told_by_the_names_of_the_limits() -> None:
    finding = judge_confinement(offered())

    assert finding.told() == (
        "of whole trees of processes: memory_bytes, processes, cpu_percent;"
        " networks that can be given: none, loopback, tcp, all"
    )
    assert finding.level is Level.FINE


def test_what_is_missing_is_told_with_the_reason() -> None:
    finding = judge_confinement(
        offered(
            controllers=[],
            group=None,
            reason="not_delegated",
            what="/x",
            has_port_rules=False,
            namespace_trouble="Operation not permitted",
        )
    )

    assert finding.told() == (
        "of each process, not of its tree; networks that can be given: all"
        " (the group of this process, /x, was not delegated to it.)"
    )
    assert finding.figures["namespace_trouble"] == "Operation not permitted"


@pytest.mark.parametrize("language", LANGUAGES)
def test_without_a_scheduler_nobody_knows(language: str) -> None:
    set_language(language)
    try:
        finding = judge_confinement(None)
        told = finding.told()
    finally:
        set_language("en")

    assert finding.level is Level.UNKNOWN
    assert "doctor." not in told
