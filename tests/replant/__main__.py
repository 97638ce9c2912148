"""`scripts/replant`: bugs of other schedulers, planted into a copy of ours; every one is caught.

Responsible for: what is asked for on the command line, and the report.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.replant.bugs import BUGS
from tests.replant.campaign import Campaign, Finding, go_through, summary
from tests.replant.layers import LAYERS
from tests.replant.record import keep
from tests.replant.workshop import Verdict, Workshop

CURSOR = Path("build/replant.json")


def main() -> int:
    """Run what was asked for; the exit code says whether every bug was caught."""
    parser = argparse.ArgumentParser(prog="scripts/replant", description=__doc__)
    parser.add_argument("words", nargs="*", help="only bugs whose name has one of these words")
    parser.add_argument("--layers", help=f"ask only {', '.join(one.name for one in LAYERS)}")
    parser.add_argument("--all-layers", action="store_true", help="ask each layer about each bug")
    parser.add_argument("--seeds", type=int, default=0, help="ask so many seeds of the simulation")
    parser.add_argument("--keep", action="store_true", help="write docs/regressions.md anew")
    options = parser.parse_args()
    wanted = options.layers.split(",") if options.layers else [one.name for one in LAYERS]
    bugs = [b for b in BUGS if not options.words or any(w in b.name for w in options.words)]
    with tempfile.TemporaryDirectory(prefix="task-scheduler-replant-") as folder:
        campaign = Campaign(
            Workshop(Path(folder)),
            layers=[layer for layer in LAYERS if layer.name in wanted],
            is_asking_all=options.all_layers,
            most_seeds=options.seeds,
        )
        fault = campaign.fault_without_a_bug(bugs)
        if fault:
            print(f"The tests fail without any bug; mend that first. {fault}")
            return 2
        findings = go_through(campaign, CURSOR, bugs=bugs, tell=_tell)
    print(summary(findings))
    if options.keep:
        keep(findings)
    return any(finding.verdict != Verdict.CAUGHT for finding in findings)


def _tell(finding: Finding) -> None:
    by = f"by {finding.layer}: {finding.test}" if finding.layer else ""
    seeds = "" if finding.seeds is None else f"; seeds: {finding.seeds or 'none'}"
    print(f"{finding.verdict:9} {finding.name} ({finding.seconds:.1f} s) {by}{seeds}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
