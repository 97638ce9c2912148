"""Log records arrive at a journal and at syslogs on this machine, and at JSON shippers."""

from __future__ import annotations

import array
import contextlib
import json
import logging
import os
import re
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from task_scheduler import FunctionTask
from task_scheduler.observe import log_shipping
from task_scheduler.observe.log_shipping import JournalHandler, SyslogHandler
from tests.integration.facade.bench import eventually, settled
from tests.integration.monitoring.conftest import Make, troubles

SHIPPING = Path(__file__).parents[3] / "deploy" / "shipping"


@contextlib.contextmanager
def datagrams(path: Path | None = None) -> Iterator[socket.socket]:
    """Listen as a journal or a syslog does: at a path, or over UDP."""
    with socket.socket(socket.AF_UNIX if path else socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path) if path else ("127.0.0.1", 0))
        listener.settimeout(30)
        yield listener


def fields_of(data: bytes) -> dict[str, str]:
    """Read an entry as the journal does."""
    fields = {}
    while data:
        line, _, rest = data.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if equals:
            data = rest
        else:
            (size,) = struct.unpack("<Q", rest[:8])
            value, data = rest[8 : 8 + size], rest[8 + size + 1 :]
        fields[name.decode()] = value.decode()
    return fields


def received(listener: socket.socket) -> bytes:
    """Take one entry, also one that comes as a file in memory."""
    data, handed, _, _ = listener.recvmsg(1 << 20, socket.CMSG_SPACE(4))
    for _, _, raw in handed:
        descriptors = array.array("i")
        descriptors.frombytes(raw[:4])
        with os.fdopen(descriptors[0], "rb") as file:
            file.seek(0)
            data = file.read()
    return data


