"""The supervisor of one attempt: it starts the task, watches it, ends it, and records the end.

Responsible for: one attempt from its permit to its exit record. It ends only when nothing of the
task's process tree is left, which the kernel itself confirms: it adopts every orphan of the tree,
so when it has no child there is no descendant.

Where orphans cannot be adopted (not Linux) it knows the task's process group only; the record says
so. It needs nobody: the scheduler may die, and the next one reads the record.
"""

from __future__ import annotations

import errno
import math
import os
import select
import signal
import time
from contextlib import suppress

from task_scheduler.clock import SystemClock
from task_scheduler.supervision import attempt_files, kernel, process_tree
from task_scheduler.supervision.census import Census, oom_kills
from task_scheduler.supervision.exit_record import ExitRecord, ring
from task_scheduler.supervision.hearing import Hearing, hold_back
from task_scheduler.supervision.orders import Order
from task_scheduler.supervision.output import Output
from task_scheduler.supervision.process_tree import descendants, start_time
from task_scheduler.supervision.task_start import REPORT_BYTES, start_task, why_not_started

__all__ = ["supervise"]

_SECOND = 1_000_000
_SETTLE = _SECOND // 10
"""How long what the task left behind may take to end by itself before it is told to."""
_LONGEST_LOOK_SECONDS = 1.0
"""A sleep does not count the time the machine is suspended; a timeout does."""
_CHUNK_BYTES = 65_536
_BLOCK_BYTES = 512
"""In which Linux counts what a process reads from and writes to disks, caches left out."""
_DRAIN_CHUNKS = 256
_ERROR_CHARACTERS = 800
_TROUBLE = 3 * _SECOND
"""How long what was killed may take to be gone before somebody is told."""
_SIGNAL_NAMES = {int(number): number.name for number in signal.Signals}
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ESTALE)


def supervise(order: Order) -> int:
    """Carry out one order; return 0, or the number of the error that kept it from starting.

    Returns 0 too where the start was decided before: then there is nothing to do. The caller, a
    process made for this, holds its signals back and ends with the number as its exit status.
    """
    try:
        lock = _hold(order.folder)
        # An output alone: its end is recorded, and all the rest forgotten.
        if lock is None or attempt_files.exists(order.folder, "output"):
            return 0
        new_output = attempt_files.path_in(order.folder, "output.new")
        if attempt_files.exists(order.folder, "output.new"):
            # Of one that was killed before its permit: we have the lock that it had.
            os.unlink(new_output)
        output = Output(new_output, order.output_limit_bytes, order.text)
        record = ExitRecord(order.folder)
        supervisor = Supervisor(order, lock, output)
        if not attempt_files.create_permit(order.folder):
            return 0
        # Not before: an output forbids a start.
        os.rename(new_output, attempt_files.path_in(order.folder, "output"))
    except OSError as error:
        return error.errno or 1
    try:
        fields = supervisor.run()
    except Exception as error:  # fence: attempt
        supervisor.end_tree()
        fields = supervisor.record("failed", order.text("internal", reason=repr(error)))
    return supervisor.write(record, fields)


