"""The configuration under fire, and what a seed does to it.

Responsible for: the tasks as they stand in the file at each moment, random edits of them, and texts
that are wrong in every way that a person or a half-written file makes them. Writes the three kinds
of files by itself, so that nothing of ours is read as we wrote it.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests import checker

SECOND = checker.SECOND
PERIODS = (0.1, 0.2, 0.3, 0.5, 0.8)
MARKER = "marker"
"""The entry that says which edit a ledger has seen; it never runs."""
_NEVER = "2100-01-01T00:00:00+00:00"
_COMMAND = Path(__file__).resolve().parents[1] / "crash" / "task_command.sh"


@dataclass(frozen=True, slots=True)
class Job:
    """One task as the file declares it."""

    task_id: str
    runs_in: str
    overlap: str
    period: float
    is_declared: bool = True
    is_enabled: bool = True
    note: int = 0
    """What changes nothing about its times."""
    pool: str | None = None

    def rules(self, anchor: int) -> tuple[checker.Rule, ...]:
        """Return its rules in the checker's words; none where nothing of it is due."""
        if not (self.is_declared and self.is_enabled):
            return ()
        return (checker.Every(round(self.period * SECOND), anchor),)

    def entry(self, start: str) -> dict[str, Any]:
        """Return it as an entry of the file."""
        common = {
            "name": f"{self.task_id} {self.note}",
            "every": self.period,
            "start_at": start,
            "overlap": self.overlap,
            "max_retries": self.note % 3,
        }
        if not self.is_enabled:
            common["enabled"] = False
        if self.pool is not None:
            common["pool"] = self.pool
        if self.runs_in == "process":
            command = ["/bin/sh", str(_COMMAND), "0.01"]
            return {"type": "command", "command": command, **common}
        call = "tests.integration.crash.in_thread:work"
        return {"type": "function", "function": call, "args": [0.005], **common}


@dataclass(slots=True)
class Document:
    """What the file says now."""

    jobs: dict[str, Job]
    start: str
    number: int = 0
    """Of the last edit that was right."""
    places: int = 2
    sections: dict[str, Any] = field(default_factory=dict)

    def values(self) -> dict[str, Any]:
        """Return the whole configuration."""
        entries = {
            job.task_id: job.entry(self.start) for job in self.jobs.values() if job.is_declared
        }
        marker = {
            "type": "command",
            "command": ["true"],
            "at": _NEVER,
            "description": f"edit {self.number}",
        }
        return {
            **copy.deepcopy(self.sections),
            "pools": {"few": self.places},
            "entries": {MARKER: marker, **entries},
        }


def first_jobs() -> dict[str, Job]:
    """Return the tasks at the beginning."""
    jobs = [
        *(Job(f"skip-{n}", "thread", "skip", PERIODS[n % 5]) for n in range(6)),
        *(Job(f"queue-{n}", "thread", "queue", PERIODS[n]) for n in range(5)),
        *(Job(f"allow-{n}", "thread", "allow", PERIODS[n], pool="few") for n in range(5)),
        *(Job(f"command-{n}", "process", "allow", PERIODS[n + 2]) for n in range(3)),
    ]
    return {job.task_id: job for job in jobs}


def edit(document: Document, rng: random.Random) -> set[str]:
    """Change something that is right; return the tasks whose times may have changed."""
    document.number += 1
    if rng.random() < 0.1:
        document.places = rng.randint(1, 4)
    touched = set()
    for task_id in rng.sample(sorted(document.jobs), rng.choice((1, 1, 1, 2, 5))):
        job = document.jobs[task_id]
        kind = rng.choice(("period", "period", "delete", "note", "note", "enable", "pool"))
        if not job.is_declared:
            # Back as it was, or as another one.
            period = job.period if rng.random() < 0.5 else rng.choice(PERIODS)
            changed = replace(job, is_declared=True, period=period)
        elif not job.is_enabled:
            changed = replace(job, is_enabled=True)
        elif kind == "period":
            changed = replace(job, period=rng.choice(PERIODS))
        elif kind == "delete":
            changed = replace(job, is_declared=False)
        elif kind == "enable":
            changed = replace(job, is_enabled=False)
        elif kind == "pool":
            changed = replace(job, pool=None if job.pool else "few")
        else:
            changed = replace(job, note=job.note + 1)
        document.jobs[task_id] = changed
        if changed.rules(0) != job.rules(0):
            touched.add(task_id)
    return touched


def spoilt(document: Document, kind: str, rng: random.Random) -> str:
    """Return a text that must not be taken, whatever else it changes."""
    values = document.values()
    for entry in values["entries"].values():
        # Were it taken by half, everything would be due at other times.
        if "every" in entry:
            entry["every"] = 7.7
    names = [name for name in values["entries"] if name != MARKER]
    wrong: list[Callable[[], None]] = [
        lambda: values.update(entires={}),
        lambda: values["pools"].update(few=0),
        lambda: values["scheduler"].update(max_workers="many"),
    ]
    if names:
        entry = values["entries"][rng.choice(names)]
        wrong += [
            lambda: entry.update(every="soon"),
            lambda: entry.update(typ="command"),
            lambda: entry.update(pool="many"),
            lambda: entry.update(after=MARKER, overlap="sometimes"),
            lambda: entry.update(cron="61 * * * *"),
        ]
    if rng.random() < 0.6:
        rng.choice(wrong)()
        return text_of(values, kind)
    text = text_of(values, kind)
    if rng.random() < 0.2:
        return ""
    # Of a file that somebody writes in place, whatever came first.
    cut = text[: rng.randrange(len(text) // 3, len(text) - 2)]
    return cut if is_broken(cut, kind) else text.replace("entries", "entries entries", 1)


def is_broken(text: str, kind: str) -> bool:
    """Whether a text that was cut off is no text of its kind any more."""
    if kind == "json":
        return True
    if kind == "toml":
        import tomllib

        try:
            tomllib.loads(text)
        except tomllib.TOMLDecodeError:
            return True
        return False
    import yaml

    try:
        yaml.safe_load(text)
    except yaml.YAMLError:
        return True
    return False


def text_of(values: Mapping[str, Any], kind: str) -> str:
    """Return the text of a configuration."""
    if kind == "json":
        return json.dumps(values, indent=1)
    if kind == "yaml":
        import yaml

        return str(yaml.safe_dump(dict(values), sort_keys=False))
    lines = []
    for section, keys in values.items():
        plain = {k: v for k, v in keys.items() if not isinstance(v, dict)}
        lines += [f"[{section}]", *(f"{k} = {json.dumps(v)}" for k, v in plain.items())]
        for name, entry in keys.items():
            if isinstance(entry, dict):
                lines.append(f"[{section}.{json.dumps(name)}]")
                lines += [f"{k} = {json.dumps(v)}" for k, v in entry.items()]
    return "\n".join(lines) + "\n"
