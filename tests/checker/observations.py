"""I15, I17, I19, I20, I24: what readers saw meanwhile, what was left, and what was used.

Responsible for: history only grows, nothing is stuck at the end, nothing outlives it, output is
kept up to its cap and flagged beyond it, and every measure stays below its bound.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from tests.checker.evidence import Evidence, Violation
from tests.checker.history import LIVING, TERMINAL, Count, Entry, Sighting


def observations(evidence: Evidence) -> Iterator[Violation]:
    """Check all that no single run tells of."""
    yield from _sightings(evidence)
    yield from _counters(evidence)
    yield from _liveness(evidence)
    for leftover in evidence.history.leftovers:
        yield Violation("I19", f"{leftover.name} outlived everything", leftover)
    yield from _outputs(evidence)
    for usage in evidence.history.usages:
        if usage.amount > usage.bound:
            yield Violation(
                "I24", f"{usage.what} is {usage.amount}, its bound {usage.bound}", usage
            )


def _sightings(evidence: Evidence) -> Iterator[Violation]:
    """Check that a run which was over stayed as it was, and no attempt was taken back."""
    seen: dict[int, list[Sighting]] = {}
    for sighting in sorted(evidence.history.sightings, key=lambda sighting: sighting.at):
        seen.setdefault(sighting.run_id, []).append(sighting)
    for run_id, found in seen.items():
        run = evidence.runs.get(run_id)
        is_restored = any(restore.ended >= found[0].at for restore in evidence.restores)
        if is_restored:
            continue
        if run is None:
            yield Violation("I15", f"run {run_id} was seen and is gone", found[0])
            continue
        states = [*found, Sighting(evidence.history.ended_at, run_id, run.state, run.attempt)]
        for before, after in pairwise(states):
            if before.state in TERMINAL and (before.state, before.attempt) != (
                after.state,
                after.attempt,
            ):
                text = f"it was {before.state} and became {after.state}"
                yield evidence.of_run("I11", text, run, after)
            elif after.attempt < before.attempt:
                text = f"it had {before.attempt} attempts and then {after.attempt}"
                yield evidence.of_run("I11", text, run, after)


def _counters(evidence: Evidence) -> Iterator[Violation]:
    """Check that counters never fall, and are at the end the sums of what there is."""
    latest: dict[str, Count] = {}
    for count in sorted(evidence.history.counts, key=lambda count: count.at):
        before = latest.get(count.task_id)
        if before is not None and any(
            b > a for b, a in zip(_sums(before), _sums(count), strict=True)
        ):
            yield Violation("I15", f"a counter of {count.task_id} fell", count, (before,))
        latest[count.task_id] = count
    for entry in evidence.history.ledger.entries or ():
        before = latest.get(entry.task_id)
        if before is not None and any(
            b > a for b, a in zip(_sums(before), _sums(entry), strict=True)
        ):
            yield Violation("I15", f"a counter of {entry.task_id} fell", entry, (before,))
        if entry.task_id in evidence.tasks:
            yield from _sum(evidence, entry)


def _sums(row: Count | Entry) -> tuple[int, ...]:
    return (row.run_count, row.success_count, row.failure_count, row.skip_count)


def _sum(evidence: Evidence, entry: Entry) -> Iterator[Violation]:
    if evidence.restores:
        return  # its counters are those of the backup
    runs = evidence.runs_of[entry.task_id]
    states = Counter(run.state for run in runs if evidence.attempts_of.get(run.run_id))
    failures = states["failed"] + states["timed_out"] + states["lost"]
    total = states["succeeded"] + failures + states["cancelled"]
    wanted = (total, states["succeeded"], failures)
    if _sums(entry)[:3] != wanted:
        text = f"the counters of {entry.task_id} say {_sums(entry)[:3]}, its runs {wanted}"
        yield Violation("I15", text, entry)
    ranges = [skip.count for skip in evidence.skips_of[entry.task_id]]
    skipped = sum(run.state == "skipped" for run in runs)
    if None not in ranges and entry.skip_count != sum(x or 0 for x in ranges) + skipped:
        text = f"the counter of {entry.task_id} says {entry.skip_count} skips,"
        yield Violation("I15", f"{text} its rows {sum(x or 0 for x in ranges) + skipped}", entry)


def _liveness(evidence: Evidence) -> Iterator[Violation]:
    """Check that nothing is stuck: a run that was due long before the end is over."""
    over = evidence.history.ended_at - evidence.limits.over
    for run in evidence.runs.values():
        is_held = any(
            operation.kind in ("pause", "remove")
            for operation in evidence.operations_of[run.task_id]
        )
        if run.state == "running" or (run.token is not None and run.state in LIVING):
            yield evidence.of_run("I17", "it is in somebody's hands after everything stopped", run)
        elif run.state == "waiting" and run.scheduled_at < over and not is_held:
            yield evidence.of_run("I17", "it still waits", run)


def _outputs(evidence: Evidence) -> Iterator[Violation]:
    for output in evidence.history.outputs:
        wanted = min(output.written, output.cap)
        if output.kept > output.cap:
            yield Violation("I20", f"{output.kept} bytes were kept of {output.cap}", output)
        elif output.kept != wanted:
            yield Violation("I20", f"{output.kept} bytes were kept, {wanted} were to be", output)
        if output.is_flagged != (output.written > output.cap):
            text = "was flagged as cut and was not" if output.is_flagged else "was cut unflagged"
            yield Violation("I20", f"an output {text}", output)
        if output.digest_written != output.digest_kept:
            yield Violation("I20", "what was kept is not what was written", output)
