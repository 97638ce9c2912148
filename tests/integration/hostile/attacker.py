"""The hostile task: ``attacker.py ATTACK STATE_FOLDER``, a script that a scheduler runs.

Responsible for: each attack, bounded so that it can hurt nobody but its own test: signals go to its
own ancestors whose names are ours, and forks are limited by the kernel or not made. What is refused
is printed as ``refused``, what succeeded as ``struck``: the test knows which one must be there.
Standard library only.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

RECORD = {
    "format": 1,
    "outcome": "failed",
    "exit_code": 66,
    "signal": None,
    "started_at": 1,
    "ended_at": 2,
    "error": "forged",
}
_MOST_FORKS = 100
_GARBAGE = (
    b"\n",
    b"\0" * 1_000 + b"\n",
    b"{" * 100_000 + b"\n",
    b"[" * 100_000 + b"\n",
    b'"op"\n',
    b'{"op": "no-such"}\n',
    b'{"op": "add", "entries": 7}\n',
    b'{"op": "cancel", "run_id": {"a": []}}\n',
    b'{"op": ["run"], "task_id": null}\n',
    b"\xff\xfe" * 500_000,
)


def say(word: str) -> None:
    """Print a word in a line of its own, at once."""
    os.write(1, word.encode() + b"\n")


def strike(pid: int, number: int) -> None:
    """Signal a process and tell whether that was allowed."""
    try:
        os.kill(pid, number)
    except PermissionError:
        say("refused")
    else:
        say("struck")


def parent_of(pid: int) -> int:
    """Return the parent of a process."""
    return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])


def ancestor(name: str, state: Path) -> int:
    """Return our own supervisor, launcher or scheduler, and never one of another test.

    Ends here where somebody killed it before us.
    """
    pid = os.getppid()
    while pid > 1:
        proc = Path("/proc", str(pid))
        words = (proc / "cmdline").read_bytes().split(b"\0")
        is_scheduler = b"tests.integration.hostile.program" in words
        own = state.parent if is_scheduler else state / "scheduler.runs"
        comm = "scheduler" if is_scheduler else (proc / "comm").read_text().strip()
        if comm == name and os.fsencode(own) in words:
            return pid
        pid = parent_of(pid)
    say("struck before")
    sys.exit(0)


def kill_supervisor(state: Path) -> None:
    """Kill who watches us."""
    strike(ancestor("tsk-supervisor", state), signal.SIGKILL)


def stop_supervisor(state: Path) -> None:
    """Stop who watches us, and end unseen."""
    strike(ancestor("tsk-supervisor", state), signal.SIGSTOP)


def kill_launcher(state: Path) -> None:
    """Kill who starts everybody's programs."""
    strike(ancestor("tsk-launcher", state), signal.SIGKILL)


def stop_launcher(state: Path) -> None:
    """Stop who starts everybody's programs."""
    strike(ancestor("tsk-launcher", state), signal.SIGSTOP)


def kill_scheduler(state: Path) -> None:
    """Kill the scheduler itself."""
    strike(ancestor("scheduler", state), signal.SIGKILL)


def strike_ancestors(state: Path) -> None:
    """Stop and kill them all."""
    for name in ("tsk-supervisor", "tsk-launcher", "scheduler"):
        pid = ancestor(name, state)
        strike(pid, signal.SIGSTOP)
        strike(pid, signal.SIGKILL)


def kill_everybody(state: Path) -> None:
    """Kill everything that we may signal; only ever as a user that nobody else is."""
    assert os.getuid() == int(sys.argv[3]) > 0
    say("struck")
    os.kill(-1, signal.SIGKILL)


def write_without_end(state: Path) -> None:
    """Print for ever."""
    block = b"struck " * 9_000
    while True:
        os.write(1, block)


def fill_disk(state: Path) -> None:
    """Write files until the disk that we were given is full, and keep it so for a while."""
    assert os.statvfs(".").f_blocks * os.statvfs(".").f_frsize < 10_000_000
    try:
        for number in range(10_000):
            Path(f"junk-{number}").write_bytes(bytes(100_000))
    except OSError as error:
        say(f"struck: {os.strerror(error.errno or 0)}")
    time.sleep(0.5)


def fill_disk_for_a_while(state: Path) -> None:
    """Fill the disk, and make room again."""
    fill_disk(state)
    for file in Path().glob("junk-*"):
        file.unlink()


def write_large_file(state: Path) -> None:
    """Write one file beyond the limit."""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] < 1_000_000
    say("struck")
    Path(sys.argv[3]).write_bytes(bytes(2_000_000))


