"""Run a command right here: what `execute()` of a script or command task does when a user calls it.

Responsible for: starting it in a session of its own, waiting, its timeout, and the last line that
it wrote to stderr. The scheduler itself starts such tasks under supervision, which survives its
death and finds every descendant; this one only knows the process group.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from typing import IO

from task_scheduler.core.model import LaunchSpec
from task_scheduler.i18n import translate

__all__ = ["find_program", "run_here"]

_TAIL_BYTES = 4_096
_POLL_SECONDS = 0.05
"""How often a run that may be cancelled looks whether it was."""


def find_program(program: str, working_dir: str, env: Mapping[str, str]) -> str | None:
    """Return the path under which a program would be started; None if there is none to start."""
    if os.sep in program:
        path = os.path.join(working_dir, program)  # noqa: PTH118  keeps ./ and .. as the system does
        return path if os.path.isfile(path) and os.access(path, os.X_OK) else None  # noqa: PTH113
    return shutil.which(program, path=env.get("PATH", os.environ.get("PATH")))


def run_here(spec: LaunchSpec, is_cancelled: Callable[[], bool]) -> str | None:
    """Run a command to its end; return None if it succeeded, else why it did not.

    Its output goes where ours goes.
    """
    try:
        process = subprocess.Popen(
            spec.argv,
            cwd=spec.working_dir,
            env={**os.environ, **spec.env},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        return translate("tasks.not_started", program=spec.argv[0], reason=error.strerror or error)
    assert process.stderr is not None
    tail = bytearray()
    reader = threading.Thread(target=_pass_on, args=(process.stderr, tail), daemon=True)
    reader.start()
    reason: str | None
    try:
        reason = _wait(process, spec, is_cancelled)
    except BaseException:
        # Ctrl-C of the user who called execute(): nothing of it may go on.
        _stop(process, spec.kill_grace_seconds)
        raise
    # A descendant may hold the pipe open for ever: what it says later is not waited for.
    reader.join(timeout=1)
    if reason is not None or process.returncode == 0:
        return reason
    last_line = bytes(tail).decode("utf-8", "replace").strip().rpartition("\n")[2].strip()
    return _exit_sentence(process.returncode, last_line)


def _wait(
    process: subprocess.Popen[bytes], spec: LaunchSpec, is_cancelled: Callable[[], bool]
) -> str | None:
    """Wait for the end; stop it at its timeout or when it is cancelled, and say so."""
    timeout = spec.timeout_seconds
    waited = 0.0
    while True:
        pause = _POLL_SECONDS if timeout is None else min(_POLL_SECONDS, timeout - waited)
        try:
            process.wait(pause)
        except subprocess.TimeoutExpired:
            waited += pause
        else:
            return None
        if is_cancelled():
            _stop(process, spec.kill_grace_seconds)
            return translate("tasks.was_cancelled")
        if timeout is not None and waited >= timeout:
            _stop(process, spec.kill_grace_seconds)
            return translate("tasks.timed_out", seconds=timeout)


def _stop(process: subprocess.Popen[bytes], grace_seconds: float) -> None:
    """End the process group: TERM, a grace, KILL; and reap the process."""
    _signal_group(process, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(grace_seconds)
    # Also after it ended by itself: what it started may be left, and keeps its group.
    _signal_group(process, signal.SIGKILL)
    process.wait()


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _pass_on(stderr: IO[bytes], tail: bytearray) -> None:
    """Copy the command's stderr to ours and keep its end."""
    with stderr:
        while chunk := os.read(stderr.fileno(), 65_536):
            tail += chunk
            del tail[:-_TAIL_BYTES]
            # Ours may be closed or full; the command goes on all the same.
            with contextlib.suppress(OSError):
                os.write(2, chunk)


def _exit_sentence(code: int, last_line: str) -> str:
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = str(-code)
        sentence = translate("tasks.killed_by", signal=name)
    else:
        sentence = translate("tasks.exit_code", code=code)
    return f"{sentence}: {last_line}" if last_line else sentence