def entries_until(listener: socket.socket, action: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    while not found or found[-1].get("ACTION") != action:
        found.append(fields_of(received(listener)))
    return found


def record(message: str = "said", level: int = logging.INFO, **extra: object) -> logging.LogRecord:
    made = logging.getLogger("TaskScheduler").makeRecord(
        "TaskScheduler", level, "/farm/pump.py", 7, message, (), None, "pump", extra
    )
    made.created = 1_795_600_000.25
    return made


def test_the_journal_gets_what_happens_with_fields_to_find_it(make: Make, tmp_path: Path) -> None:
    with datagrams(tmp_path / "journal") as journal:
        logs = {"log_dir": str(tmp_path / "logs"), "console": False}
        scheduler = make(logging={**logs, "journald": str(tmp_path / "journal")})
        scheduler.add_task(FunctionTask("bad", None, lambda: 1 / 0))
        run_id = scheduler.run_task("bad")
        settled(scheduler, run_id)
        entries = entries_until(journal, "RunSettled")
    end = entries[-1]

    assert {"ACTION": "RunSettled", "TASK_ID": "bad", "RUN_ID": str(run_id)}.items() <= end.items()
    assert (end["PRIORITY"], end["SYSLOG_IDENTIFIER"]) == ("3", "task-scheduler")
    assert "ZeroDivisionError" in end["MESSAGE"]
    assert "SchedulerStarted" in [entry.get("ACTION") for entry in entries]


def test_what_is_longer_than_a_datagram_arrives_whole(tmp_path: Path) -> None:
    with datagrams(tmp_path / "journal") as journal:
        handler = JournalHandler(str(tmp_path / "journal"))
        handler.emit(record("fish " * 200_000, task_id="count"))
        fields = fields_of(received(journal))
        handler.close()

    assert (len(fields["MESSAGE"]), fields["TASK_ID"]) == (1_000_000, "count")


def test_a_message_cannot_make_fields_of_its_own(tmp_path: Path) -> None:
    with datagrams(tmp_path / "journal") as journal:
        handler = JournalHandler(str(tmp_path / "journal"), mask=lambda t: t.replace("key", "***"))
        handler.emit(record("one\nPRIORITY=0\nkey", task_id="a\nUID=0"))
        fields = fields_of(received(journal))
        handler.close()

    assert (fields["PRIORITY"], "UID" in fields) == ("6", False)
    assert fields["MESSAGE"] == r"one\nPRIORITY=0\n***"


def test_a_syslog_of_this_machine_gets_lines_as_the_c_library_writes_them(
    make: Make, tmp_path: Path
) -> None:
    with datagrams(tmp_path / "log") as syslog:
        logs = {"log_dir": str(tmp_path / "logs"), "console": False}
        given = {"address": str(tmp_path / "log"), "facility": "local3"}
        make(logging={**logs, "syslog": given})
        line = received(syslog).decode()

    assert re.fullmatch(
        rf"<{19 * 8 + 6}>[A-Z][a-z]{{2}} [ \d]\d \d\d:\d\d:\d\d"
        rf" task-scheduler\[{os.getpid()}\]: .+",
        line,
    ), line


def test_a_syslog_over_udp_gets_structured_data() -> None:
    with datagrams() as syslog:
        handler = SyslogHandler(syslog.getsockname(), mask=lambda t: t.replace("key", "***"))
        handler.emit(record('the key "is" gone\nx', logging.ERROR, action="Said", task_id='a"]key'))
        line = received(syslog).decode()
        handler.close()

    priority, version, rest = re.fullmatch(r"<(\d+)>(\d) (.*)", line).groups()  # type: ignore[union-attr]
    moment, _, name, pid, action, data = rest.split(" ", 5)
    assert (priority, version, name, pid, action) == (
        str(3 * 8 + 3),
        "1",
        "task-scheduler",
        str(os.getpid()),
        "Said",
    )
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d", moment)
    assert data == r'[taskScheduler@32473 task_id="a\"\]***"] the *** "is" gone\nx'


def test_a_listener_that_is_stopped_holds_up_nobody_and_is_told_what_it_missed(
    tmp_path: Path,
) -> None:
    """Its queue is full after a while: a handler that waited would stop the engine here."""
    with datagrams(tmp_path / "log") as syslog:
        handler = SyslogHandler(str(tmp_path / "log"))
        for number in range(5_000):
            handler.emit(record(f"line {number}"))
        assert handler.trouble
        lost = handler._missing
        taken = 0
        syslog.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while syslog.recv(65_536):
                taken += 1
        handler.emit(record("after"))
        told, after = syslog.recv(65_536).decode(), syslog.recv(65_536).decode()
        handler.close()

    assert taken + lost == 5_000
    assert str(lost) in told
    assert after.endswith(": after")
    assert handler.trouble == ""


def test_a_listener_that_is_started_anew_is_found_again(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with datagrams(path):
        handler = SyslogHandler(str(path))
    handler.emit(record("nobody hears"))
    path.unlink()
    with datagrams(path) as syslog:
        handler.emit(record("again"))
        lines = [received(syslog).decode() for _ in range(2)]
        handler.close()

    assert lines[1].endswith(": again")


def test_where_nobody_listens_the_problem_is_shown_and_is_over_once_somebody_does(
    make: Make, tmp_path: Path
) -> None:
    path = tmp_path / "journal"
    logs = {"log_dir": str(tmp_path / "logs"), "console": False}
    scheduler = make(logging={**logs, "journald": str(path)})

    problem = eventually("the problem is shown", lambda: troubles(scheduler, "log_failed"))[0]
    assert problem["where"] == str(path)

    with datagrams(path):
        eventually("the problem is over", lambda: not troubles(scheduler, "log_failed"))


# -- shippers of JSON lines -----------------------------------------------------------------------


def json_lines(make: Make, tmp_path: Path) -> list[dict[str, object]]:
    """Return the lines of a log with everything in it that a line may have."""
    logs = {"log_dir": str(tmp_path / "logs"), "console": False, "format": "json"}
    scheduler = make(logging=logs)
    scheduler.add_task(FunctionTask("bad", None, lambda: 1 / 0))
    settled(scheduler, scheduler.run_task("bad"))
    log = tmp_path / "logs" / "scheduler.log"
    eventually("the end is logged", lambda: "RunSettled" in log.read_text())
    try:
        raise ValueError("a traceback")
    except ValueError:
        logging.getLogger("TaskScheduler").exception("with a traceback", extra={"fault": "x"})
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_a_name_that_takes_long_to_look_up_holds_up_nobody_who_logs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def look_up(*_: object) -> socket.socket:
        if handlers:
            begun.set()
            may_end.wait(60)
        raise OSError("no such name")

    handlers: list[SyslogHandler] = []
    monkeypatch.setattr(log_shipping, "_connected", look_up)
    handler = SyslogHandler(("logs.example", 514))
    handlers.append(handler)
    probing = threading.Thread(target=handler.probe)
    logging_ = threading.Thread(target=handler.handle, args=[record()])
    try:
        probing.start()
        assert begun.wait(30)
        logging_.start()
        logging_.join(30)
        assert not logging_.is_alive()
    finally:
        may_end.set()
        probing.join()
        handler.close()
    assert handler.trouble == "no such name"


def test_a_name_that_can_be_none_is_told() -> None:
    handler = SyslogHandler(("logs..example", 514))

    assert "label" in handler.trouble
    handler.close()


def test_the_lines_have_every_field_that_the_shippers_use(make: Make, tmp_path: Path) -> None:
    fields = {name for line in json_lines(make, tmp_path) for name in line}
    vector = yaml.safe_load((SHIPPING / "vector.yaml").read_text(encoding="utf-8"))
    source = vector["transforms"]["task_scheduler_events"]["source"]
    made = set(re.findall(r"^\s*\.([a-z_]+) =", source, re.MULTILINE)) | {"run"}
    used = set(re.findall(r"(?<![\w)])\.([a-z_]+)", source)) - {"host", "message"} | {"message"}
    labels = set(re.findall(r"\{\{ ([a-z_]+) \}\}", json.dumps(vector["sinks"])))
    rsyslog = (SHIPPING / "rsyslog.conf").read_text(encoding="utf-8")
    of_rsyslog = set(re.findall(r'"\$!([a-z_]+)"', rsyslog))

    assert {"time", "level", "action", "task_id", "run_id", "attempt"} <= used
    assert used - made - fields - {"timestamp"} == set()
    assert labels - made - fields - {"host"} == set()
    assert len(of_rsyslog) >= 8
    assert of_rsyslog - fields == set()


@pytest.mark.may_skip(reason="rsyslog is not everywhere")
def test_rsyslog_ships_the_lines_as_its_example_says(make: Make, tmp_path: Path) -> None:
    daemon = shutil.which("rsyslogd") or shutil.which("rsyslogd", path="/usr/sbin")
    if daemon is None:
        pytest.skip("rsyslogd is not on the PATH")
    lines = json_lines(make, tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as sink:
        sink.settimeout(60)
        port = sink.getsockname()[1]
        text = (SHIPPING / "rsyslog.conf").read_text(encoding="utf-8")
        for old, new in {
            "/var/log/task-scheduler/scheduler.log": str(tmp_path / "logs" / "scheduler.log"),
            'target="logs.example" port="514"': f'target="127.0.0.1" port="{port}"',
        }.items():
            assert old in text
            text = text.replace(old, new)
        config = tmp_path / "rsyslog.conf"
        config.write_text(f'global(workDirectory="{tmp_path}")\n{text}', encoding="utf-8")
        process = subprocess.Popen(
            [daemon, "-n", "-f", str(config), "-i", str(tmp_path / "pid")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            connection, _ = sink.accept()
            connection.settimeout(60)
            with connection, connection.makefile("r", encoding="utf-8") as stream:
                shipped = [json.loads(stream.readline()) for _ in lines]
        finally:
            process.terminate()
            process.communicate(timeout=60)

    assert [event["message"] for event in shipped] == [line["message"] for line in lines]
    ends = [event for event in shipped if event.get("action") == "RunSettled"]
    assert ends[0]["task_id"] == "bad"