class Supervisor:
    """One attempt whose permit is ours."""

    def __init__(self, order: Order, lock: int, output: Output) -> None:
        self._order = order
        self._lock = lock
        self._output = output
        self._masker = None
        if order.masks:
            from task_scheduler.masking import StreamMasker  # few tasks have secrets

            self._masker = StreamMasker(order.masks)
        self._bounds = None
        if "limits" in order.confinement:
            # Now: at the end, after an upgrade on the disk, it would be another release's.
            from task_scheduler.confinement.bounds import Bounds

            self._bounds = Bounds(order.confinement, attempt_files.path_in(order.folder, "group"))
        self._clock = SystemClock()
        self._has_subreaper = kernel.adopt_orphans()
        self._status: int | None = None
        """The task's exit code; of a signal that ended it, its negative number."""
        self._start_report: bytes | None = None
        self._is_asked_to_end = False
        self._is_hurried = False
        self._started_at, self._began = self._clock.now(), self._clock.boottime()
        self._pid = self._leftover_count = self._max_rss = 0
        self._cpu_seconds, self._blocks_read, self._blocks_written = 0.0, 0, 0
        self._census = Census(order.folder, self._began)
        self._oom_kills = oom_kills()
        self._poll = select.poll()
        self._pipe = self._report = -1
        self._hearing = Hearing()
        self._poll.register(self._hearing, select.POLLIN)

    def run(self) -> dict[str, object]:
        """Take the attempt to its end; return the fields of its exit record."""
        self._write_holder()
        # Who cancels writes the reason, then looks for our pid; we the reverse: one of us sees it.
        if attempt_files.read_cancel_reason(self._order.folder) is not None:
            return self._verdict("cancelled")
        try:
            self._start()
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            return self.record("failed", self._order.text("not_started", reason=reason))
        hold_back(())
        outcome = self._watch()
        self._ask_to_end()
        self.end_tree()
        self._drain()
        return self._verdict(outcome)

    def write(self, record: ExitRecord, fields: dict[str, object]) -> int:
        """Record the end and ring; return 0, or the number of the error that kept us from it.

        A full or read-only disk holds the attempt open until it has room, or until somebody is in
        a hurry: nothing of the tree is left, and its exit code is worth the wait.
        """
        hold_back(())
        while True:
            try:
                record.write(fields)
            except OSError as error:
                if error.errno in _GONE or self._is_hurried:
                    return error.errno or 1
                self._turn(_LONGEST_LOOK_SECONDS)
            else:
                self._ring()
                return 0

    def end_tree(self) -> None:
        """End everything that is left of the task: KILL, until nothing is left."""
        pause = 0.005
        alarm_at = self._clock.boottime() + _TROUBLE
        while not self._is_empty():
            self._signal_group(signal.SIGKILL)
            process_tree.kill_descendants(os.getpid())
            self._turn(pause)
            if self._clock.boottime() >= alarm_at:
                alarm_at += 60 * _TROUBLE
                self._call_for_help()
            # What waits for a disk that does not answer ends only then, and holds the attempt open.
            pause = min(pause * 2, _LONGEST_LOOK_SECONDS)

    def record(self, outcome: str, error: str | None) -> dict[str, object]:
        """Return the fields of the exit record."""
        status = self._status
        number = -status if status is not None and status < 0 else None
        tree_peak = self._census.peak_memory_bytes
        return {
            "format": attempt_files.FORMAT,
            "outcome": outcome,
            "exit_code": None if number else status,
            "signal": number,
            "started_at": self._started_at,
            "ended_at": max(self._clock.now(), self._started_at),
            "error": None if error is None else error[:_ERROR_CHARACTERS],
            "output_bytes": self._output.total_bytes,
            "is_truncated": self._output.is_truncated,
            "output_error": self._output.error,
            "leftover_count": self._leftover_count,
            "cpu_seconds": round(self._cpu_seconds, 6),
            "read_bytes": self._blocks_read * _BLOCK_BYTES,
            "written_bytes": self._blocks_written * _BLOCK_BYTES,
            "max_rss_bytes": self._max_rss,
            "peak_memory_bytes": max(self._max_rss, tree_peak),
            "memory_source": "tree" if tree_peak >= self._max_rss else "largest_process",
            "supervision": "subreaper" if self._has_subreaper else "process_group",
            **self._order.notes,
        }

    def _start(self) -> None:
        self._pipe, pipe_write = os.pipe()
        self._pid, self._report = start_task(self._order, pipe_write)
        os.close(pipe_write)
        os.set_blocking(self._pipe, False)
        self._poll.register(self._pipe, select.POLLIN)
        self._poll.register(self._report, select.POLLIN)
        self._write_holder()

    def _write_holder(self) -> None:
        holder = (os.getpid(), start_time(os.getpid()), self._pid, start_time(self._pid))
        attempt_files.write_holder(self._lock, holder)

    def _watch(self) -> str | None:
        """Wait for the end of the task; return the outcome if another decides it."""
        timeout = self._order.timeout_seconds
        deadline = math.inf if timeout is None else self._began + round(timeout * _SECOND)
        while self._status is None:
            if self._is_asked_to_end:
                return "cancelled"
            now = self._clock.boottime()
            if now >= deadline:
                return "timed_out"
            if now >= self._census.next_look:
                self._census.look(descendants(os.getpid()), self._pid, now)
            self._turn((min(self._census.next_look, deadline) - now) / _SECOND)
        return None

    def _ask_to_end(self) -> None:
        """Let the tree end by itself: what a task left behind has a moment, then TERM and grace."""
        if self._status is not None:
            self._turn_until(self._clock.boottime() + _SETTLE)
            stats = map(process_tree.read_stat, descendants(os.getpid()))
            self._leftover_count = sum(stat is not None and stat.is_living for stat in stats)
        if not self._is_empty():
            self._signal_tree(signal.SIGTERM)
            # What was stopped cannot end.
            self._signal_tree(signal.SIGCONT)
            grace = round(self._order.kill_grace_seconds * _SECOND)
            self._turn_until(self._clock.boottime() + grace)

    def _verdict(self, outcome: str | None) -> dict[str, object]:
        text = self._order.text
        if outcome is not None:
            is_cancel = outcome == "cancelled"
            reason = attempt_files.read_cancel_reason(self._order.folder) if is_cancel else None
            # The order of a task without a limit on CPU has no such words.
            held_back = text("held_back", seconds=self._bounds.held_back()) if self._bounds else ""
            return self.record(outcome, reason or text(outcome) + held_back)
        if self._start_report:
            return self.record("failed", why_not_started(self._start_report, self._order))
        status = self._status or 0
        if status == 0:
            return self.record("succeeded", None)
        sentence = text("exit_code", code=str(status))
        number = -status if status < 0 else None
        if number is not None:
            is_oom = number == signal.SIGKILL and oom_kills() > self._oom_kills
            name = {"signal": _SIGNAL_NAMES.get(number, str(number))}
            # An order of an older release has no words for the first.
            sentence = (is_oom and text("out_of_memory", **name)) or text("killed_by", **name)
        last_line = self._output.last_line()
        if self._bounds:
            limit = self._bounds.reached(number, last_line, self._cpu_seconds)
            sentence = text(f"limit_{limit}") or sentence
        return self.record("failed", f"{sentence}: {last_line}" if last_line else sentence)

    def _turn_until(self, moment: int) -> None:
        """Go on until the tree is empty, the moment (boot clock) has come, or there is a hurry."""
        # Where orphans are not ours nobody tells of their end.
        longest = _LONGEST_LOOK_SECONDS if self._has_subreaper else 0.05
        while (left := moment - self._clock.boottime()) > 0 and not self._is_hurried:
            if self._is_empty():
                return
            self._turn(min(left / _SECOND, longest))

    def _turn(self, seconds: float) -> None:
        """Wait up to `seconds` for something to happen, and take it in."""
        for descriptor, _ in self._poll.poll(seconds * 1_000):
            if descriptor == self._pipe:
                self._copy()
            elif descriptor == self._report:
                # Empty: exec has closed it, the program runs.
                self._start_report = os.read(self._report, REPORT_BYTES)
                self._report = self._let_go(self._report)
            else:
                numbers = self._hearing.heard()
                # QUIT is a cancel without a grace.
                self._is_hurried |= signal.SIGQUIT in numbers
                self._is_asked_to_end |= self._is_hurried or signal.SIGTERM in numbers
                # Only when told to look: the answer is large, and memory that was touched stays.
                self._reap()

    def _copy(self) -> bool:
        """Take what the pipe holds now; False when there is nothing."""
        try:
            chunk = os.read(self._pipe, _CHUNK_BYTES)
        except BlockingIOError:
            return False
        if chunk:
            self._output.add(self._masker.feed(chunk) if self._masker else chunk)
        else:
            self._pipe = self._let_go(self._pipe)
        return bool(chunk)

    def _drain(self) -> None:
        """Take what is left in the pipe; a stranger who was handed its other end may go on."""
        for _ in range(_DRAIN_CHUNKS):
            if self._pipe < 0 or not self._copy():
                break
        if self._masker is not None:
            self._output.add(self._masker.flush())
        if self._report >= 0:
            self._start_report = os.read(self._report, REPORT_BYTES)

    def _let_go(self, descriptor: int) -> int:
        self._poll.unregister(descriptor)
        os.close(descriptor)
        return -1

    def _reap(self) -> bool:
        """Reap what has ended: the task, and orphans that came to us; whether any child is left."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if not pid:
                return True
            if pid == self._pid:
                self._status = os.waitstatus_to_exitcode(status)
            self._cpu_seconds += usage.ru_utime + usage.ru_stime
            self._blocks_read += usage.ru_inblock
            self._blocks_written += usage.ru_oublock
            # Linux counts it in KiB.
            self._max_rss = max(self._max_rss, usage.ru_maxrss * 1_024)

    def _is_empty(self) -> bool:
        """Whether nothing of the task's tree is left."""
        is_alone = not (self._reap() or self._signal_group(0))
        return is_alone and (self._bounds is None or self._bounds.end())

    def _signal_tree(self, number: int) -> None:
        self._signal_group(number)
        for pid in descendants(os.getpid()):
            # Another user's may refuse. What cannot be ended is told later.
            with suppress(PermissionError):
                process_tree.send(pid, number)

    def _signal_group(self, number: int) -> bool:
        """Signal the task's group where nothing else is known of its tree; whether there is one."""
        if self._has_subreaper or not self._pid:
            return False
        try:
            os.killpg(self._pid, number)
        except OSError as error:
            # Another user's is there all the same.
            return error.errno == errno.EPERM
        return True

    def _call_for_help(self) -> None:
        """Tell the scheduler who does not end: another user's, or one that waits for a disk."""
        left = " ".join(map(str, descendants(os.getpid())))
        attempt_files.write_trouble(self._order.folder, "undying", left or str(self._pid))
        self._ring()

    def _ring(self) -> None:
        ring(self._order.bell, os.path.basename(self._order.folder))


def _hold(folder: bytes) -> int | None:
    """Take the lock for life; None if the start of the attempt is decided."""
    while not attempt_files.exists(folder, "permit"):
        lock = attempt_files.try_lock(folder)
        if lock is not None:
            return lock
        # Somebody looks at the files, or a second order for the same attempt came first.
        time.sleep(0.005)
    return None
