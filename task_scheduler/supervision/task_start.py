"""The start of a task: from the fork to the first instruction of its program.

Responsible for: session, signals, descriptors, folder and environment of the new process, and for
telling why its program did not start. What stands here runs between fork and exec.
"""

from __future__ import annotations

import errno
import json
import os
import signal
from collections.abc import Callable

from task_scheduler.supervision import kernel
from task_scheduler.supervision.hearing import HEARD, hold_back
from task_scheduler.supervision.orders import Order
from task_scheduler.supervision.small_files import read_file, write_file

__all__ = ["REPORT_BYTES", "start_task", "why_not_started"]

_STEP_FOLDER = b"folder"
_STEP_PROGRAM = b"program"
_STEP_REFUSED = b"refused"
REPORT_BYTES = 4_096
"""What a report may have; a pipe takes it as a whole."""
_OOM_SCORE = 500
"""Where memory runs out the kernel should take the task, not its supervisor or the scheduler."""
_DEFAULT_PATH = b"/usr/local/bin:/usr/bin:/bin"
_WORDS = {errno.EACCES: "not_allowed", errno.ENOEXEC: "no_format", errno.E2BIG: "too_long"}

enter: Callable[[list[bytes], dict[bytes, bytes], int], None] | None = None
"""A template's: has this process become its program without executing one, or returns. Given:
arguments, environment and the report, which it closes."""
end_process: Callable[[int], object] = os._exit
"""How a forked process is kept from returning into its parent's frames; a template's lets one pass
that became a script."""


def why_not_started(report: bytes, order: Order) -> str:
    """Return what a report says, in the words of the order."""
    step, _, rest = report.partition(b" ")
    if step == _STEP_REFUSED:
        reason, what, why = json.loads(rest)
        return order.text(f"refused_{reason}", what=what, why=why)
    number, interpreter = int(rest), ""
    if step == _STEP_FOLDER:
        key = "no_folder" if number in (errno.ENOENT, errno.ENOTDIR) else "not_started"
    elif number == errno.ENOENT:
        interpreter = _missing_interpreter(order)
        key = "no_interpreter" if interpreter else "no_program"
    else:
        key = _WORDS.get(number, "not_started")
    return order.text(key, interpreter=interpreter, reason=os.strerror(number))


def start_task(order: Order, output: int) -> tuple[int, int]:
    """Fork the task, whose output goes to the pipe `output`.

    Returns its pid and a pipe that ends when its program has started, or tells why it did not. The
    caller holds its signals back. Raises OSError where the system gives no process: the attempt is
    over then, and what is open here ends with its supervisor.
    """
    report_read, report_write = os.pipe()
    supervisor = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            _become(order, supervisor, output, report_write)
        finally:
            # Nothing may ever return from here into a second supervisor.
            end_process(126)
    os.close(report_write)
    return pid, report_read


def _become(order: Order, supervisor: int, output: int, report: int) -> None:
    """Turn this process into the task; on failure tell it and end."""
    step = _STEP_FOLDER
    try:
        os.setsid()
        kernel.die_with_parent()
        if os.getppid() != supervisor:
            return
        _default_signals()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        _raise_oom_score()
        argv, program, env = order.argv, None, order.env
        if order.confinement:
            argv, program = _confine(order, env, report)
            # Another user's process would not die with us: the kernel has forgotten that.
            kernel.die_with_parent()
        os.chdir(order.working_dir)
        step = _STEP_PROGRAM
        if enter is not None:
            enter(argv, env, report)
        number = _exec(order, argv, program, env)
    except OSError as error:
        number = error.errno or errno.EIO
    except ValueError:
        # A NUL in an argument.
        number = errno.EINVAL
    os.write(report, step + b" %d" % number)
    os._exit(127 if number == errno.ENOENT else 126)


def _confine(order: Order, env: dict[bytes, bytes], report: int) -> tuple[list[bytes], str | None]:
    """Confine this process; return its arguments, and its program where that is open already."""
    from task_scheduler.confinement.plan import confine  # few ask for it; it needs more modules
    from task_scheduler.confinement.refusal import StartRefusedError

    try:
        return confine(order.confinement, order.argv, env)
    except StartRefusedError as refusal:
        os.write(report, _STEP_REFUSED + b" " + refusal.encode()[: REPORT_BYTES - 16])
        os._exit(126)


def _default_signals() -> None:
    signal.set_wakeup_fd(-1)
    # A signal must end this process already, not only its program. Python ignores the last two for
    # itself, and what is ignored stays so in the new program.
    for number in (*HEARD, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    hold_back(())


def _raise_oom_score() -> None:
    path = b"/proc/self/oom_score_adj"
    score = read_file(path)
    if score and int(score) < _OOM_SCORE:
        write_file(path, b"%d" % _OOM_SCORE)


def _exec(order: Order, argv: list[bytes], program: str | None, env: dict[bytes, bytes]) -> int:
    """Start the program; return the error number of the failure that tells most."""
    worst = errno.ENOENT
    for path in _candidates(order) if program is None else [program]:
        try:
            os.execve(path, argv, env)  # noqa: S606  no shell is what we want
        except (FileNotFoundError, NotADirectoryError):
            continue
        except PermissionError:
            worst = errno.EACCES
    return worst


def _candidates(order: Order) -> list[bytes]:
    """Return the paths under which the program may be, in the order of the search."""
    program = order.argv[0]
    if b"/" in program:
        return [program]
    folders = order.env.get(b"PATH", _DEFAULT_PATH).split(b":")
    return [os.path.join(folder, program) for folder in folders]


def _missing_interpreter(order: Order) -> str:
    """Return the interpreter that the program's first line names, if the program is there."""
    for path in _candidates(order):
        content = read_file(os.path.realpath(os.path.join(order.working_dir, path)), 256)
        first = (content or b"").partition(b"\n")[0]
        if first.startswith(b"#!"):
            # A line that ends as Windows ends it names an interpreter with \r in its name.
            line = first[2:].strip(b" \t").decode("utf-8", "replace").replace("\r", "\\r")
            return line.split()[0] if line else ""
    return ""
