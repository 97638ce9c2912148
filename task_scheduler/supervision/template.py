"""The warm template: an interpreter with modules loaded that forks supervisors for scripts.

Responsible for: loading, and refusing what a fork could not hand on; proving itself before it is
used; and saying of each order whether its script is started warm, or cold as by the launcher, which
it is in all the rest. It is disposable: whatever it has taken is found by its files.

The scheduler hears ``{"ready": modules}`` or ``{"refused": reason, "what": what}``, and where it
should send no more ``{"leaving": reason, "what": what}``; until its channel is closed it goes on.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any

from task_scheduler.clock import SystemClock
from task_scheduler.supervision import kernel, launcher, task_start, warm_script
from task_scheduler.supervision.orders import FOLDER_VARIABLE, Order, encode_message
from task_scheduler.supervision.preload import Preload, RefusedError, differing_variable
from task_scheduler.supervision.small_files import read_file
from task_scheduler.supervision.warm_files import LoadedFiles, Shadows
from task_scheduler.supervision.warm_script import Origin, Script

__all__ = ["program"]

_OURS = (
    "task_scheduler.confinement.plan",
    "task_scheduler.confinement.bounds",
    "task_scheduler.masking",
)
"""What supervisors load late; by then the name of the package may be the user's."""
_SECOND = 1_000_000
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_ROOM = 4
"""A limit of memory is no tight one when it is so many times what the template has."""
_CHECK = 7
"""The exit code of the script with which a template proves itself."""


def program(options: Mapping[str, Any]) -> Iterator[Callable[[], object]]:
    """Be a template; in the process of a script, give what is to be called (`warm_script.steps`).

    `options`: ``channel`` and ``pipe``, descriptors; ``folder``; ``preload``, names of modules;
    ``idle_seconds``, after which it leaves.
    """
    sys.excepthook = sys.__excepthook__
    warm_script.forget_errors()
    script: Script | None = None
    try:
        _serve(options)
    except _Departed as departure:
        script = departure.script
    if script is None:
        os._exit(0)
    yield from warm_script.steps(script)


class _Departed(BaseException):
    """Leads the process of a task out of all that was going on when it was forked."""

    def __init__(self, script: Script) -> None:
        super().__init__()
        self.script = script


def _end_process(status: int) -> None:
    """End, unless this process departs to become a script."""
    if not isinstance(sys.exception(), _Departed):
        os._exit(status)


def _serve(options: Mapping[str, Any]) -> None:
    channel = options["channel"]
    os.set_inheritable(channel, False)
    try:
        for name in _OURS:
            import_module(name)
        preload = Preload(options["preload"], frozenset({0, 1, 2, channel}))
        preload.load(options["pipe"])
        template = _Made(preload, options)
        template.prove()
    except RefusedError as refusal:
        with socket.socket(fileno=channel) as end:
            end.sendall(encode_message({"refused": refusal.reason, "what": refusal.what}))
        return
    task_start.end_process = _end_process
    launcher.serve(channel, os.fsencode(options["folder"]), template.take_over)


class _Made:
    """What is known of a template before it takes orders."""

    def __init__(self, preload: Preload, options: Mapping[str, Any]) -> None:
        self.preload = preload
        self.idle_seconds = float(options["idle_seconds"])
        self.origin = Origin(
            preload.changes,
            preload.handlers,
            preload.modules,
            not sys.flags.safe_path,
            _shown_texts(),
        )
        self.files = LoadedFiles()
        self.shadows = Shadows(preload.names)

    def enter(self, argv: list[bytes], env: dict[bytes, bytes], report: int) -> None:
        """Become the script of a command; return where it has to be executed after all."""
        try:
            script = warm_script.become(argv, env, report, self.origin)
        except Exception:  # fence: attempt
            # Whatever it was, the cold start needs nothing of this process.
            return
        if script is not None:
            raise _Departed(script)

    def prove(self) -> None:
        """Run a script of ours from beginning to end; raises RefusedError where it goes wrong."""
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "warm_check.py")
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                for number in (1, 2):
                    os.dup2(write, number)
                argv = [os.fsencode(item) for item in (sys.executable, path, "argument")]
                self.enter(argv, dict(os.environb), write)
            finally:
                _end_process(255)
        os.close(write)
        said = b""
        while chunk := os.read(read, 4_096):
            said += chunk
        os.close(read)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if (status, said) != (_CHECK, b"warm argument"):
            raise RefusedError("check", f"{status} {said.decode('utf-8', 'replace')[:500]}")

    def take_over(self, channel: socket.socket, is_guardian: bool) -> _Template:
        """Return the loop over orders."""
        return _Template(channel, is_guardian, self)


class _Template(launcher.Launcher):
    """A launcher whose supervisors may start scripts warm."""

    def __init__(self, channel: socket.socket, is_guardian: bool, made: _Made) -> None:
        super().__init__(channel, is_guardian)
        self._made = made
        self._is_stale = False
        self._clock = SystemClock()
        self._asked_at = self._clock.boottime()
        # Heard like any signal: then there is time to look.
        signal.setitimer(signal.ITIMER_REAL, made.idle_seconds, made.idle_seconds)
        kernel.set_name(b"tsk-template")
        self._tell({"ready": len(sys.modules)})

    def _fork(self, order: Order) -> None:
        obstacle = self._obstacle(order)
        task_start.enter = None if obstacle else self._made.enter
        order.notes = {"start": f"cold: {obstacle}" if obstacle else "warm"}
        self._asked_at = self._clock.boottime()
        super()._fork(order)

    def _reap(self) -> None:
        super()._reap()
        if self._clock.boottime() - self._asked_at >= self._made.idle_seconds * _SECOND:
            self._tell({"leaving": "idle", "what": ""})

    def _obstacle(self, order: Order) -> str:
        """Return why a script has to be started cold; empty if nothing speaks against warm."""
        made, confinement = self._made, order.confinement
        if not self._is_stale and (path := made.files.changed()):
            self._is_stale = True
            self._tell({"leaving": "changed", "what": path})
        if self._is_stale:
            return "files"
        if confinement.get("uid") not in (None, os.getuid()):
            # What was loaded was loaded with our rights.
            return "user"
        limit = (confinement.get("limits") or {}).get("memory_bytes")
        if limit is not None and limit < _ROOM * _own_bytes():
            return "memory"
        if name := differing_variable(made.preload, order.env):
            return f"variable {name}"
        if not made.origin.has_place:
            return ""
        folder = os.path.dirname(os.path.realpath(order.argv[1]))
        name = made.shadows.hides(folder, self._clock.now())
        return f"module {name}" if name else ""


def _own_bytes() -> int:
    return int((read_file("/proc/self/statm") or b"0").split()[0]) * _PAGE_BYTES


def _shown_texts() -> tuple[tuple[int, int], tuple[int, int]]:
    """Return where in memory the kernel reads our arguments, and the attempt's folder.

    So `ps` shows the script, and what survives of an attempt is found by its folder.
    """
    stat = (read_file("/proc/self/stat") or b"").rpartition(b")")[2].split()
    environ = read_file("/proc/self/environ") or b""
    try:
        arguments, end, variables = (int(stat[number]) for number in (45, 46, 47))
    except (IndexError, ValueError):
        return (0, 0), (0, 0)
    mark = FOLDER_VARIABLE.encode("ascii") + b"="
    at = environ.find(b"\0" + mark) + 1
    length = len(environ[at:].partition(b"\0")[0]) if environ.startswith(mark) or at else 0
    return (arguments, end - arguments), (variables + at, length)
