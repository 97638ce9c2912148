"""Whether people hear of what goes wrong: what became of the last message through each channel.

Responsible for: judging it. Reads nothing by itself.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from task_scheduler.doctor.findings import Finding, Level

__all__ = ["judge_channels"]


def judge_channels(
    names: Sequence[str], tries: Sequence[Mapping[str, Any]] | None
) -> list[Finding]:
    """Return each channel whose last message did not arrive, else one finding for all of them.

    `tries` are rows of `last_tries`; None where the ledger cannot be read.
    """
    if not names:
        return [Finding(check="channels", level=Level.UNKNOWN, sentence="channels_none")]
    if tries is None:
        return [Finding(check="channels", level=Level.UNKNOWN, sentence="channels_unknown")]
    # A channel that is gone from the configuration is nobody's trouble any more.
    known = [row for row in tries if row["channel"] in names]
    failing = [_failing(row) for row in known if row["state"] != "delivered"]
    if failing:
        return failing
    unused = sorted(set(names) - {row["channel"] for row in known})
    if unused:
        return [
            Finding(
                check="channels",
                level=Level.UNKNOWN,
                sentence="channels_unused",
                remedy="channels_unused_remedy",
                command="tsk alerts test",
                figures={"channels": unused},
                texts={"names": ", ".join(unused)},
            )
        ]
    return [
        Finding(
            check="channels",
            level=Level.FINE,
            sentence="channels",
            figures={"channels": sorted(names)},
            texts={"names": ", ".join(sorted(names))},
        )
    ]


def _failing(row: Mapping[str, Any]) -> Finding:
    return Finding(
        check="channels",
        level=Level.PROBLEM,
        sentence="channel_failing",
        remedy="channel_failing_remedy",
        command=f"tsk alerts test {shlex.quote(row['channel'])}",
        figures={name: row[name] for name in ("channel", "state", "attempts", "answer")},
        texts={"why": row["answer"] or "?"},
    )
