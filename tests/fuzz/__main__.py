"""``scripts/fuzz``: the full tier, which goes on where the same seed stopped."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
from pathlib import Path

from tests.fuzz.campaign import fuzz, input_of
from tests.fuzz.targets import TARGETS

_STRIDE = 2_000
_CONFIDENT = 3.0
"""None in n: the rate is below 3/n, with 95 % confidence."""


def main() -> int:
    """Fuzz, and print a line a reader; 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000_000, help="of all readers together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", choices=TARGETS, action="append", help="only this reader")
    parser.add_argument(
        "--jobs", type=int, help="readers at the same time; as many as there are cores"
    )
    parser.add_argument("--number", type=int, help="read this one input and show it")
    parser.add_argument("--folder", type=Path, default=Path("/tmp/task-scheduler-fuzz"))
    options = parser.parse_args()
    targets = options.target or list(TARGETS)
    if options.number is not None:
        for target in targets:
            print(repr(input_of(target, options.seed, options.number)))
            TARGETS[target].read(input_of(target, options.seed, options.number))
        return 0
    options.folder.mkdir(parents=True, exist_ok=True)
    share = options.inputs // len(targets)
    jobs = [(target, options.seed, share, options.folder) for target in targets]
    with multiprocessing.Pool(options.jobs) as pool:
        found = sum(pool.starmap(_run, jobs, chunksize=1))
    return int(found > 0)


def _run(target: str, seed: int, share: int, folder: Path) -> int:
    """Fuzz one reader up to its share; return how much was found."""
    cursor = folder / f"{target}-{seed}.json"
    known = json.loads(cursor.read_text()) if cursor.exists() else {}
    done, refused = known.get("inputs", 0), known.get("refused", 0)
    slowest, findings = known.get("slowest", 0.0), known.get("findings", [])
    while done < share:
        tally = fuzz(target, seed=seed, first=done, count=min(_STRIDE, share - done))
        done, refused = done + tally.inputs, refused + tally.refused
        slowest, findings = max(slowest, tally.slowest), findings + tally.findings
        cursor.write_text(
            json.dumps(
                {"inputs": done, "refused": refused, "slowest": slowest, "findings": findings}
            )
        )
    bound = f"below {_CONFIDENT / done:.1e} (95 %)" if done and not findings else ""
    print(
        f"{target:<12} {done:>9} inputs, {refused:>9} refused, slowest {slowest * 1_000:6.1f} ms,"
        f" {len(findings)} findings {bound}",
        flush=True,
    )
    for finding in findings[:20]:
        print(f"    scripts/fuzz --target {finding}", flush=True)
    return len(findings)


if __name__ == "__main__":
    sys.exit(main())
