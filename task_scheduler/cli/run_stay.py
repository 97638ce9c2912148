"""Staying with a run that was asked for, until it has ended: `run` and `retry` do it alike.

Responsible for: showing what it writes meanwhile, telling how it ended, and the exit code of that.
"""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Any

from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.failures import CliError
from task_scheduler.cli.foot_line import FootLine
from task_scheduler.cli.moments import duration_text
from task_scheduler.cli.run_output import Neutraliser, has_output
from task_scheduler.cli.run_watch import follow_output, wait_for_end
from task_scheduler.i18n import translate

if TYPE_CHECKING:
    from task_scheduler.cli.session import Session

__all__ = ["say_goes_on", "stay"]

_UNFINISHED_BUSINESS = frozenset({"failed", "timed_out", "lost", "cancelled"})


def stay(
    session: Session,
    task_id: str,
    run_id: int,
    *,
    timeout_seconds: float | None,
    is_watching: bool,
    is_code_passed: bool = False,
) -> int:
    """Wait for the end of a run, tell of it and return the exit code.

    `is_code_passed`: that of the program itself, where it ended with one. Raises CliError when the
    time is up; Ctrl-C is passed on after it was said that the run goes on.
    """
    try:
        if not session.is_json and not is_watching:
            session.put(str(run_id))
            sys.stdout.flush()
        run = _ended(session, task_id, run_id, timeout_seconds, is_watching=is_watching)
    except KeyboardInterrupt:
        say_goes_on(session, run_id)
        raise
    if run is None:
        raise CliError(
            translate("cli.wait_over", run_id=run_id, seconds=timeout_seconds),
            ExitCode.TIMED_OUT,
            hint=translate("cli.next_logs"),
            command=f"tsk logs {run_id} -f",
            error="E3008",
        )
    return _verdict(session, run, is_code_passed=is_code_passed)


def say_goes_on(session: Session, run_id: int) -> None:
    """Tell whoever pressed Ctrl-C that this ended the following alone, and how to end the run."""
    session.say("")
    session.say(translate("top.run_goes_on", run_id=run_id))
    session.hint(translate("top.next_follow_again"), f"tsk logs {run_id} -f")
    session.hint(translate("top.next_end"), f"tsk kill {run_id}")


def _ended(
    session: Session,
    task_id: str,
    run_id: int,
    timeout_seconds: float | None,
    *,
    is_watching: bool,
) -> dict[str, Any] | None:
    if not is_watching or session.is_json:
        return wait_for_end(session, run_id, timeout_seconds=timeout_seconds)
    usual = session.view.usual_seconds([task_id]).get(task_id)
    session.say(translate("cli.watching", run_id=run_id))
    if usual is not None:
        session.say(translate("top.usually_takes", duration=duration_text(usual)))
    plain: dict[int, Neutraliser] = {}

    def show(attempt: int, data: bytes) -> None:
        if attempt not in plain:
            plain[attempt] = Neutraliser()
            if attempt > 1:
                session.say(translate("cli.attempt_begins", attempt=attempt))
        sys.stdout.write(plain[attempt].feed(data))
        sys.stdout.flush()

    foot = FootLine(session, usual)
    run = follow_output(session, run_id, show, timeout_seconds=timeout_seconds, foot=foot)
    for neutraliser in plain.values():
        sys.stdout.write(neutraliser.feed(b"", is_last=True))
    if not foot.is_at_line_start and sys.stdout.isatty():
        sys.stdout.write("\n")
    sys.stdout.flush()
    return run


def _verdict(session: Session, run: dict[str, Any], *, is_code_passed: bool) -> int:
    """Tell how the run ended; the exit code tells it too."""
    state = run["state"]
    code = {"succeeded": ExitCode.FINE, "skipped": ExitCode.CONFLICT}.get(
        state, ExitCode.RUN_FAILED
    )
    own = run["attempts"][-1]["exit_code"] if run["attempts"] else None
    answer = own if is_code_passed and own is not None and 0 <= own <= 255 else int(code)
    if session.is_json:
        session.document("run", {"run_id": run["run_id"], "is_scheduler_up": True, "run": run})
        return answer
    word = translate(f"cli.state_{state}")
    reason = translate(f"cli.reason_{run['reason']}") if run["reason"] else run["error"]
    session.say(
        translate(
            "cli.run_ended" if code is ExitCode.FINE else "cli.run_ended_badly",
            run_id=run["run_id"],
            state=word,
            duration=duration_text(run["duration_seconds"]),
            reason=reason or word,
        )
    )
    if own is not None and state == "failed" and str(own) not in str(reason):
        session.say(translate("top.exit_code", code=own))
    if state in _UNFINISHED_BUSINESS:
        if has_output(run, session.scheduler.files.runs):
            session.hint(translate("cli.next_logs"), f"tsk logs {run['run_id']}")
        else:
            session.hint(translate("cli.next_show"), f"tsk show {shlex.quote(run['task_id'])}")
        session.hint(translate("top.next_retry"), f"tsk retry {run['run_id']}")
    return answer