def fork_without_end(state: Path) -> None:
    """Fork until the kernel refuses; never where it would not."""
    assert os.getuid() == int(sys.argv[3]) > 0
    assert resource.getrlimit(resource.RLIMIT_NPROC)[0] <= 50
    for _ in range(_MOST_FORKS):
        if os.fork() == 0:
            time.sleep(30)
            os._exit(0)
    say("struck")


def allocate(state: Path) -> None:
    """Take more memory than allowed."""
    assert resource.getrlimit(resource.RLIMIT_AS)[0] < 500_000_000
    say("struck")
    bytearray(1_000_000_000)


def stop_self(state: Path) -> None:
    """Stop, and stop again when told to go on."""
    say("struck")
    while True:
        os.kill(os.getpid(), signal.SIGSTOP)


def close_descriptors(state: Path) -> None:
    """Close everything that was inherited, and go on for a while."""
    say("struck")
    os.closerange(0, 1_024)
    time.sleep(0.3)
    os._exit(0)


def leave_group(state: Path) -> None:
    """Leave two daemons behind, one in another process group, one in another session."""
    ways: tuple[Callable[[], None], ...] = (lambda: os.setpgid(0, 0), os.setsid)
    for leave in ways:
        if os.fork() == 0:
            leave()
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
            if os.fork() == 0:
                say(f"daemon {os.getpid()}")
                time.sleep(60)
            os._exit(0)
    for _ in range(2):
        os.wait()
    # A daemon has to be there before it can be left.
    time.sleep(0.1)
    say("struck")


def forge(state: Path) -> None:
    """Write records, permits and cancels into the folder of every attempt, ours included."""
    runs = state / "scheduler.runs"
    try:
        folders = list(runs.iterdir())
    except PermissionError:
        # By its name, if not by a list.
        folders = [Path(os.environ["TASK_SCHEDULER_ATTEMPT_FOLDER"])]
    for folder in folders:
        for name in ("exit.json", "permit", "cancel"):
            try:
                (folder / name).write_text(json.dumps(RECORD))
            except PermissionError:
                say("refused")
            except FileNotFoundError:
                continue  # ended, and forgotten
            else:
                say("struck")


def pry(state: Path) -> None:
    """Read and write what is the scheduler's own: ledger, log, the memory of our supervisor."""
    supervisor = os.getppid()
    log = state.parent / "logs" / "scheduler.log"
    for path in (state / "scheduler.db", log, Path(f"/proc/{supervisor}/environ")):
        try:
            path.read_bytes()
        except PermissionError:
            say("refused")
        else:
            say("struck")
    try:
        os.close(os.open(f"/proc/{supervisor}/mem", os.O_WRONLY))
    except PermissionError:
        say("refused")
    else:
        say("struck")

    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # that of the listing itself
            # Nothing of the scheduler's is open in us.
            if str(state) in str(descriptor.readlink()):
                say("struck")


def talk(state: Path) -> None:
    """Send commands and garbage to the control socket; an answer to a command is a hit."""
    for line in (b'{"op": "remove", "task_ids": ["script"], "actor": "me"}\n', *_GARBAGE):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            try:
                client.connect(str(state / "scheduler.sock"))
                client.sendall(line)
                client.shutdown(socket.SHUT_WR)
                answer = client.recv(1_000)
            except PermissionError:
                say("refused")
            except OSError:
                say("unheard")
            else:
                say("struck" if answer else "unheard")


def babble(state: Path) -> None:
    """Send garbage only to the control socket, and ring the bell for ever with it."""
    for line in _GARBAGE:
        with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(OSError):
            client.settimeout(1)
            client.connect(str(state / "scheduler.sock"))
            client.sendall(line)
    silent = []
    for _ in range(40):
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(state / "scheduler.sock"))
        silent.append(client)
    end = time.monotonic() + 0.5
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell:
        bell.setblocking(False)
        while time.monotonic() < end:
            with contextlib.suppress(BlockingIOError):
                for text in (b"", b"\xff" * 1_000, b"../../1-1", b"999-999"):
                    bell.sendto(text, str(state / "scheduler.bell"))
            time.sleep(0.001)
    say("struck")


ATTACKS: dict[str, Callable[[Path], None]] = {
    attack.__name__: attack
    for attack in (
        kill_supervisor, stop_supervisor, kill_launcher, stop_launcher, kill_scheduler,
        strike_ancestors, kill_everybody, write_without_end, fill_disk, fill_disk_for_a_while,
        write_large_file, fork_without_end, allocate, stop_self, close_descriptors, leave_group,
        forge, pry, talk, babble,
    )
}  # fmt: skip

if __name__ == "__main__":
    ATTACKS[sys.argv[1]](Path(sys.argv[2]))
