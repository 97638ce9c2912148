"""`tsk logs`: what a run wrote, also while it runs; `--scheduler` shows the scheduler's own log."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.display_width import showable
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.failures import CliError, MistypedError
from task_scheduler.cli.parameters import Number
from task_scheduler.cli.run_output import Neutraliser, OutputFile, output_files, tail_offset
from task_scheduler.cli.run_stay import say_goes_on
from task_scheduler.cli.run_watch import LIVING, follow_output
from task_scheduler.cli.session import Session
from task_scheduler.errors import RunNotFoundError
from task_scheduler.i18n import translate

_POLL_SECONDS = 0.1


@cli_command(
    "logs",
    examples=("tsk logs data_upload", "tsk logs 118 -n 20", "tsk logs heartbeat -f"),
)
@click.argument("which", required=False, metavar="[TASK|RUN_ID]")
@click.option("-f", "--follow", "is_following", is_flag=True)
@click.option("-n", "--last", "lines", type=Number(), metavar="N")
@click.option("--attempt", type=Number(), metavar="N")
@click.option("--raw", "is_raw", is_flag=True)
@click.option("--scheduler", "is_scheduler", is_flag=True)
def command(
    session: Session,
    which: str | None,
    *,
    is_following: bool,
    lines: int | None,
    attempt: int | None,
    is_raw: bool,
    is_scheduler: bool,
) -> ExitCode:
    """Print output."""
    if is_scheduler:
        _put_scheduler_log(session, lines, is_following=is_following, is_raw=is_raw)
        return ExitCode.FINE
    if which is None:
        sentence = translate("cli.missing_argument", name="TASK|RUN_ID")
        raise MistypedError(sentence, click.get_current_context(), error="E1003")
    run = _run_meant(session, which)
    writer = _Writer(session, run, is_raw=is_raw, is_following=is_following)
    if is_following and attempt is None and run["state"] in LIVING:
        session.say(translate("cli.watching", run_id=run["run_id"]))
        try:
            ended = follow_output(session, run["run_id"], writer.write, lines=lines)
        except KeyboardInterrupt:
            writer.close()
            say_goes_on(session, run["run_id"])
            raise
        writer.close()
        if ended is not None:
            state = translate(f"cli.state_{ended['state']}")
            session.say(translate("cli.logs_ended", run_id=run["run_id"], state=state))
        return ExitCode.FINE
    _put_output(session, run, writer, attempt=attempt, lines=lines)
    return ExitCode.FINE


def _run_meant(session: Session, which: str) -> dict[str, Any]:
    """Return the run of an id, or the newest run of a task that was begun, else the newest."""
    view = session.view
    if which.isascii() and which.isdigit() and not view.tasks([which], with_quantiles=False):
        return view.run(int(which))
    view.task(which)
    runs = [run for run in view.runs(which, limit=100) if run["state"] != "skipped"]
    if not runs:
        raise CliError(
            translate("cli.never_ran_yet", task_id=which),
            ExitCode.NOT_FOUND,
            hint=translate("cli.next_run_it"),
            command=f"tsk run {shlex.quote(which)} --watch",
            error="E3006",
        )
    begun = next((run for run in runs if run["attempt"] or run["started_at"]), runs[0])
    return view.run(begun["run_id"])


class _Writer:
    """Write output as text, as bytes, or as JSON lines."""

    def __init__(
        self, session: Session, run: Mapping[str, Any], *, is_raw: bool, is_following: bool
    ) -> None:
        self._session = session
        self._is_following = is_following
        self._run_id = run["run_id"]
        self._is_one_of_several = bool(run["attempts"])
        self._is_raw = is_raw
        self._plain: dict[int, Neutraliser] = {}
        self._open: dict[int, str] = {}

    def write(self, attempt: int, data: bytes) -> None:
        """Write what an attempt wrote."""
        if self._is_raw:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            return
        if attempt not in self._plain:
            self._plain[attempt] = Neutraliser()
            if self._is_following and (attempt > 1 or self._is_one_of_several):
                self._session.say(translate("cli.attempt_begins", attempt=attempt))
        self._put(attempt, self._plain[attempt].feed(data))

    def close(self) -> None:
        """Write what was held back."""
        for attempt, neutraliser in self._plain.items():
            self._put(attempt, neutraliser.feed(b"", is_last=True))
            if self._open.get(attempt):
                self._put(attempt, "\n")
        sys.stdout.flush()

    def _put(self, attempt: int, text: str) -> None:
        if not self._session.is_jsonl:
            sys.stdout.write(text)
            sys.stdout.flush()
            return
        *whole, rest = (self._open.get(attempt, "") + text).split("\n")
        self._open[attempt] = rest
        for line in whole:
            values = {"run_id": self._run_id, "attempt": attempt, "line": line}
            self._session.record("log", values)


def _put_output(
    session: Session,
    run: dict[str, Any],
    writer: _Writer,
    *,
    attempt: int | None,
    lines: int | None,
) -> None:
    """Write the output of one attempt: the one named, else the last."""
    files = {
        number: path
        for number, path in output_files(run, session.scheduler.files.runs).items()
        if path.exists()
    }
    number = attempt if attempt is not None else max(files, default=None)
    if number is None or number not in files:
        _refuse_unknown(run, attempt)
        if session.is_json:
            session.document("logs", {"run": run, "attempt": number, "output": None})
        _say_no_output(session, run)
        return
    file = OutputFile(files[number], tail_offset(files[number], lines) if lines else 0)
    if session.is_json:
        plain = Neutraliser()
        text = "".join(plain.feed(data) for data in file.chunks())
        text += plain.feed(b"", is_last=True)
        session.document("logs", {"run": run, "attempt": number, "output": text})
        return
    if number > 1 and attempt is None:
        session.say(translate("cli.attempt_of", attempt=number, run_id=run["run_id"]))
    for data in file.chunks():
        writer.write(number, data)
    writer.close()


def _refuse_unknown(run: dict[str, Any], attempt: int | None) -> None:
    """Raise RunNotFoundError for an attempt that the run does not have."""
    numbers = [item["attempt"] for item in run["attempts"]]
    if attempt is not None and attempt not in numbers and attempt != run["attempt"]:
        raise RunNotFoundError("cli.no_attempt", run_id=run["run_id"], attempt=attempt)


def _say_no_output(session: Session, run: dict[str, Any]) -> None:
    if run["state"] == "waiting":
        session.say(translate("cli.not_begun", run_id=run["run_id"]))
        return
    for item in run["attempts"]:
        if item["error"]:
            number, error = item["attempt"], showable(item["error"])
            session.say(translate("cli.attempt_error", attempt=number, error=error))
    session.say(translate("cli.no_output", run_id=run["run_id"]))
    session.hint(translate("cli.next_scheduler_log"), "tsk logs --scheduler -n 50")


def _put_scheduler_log(
    session: Session, lines: int | None, *, is_following: bool, is_raw: bool
) -> None:
    """Write the scheduler's own log file, and what is added to it."""
    config = session.scheduler.config
    path = config.folder / config.settings.logging.log_dir / config.settings.logging.log_file
    if not path.exists() and not is_following:
        raise CliError(
            translate("cli.no_log_file", path=path),
            ExitCode.NOT_FOUND,
            hint=translate("cli.next_start"),
            command="tsk up",
            error="E3013",
        )
    plain = Neutraliser()

    def show(data: bytes) -> None:
        if is_raw:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        else:
            sys.stdout.write(plain.feed(data))
            sys.stdout.flush()

    file = OutputFile(path, tail_offset(path, lines) if lines else 0)
    for data in file.chunks():
        show(data)
    if is_following:
        _follow_rotated(path, file, show)


def _follow_rotated(path: Path, file: OutputFile, show: Callable[[bytes], None]) -> None:
    """Show what is added to a file, also after a new one took its place; ends by Ctrl-C."""
    identity = _identity(path)
    while True:
        time.sleep(_POLL_SECONDS)
        current = _identity(path)
        if current is not None and current != identity:
            file = OutputFile(path) if identity is not None else file
            identity = current
        for data in file.chunks():
            show(data)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
