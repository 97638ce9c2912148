"""The faults: how each begins and ends, and what must be seen of it meanwhile.

Responsible for: doing them to a real process. What it must do about them is the campaign's to say.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.integration.faults.world import World

_SPOIL = "pwrite64,fdatasync,fsync,ftruncate"
_ATTACH_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind: it lasts as long as the context that `do` gives."""

    name: str
    do: Callable[[World, random.Random], AbstractContextManager[None]]
    shown: frozenset[str] = frozenset()
    """The problems of which one must be shown meanwhile; none: it need not last until noticed."""
    holds: tuple[float, float] = (0.2, 3.0)
    """Seconds that it lasts, from and to."""
    shown_after: float = 0.0
    """A fault that lasts less need not be shown."""
    excuse: str = "store"
    """What the checker is told of it."""
    is_told: bool = True
    """Whether the log can tell of it."""
    is_reachable: bool = True
    """Whether the scheduler can be asked while it lasts."""


@contextmanager
def locked(world: World, rng: random.Random) -> Iterator[None]:
    """Hold the ledger's lock from another program."""
    foreign = sqlite3.connect(world.database, isolation_level=None, timeout=20)
    try:
        foreign.execute("BEGIN IMMEDIATE")
        yield
        foreign.execute("ROLLBACK")
    finally:
        # The end of the last connection would fold the log in; this one is never the last.
        foreign.close()


def full(place: str) -> Callable[[World, random.Random], AbstractContextManager[None]]:
    """Fill a disk to the last byte, and keep it full."""

    @contextmanager
    def do(world: World, rng: random.Random) -> Iterator[None]:
        filler = world.folder / place / f"filler-{rng.random()}"
        try:
            with filler.open("wb", buffering=0) as file:
                for size in (1 << 20, 1 << 12):
                    with contextlib.suppress(OSError):
                        while True:
                            file.write(b"x" * size)
            yield
        finally:
            filler.unlink()

    return do


def spoiled(error: str) -> Callable[[World, random.Random], AbstractContextManager[None]]:
    """Let every write and sync of the ledger's files fail."""

    @contextmanager
    def do(world: World, rng: random.Random) -> Iterator[None]:
        paths = [str(world.database) + suffix for suffix in ("", "-wal")]
        with _traced(world.pid, f"{_SPOIL}:error={error}", paths):
            yield

    return do


@contextmanager
def no_forks(world: World, rng: random.Random) -> Iterator[None]:
    """Let the launcher start no process."""
    launcher = world.launcher()
    if launcher is None:
        yield
        return
    with _traced(launcher, "clone,clone3,fork,vfork:error=EAGAIN", []):
        yield


@contextmanager
def _traced(pid: int, inject: str, paths: list[str]) -> Iterator[None]:
    command = ["strace", "-f", "-qq", "-o", "/dev/null", "-p", str(pid), "-e", f"inject={inject}"]
    for path in paths:
        command += ["-P", path]
    tracer = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + _ATTACH_SECONDS
        while _tracer_of(pid) != tracer.pid and time.monotonic() < deadline:
            time.sleep(0.01)
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait()


def _tracer_of(pid: int) -> int:
    text = Path(f"/proc/{pid}/status").read_text()
    return int(next(x for x in text.splitlines() if x.startswith("TracerPid")).split()[1])


@contextmanager
def unlinked(world: World, rng: random.Random) -> Iterator[None]:
    """Delete one or all of the ledger's files for good."""
    suffixes = rng.choice([("",), ("-wal",), ("", "-wal", "-shm")])
    for suffix in suffixes:
        Path(f"{world.database}{suffix}").unlink(missing_ok=True)
    yield


@contextmanager
def moved(world: World, rng: random.Random) -> Iterator[None]:
    """Move the ledger's files away, and back if nothing has taken their place."""
    aside = world.folder / "disk" / f"aside-{rng.random()}"
    aside.mkdir()
    names = [
        path for path in world.state.glob("scheduler.db*") if not path.name.endswith(".rescue")
    ]
    for path in names:
        with contextlib.suppress(FileNotFoundError):
            path.rename(aside / path.name)
    yield
    if not world.database.exists():
        # The ledger last: it must not lie there without its log.
        for path in sorted(aside.iterdir(), reverse=True):
            path.rename(world.state / path.name)


@contextmanager
def renamed(world: World, rng: random.Random) -> Iterator[None]:
    """Rename the whole folder, for good."""
    world.state.rename(world.state.with_name(f"old-{rng.random()}"))
    yield


@contextmanager
def replaced(world: World, rng: random.Random) -> Iterator[None]:
    """Put another file in the ledger's place, and take it away again."""
    aside = world.folder / "disk" / f"replaced-{rng.random()}"
    aside.mkdir()
    for suffix in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            Path(f"{world.database}{suffix}").rename(aside / f"log{suffix}")
    foreign = world.folder / "disk" / "foreign"
    foreign.write_bytes(b"somebody's backup")
    foreign.replace(world.database)
    yield
    world.database.unlink()


@contextmanager
def no_descriptors(world: World, rng: random.Random) -> Iterator[None]:
    """Let the scheduler's process open nothing more."""
    hoard = world.folder / "hoard"
    hoard.touch()
    try:
        yield
    finally:
        hoard.unlink()


@contextmanager
def stopped(world: World, rng: random.Random) -> Iterator[None]:
    """Stop the scheduler's process."""
    os.kill(world.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(world.pid, signal.SIGCONT)


@contextmanager
def stalled(world: World, rng: random.Random) -> Iterator[None]:
    """Let the engine's thread not come back from a listener."""
    stall = world.folder / "stall"
    stall.touch()
    try:
        yield
    finally:
        stall.unlink()


@contextmanager
def killed(world: World, rng: random.Random) -> Iterator[None]:
    """Kill the scheduler and start it again: what it leaves is damaged, as a copy."""
    world.kill()
    yield


_STORE = frozenset({"store_unavailable", "store_read_only", "store_full"})
_GONE = frozenset({"store_vanished"})

KINDS = (
    Kind("locked", locked, frozenset({"store_locked"}), shown_after=1.8),
    Kind("full", full("disk"), frozenset({"store_full"}), shown_after=0.8),
    Kind(
        "log disk full",
        full("logs"),
        frozenset({"log_failed"}),
        (2.5, 3.5),
        excuse="log",
        is_told=False,
    ),
    Kind("input/output error", spoiled("EIO"), _STORE, shown_after=0.8),
    Kind("read-only", spoiled("EROFS"), _STORE, shown_after=0.8),
    Kind("deleted", unlinked, _GONE, shown_after=1.5),
    Kind("moved", moved, _GONE, shown_after=1.5),
    Kind("folder renamed", renamed, _GONE, shown_after=1.5, excuse="folder", is_reachable=False),
    Kind("replaced", replaced, frozenset({"store_replaced"}), shown_after=1.5),
    Kind("no descriptors", no_descriptors, frozenset({"descriptors_spent"}), (0.2, 3.0), 2.2),
    Kind(
        "no processes",
        no_forks,
        frozenset({"launch_failed"}),
        shown_after=3.0,
        holds=(0.2, 4.0),
        excuse="forks",
    ),
    Kind("stopped", stopped, excuse="stopped", is_reachable=False),
    Kind("stalled", stalled, frozenset({"engine_stalled"}), shown_after=2.5, excuse="stall"),
    Kind("damaged", killed, excuse="kill"),
)
