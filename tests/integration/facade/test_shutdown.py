"""The end: stop, signals, programs that just end, and what outlives a scheduler that is killed."""

from __future__ import annotations

import json
import signal
import threading
import time

from task_scheduler import CommandTask, FunctionTask, ScriptTask, current_run
from tests.integration.facade.bench import Bench, Neighbour, eventually, is_alive, ran, settled


def nothing() -> None:
    """Succeed."""


_TREE = """
import os, subprocess, sys, time
child = subprocess.Popen(["sleep", "600"], start_new_session=True)
with open(sys.argv[1] + ".new", "w") as file:
    file.write(f"{os.getpid()} {child.pid}")
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(600)
"""

_FOREVER = """
scheduler = make(**OPTIONS)
scheduler.add_task(CommandTask("sleeps", command=COMMAND, timeout=None))
scheduler.add_task(CommandTask("beat", command=["true"]), every=0.2)
run_id = scheduler.run_task("sleeps")
def announce():
    until(lambda: scheduler.get_task_status("sleeps")["running_count"])
    print("READY", flush=True)
threading.Thread(target=announce, daemon=True).start()
code = scheduler.run_forever()
print("ENDED", scheduler.view.run(run_id)["state"], flush=True)
sys.exit(code)
"""


def forever(command: list[str], **options: object) -> str:
    """Return a program that runs in the foreground with one long run."""
    return f"OPTIONS = {options!r}\nCOMMAND = {command!r}\n{_FOREVER}"


def test_stop_waits_for_what_runs_and_starts_nothing_more(bench: Bench) -> None:
    scheduler = bench.running()
    begun, ended = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        current_run().wait_cancelled(0.5)
        ended.set()

    scheduler.add_task(FunctionTask("t", func=work))
    scheduler.add_task(FunctionTask("beat", func=nothing), every=0.05)
    run_id = scheduler.run_task("t")
    assert begun.wait(10)

    scheduler.stop()

    assert ended.is_set()
    assert scheduler.view.run(run_id)["state"] == "succeeded"
    count = scheduler.get_task_status("beat")["run_count"]
    time.sleep(0.2)
    assert scheduler.get_task_status("beat")["run_count"] == count


def test_stop_kills_the_tree_of_a_script_at_its_deadline(bench: Bench) -> None:
    scheduler = bench.running()
    pids = bench.folder / "pids"
    scheduler.add_task(
        ScriptTask("s", script_path=bench.script(_TREE), args=[str(pids)], kill_grace_seconds=1)
    )
    run_id = scheduler.run_task("s")
    eventually("it runs", pids.exists)
    begun = time.monotonic()

    scheduler.stop(0.3)

    assert 0.3 <= time.monotonic() - begun < 8
    assert not any(is_alive(int(pid)) for pid in pids.read_text().split())
    run = scheduler.view.run(run_id)
    assert (run["state"], run["error"]) == ("cancelled", "stopped, because the scheduler stopped")


def test_stop_does_not_wait_for_ever_for_a_function(bench: Bench) -> None:
    scheduler = bench.running()
    begun, go_on = threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        go_on.wait(30)

    scheduler.add_task(FunctionTask("t", func=hang))
    scheduler.run_task("t")
    assert begun.wait(10)
    started = time.monotonic()
    try:
        scheduler.stop(0.2)
        assert time.monotonic() - started < 5
    finally:
        go_on.set()


def test_a_first_signal_drains_and_ends_with_zero(bench: Bench) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        program = bench.program(forever(["sleep", "1"]))
        program.says("READY")

        program.send(number)

        output = program.ends(0)
        assert "ENDED succeeded" in output
        assert f"{number.name} received: nothing new starts" in output


def test_a_drain_past_its_deadline_kills(bench: Bench) -> None:
    program = bench.program(forever(["sleep", "600"], stop_timeout_seconds=0.5))
    program.says("READY")

    program.send(signal.SIGTERM)

    assert "ENDED cancelled" in program.ends(0)


def test_a_second_signal_ends_at_once(bench: Bench) -> None:
    program = bench.program(forever(["sleep", "600"]))
    program.says("READY")

    program.send(signal.SIGTERM)
    program.says("SIGTERM received: nothing new starts")
    program.send(signal.SIGINT)

    output = program.ends(130)
    assert "SIGINT received again" in output
    assert "ENDED cancelled" in output


def test_hangup_takes_up_a_good_configuration_and_keeps_the_last_good_one(bench: Bench) -> None:
    config = bench.folder / "c.json"
    plain = {
        "storage": {"path": str(bench.database)},
        "logging": {"log_dir": str(bench.folder / "logs"), "console": False},
        "scheduler": {"language": "en"},
        "entries": {"a": {"type": "command", "command": ["true"], "every": "200ms"}},
    }
    config.write_text(json.dumps(plain))
    program = bench.program(
        f"""
        scheduler = TaskScheduler({str(config)!r})
        sys.exit(scheduler.run_forever())
        """
    )
    reader = bench.scheduler()
    eventually("a runs", lambda: "a" in reader.get_task_status()["tasks"] and ran(reader, "a"))

    config.write_text('{"entries": {"a": {"type": "comand"}}}')
    program.send(signal.SIGHUP)
    program.says("the last good one stays in force")
    count = ran(reader, "a")["run_count"]
    ran(reader, "a", count + 2)

    plain["entries"]["b"] = {"type": "command", "command": ["true"], "every": "200ms"}
    del plain["entries"]["a"]
    config.write_text(json.dumps(plain))
    program.send(signal.SIGHUP)
    program.says("configuration read again: 1 tasks declared, 1 removed")
    ran(reader, "b")
    assert list(reader.get_task_status()["tasks"]) == ["b"]

    program.send(signal.SIGTERM)
    program.ends(0)


def test_an_embedded_scheduler_leaves_interrupts_to_the_program(bench: Bench) -> None:
    program = bench.program(
        """
        before = signal.getsignal(signal.SIGINT)
        scheduler = make()
        scheduler.add_task(FunctionTask("t", func=time.time), every=0.1)
        scheduler.start()
        assert signal.getsignal(signal.SIGINT) is before
        until(lambda: scheduler.get_task_status("t")["run_count"])
        print("READY", flush=True)
        try:
            while True:
                time.sleep(1)
        except KeyboardInterrupt:
            scheduler.stop()
            print("REACHED")
        """
    )
    program.says("READY")

    program.send(signal.SIGINT)

    assert "REACHED" in program.ends(0)


def test_an_embedded_scheduler_drains_on_terminate_and_ends_as_the_signal_would(
    bench: Bench,
) -> None:
    program = bench.program(
        """
        scheduler = make()
        scheduler.add_task(CommandTask("c", command=["sleep", "1"]))
        scheduler.start()
        run_id = scheduler.run_task("c")
        until(lambda: scheduler.get_task_status("c")["running_count"])
        print("READY", run_id, flush=True)
        while True:
            time.sleep(1)
        """
    )
    run_id = int(program.says("READY").split()[1])

    program.send(signal.SIGTERM)

    program.ends(-signal.SIGTERM)
    assert bench.scheduler().view.run(run_id)["state"] == "succeeded"


def test_a_program_that_has_taken_terminate_keeps_it(bench: Bench) -> None:
    program = bench.program(
        """
        def mine(number, frame):
            print("MINE", flush=True)
            scheduler.stop()
            sys.exit(5)
        signal.signal(signal.SIGTERM, mine)
        scheduler = make()
        scheduler.start()
        assert signal.getsignal(signal.SIGTERM) is mine
        print("READY", flush=True)
        while True:
            time.sleep(1)
        """
    )
    program.says("READY")

    program.send(signal.SIGTERM)

    assert "MINE" in program.ends(5)


def test_a_scheduler_started_in_another_thread_takes_no_signal(bench: Bench) -> None:
    program = bench.program(
        """
        scheduler = make()
        thread = threading.Thread(target=scheduler.start)
        thread.start()
        thread.join()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        scheduler.stop()
        """
    )

    program.ends(0)


def test_a_program_that_ends_without_stop_ends_at_once_and_loses_nothing(bench: Bench) -> None:
    program = bench.program(
        """
        scheduler = make()
        scheduler.add_task(FunctionTask("f", func=time.time), every=0.05)
        scheduler.add_task(CommandTask("c", command=["sleep", "1"]))
        scheduler.start()
        until(lambda: scheduler.get_task_status("f")["run_count"] > 2)
        run_id = scheduler.run_task("c")
        until(lambda: scheduler.get_task_status("c")["running_count"])
        scheduler.add_task(CommandTask("late", command=["true"]))
        late = scheduler.run_task("late")
        print("RUN", run_id, late, flush=True)
        """
    )
    run_id, late = map(int, program.says("RUN").split()[1:])
    begun = time.monotonic()
    program.ends(0)
    assert time.monotonic() - begun < 3

    scheduler = bench.running()
    scheduler.add_task(FunctionTask("f", func=time.time), every=0.05)

    run = settled(scheduler, run_id)
    assert (run["state"], len(run["attempts"])) == ("succeeded", 1), "the command went on meanwhile"
    assert settled(scheduler, late)["state"] == "succeeded"


def test_scripts_outlive_a_killed_scheduler_and_are_taken_up_again(bench: Bench) -> None:
    starts = bench.folder / "starts"
    script = bench.script(
        f"""
        import sys, time
        with open({str(starts)!r}, "a") as file:
            file.write("started\\n")
        print("before", flush=True)
        time.sleep(1.5)
        print("after", flush=True)
        sys.exit(7)
        """
    )
    program = bench.program(
        f"""
        scheduler = make()
        scheduler.add_task(ScriptTask("s", script_path={str(script)!r}))
        scheduler.start()
        print("RUN", scheduler.run_task("s"), flush=True)
        time.sleep(60)
        """
    )
    run_id = int(program.says("RUN").split()[1])
    eventually("it has started", starts.exists)

    program.send(signal.SIGKILL)
    program.ends(-signal.SIGKILL)
    scheduler = bench.running()
    assert scheduler.view.run(run_id)["state"] == "running"

    run = settled(scheduler, run_id)
    (attempt,) = run["attempts"]
    assert (run["state"], attempt["exit_code"]) == ("failed", 7)
    assert starts.read_text() == "started\n"
    with open(attempt["output_path"]) as output:  # noqa: PTH123
        assert output.read() == "before\nafter\n"
    assert "is still running; it is watched on" in bench.log()


def test_a_script_that_ended_while_nobody_looked_is_recorded_with_its_code(bench: Bench) -> None:
    done = bench.folder / "done"
    program = bench.program(
        f"""
        command = ["sh", "-c", "sleep 0.7; touch {done}; exit 4"]
        scheduler = make()
        scheduler.add_task(CommandTask("c", command=command))
        scheduler.start()
        print("RUN", scheduler.run_task("c"), flush=True)
        until(lambda: scheduler.get_task_status("c")["running_count"])
        print("KILL", flush=True)
        time.sleep(60)
        """
    )
    run_id = int(program.says("RUN").split()[1])
    program.says("KILL")
    program.send(signal.SIGKILL)
    program.ends(-signal.SIGKILL)
    eventually("it has ended", done.exists)
    time.sleep(0.2)

    scheduler = bench.running()

    run = settled(scheduler, run_id)
    assert run["attempts"][0]["exit_code"] == 4
    assert len(run["attempts"]) == 1


def test_a_function_that_a_kill_cut_short_is_lost_and_runs_again_with_the_same_key(
    bench: Bench,
) -> None:
    keys = bench.folder / "keys"
    text = f"""
        def work():
            with open({str(keys)!r}, "a") as file:
                file.write(current_run().key + "\\n")
            print("RUNS", flush=True)
            if "--hang" in sys.argv:
                time.sleep(60)

        scheduler = make(tasks={{"max_retries": 0, "retry_delay": 0.1}})
        scheduler.add_task(FunctionTask("f", func=work), every=3600)
        scheduler.start()
        until(lambda: scheduler.get_task_status("f")["success_count"], 30)
        scheduler.stop()
        """
    first = bench.program(text, "--hang")
    first.says("RUNS")
    first.send(signal.SIGKILL)
    first.ends(-signal.SIGKILL)

    bench.program(text, name="again.py").ends(0)

    one, two = keys.read_text().splitlines()
    assert one == two
    (run,) = bench.scheduler().view.runs("f")
    attempts = bench.scheduler().view.run(run["run_id"])["attempts"]
    assert [attempt["outcome"] for attempt in attempts] == ["lost", "succeeded"]


def test_a_standby_takes_over_when_the_holder_is_killed(bench: Bench) -> None:
    text = """
        scheduler = make()
        scheduler.add_task(FunctionTask("f", func=time.time), every=0.1)
        scheduler.start()
        print("STATE", scheduler.get_task_status()["scheduler"]["state"], flush=True)
        until(lambda: scheduler.get_task_status()["scheduler"]["state"] == "running", 60)
        print("HOLDS", flush=True)
        time.sleep(60)
        """
    first = bench.program(text)
    first.says("HOLDS")
    second = bench.program(text, name="second.py")
    assert second.says("STATE") == "STATE standby"

    first.send(signal.SIGKILL)
    killed = time.monotonic()
    second.says("HOLDS")

    assert time.monotonic() - killed < 2
    scheduler = bench.scheduler()
    count = scheduler.get_task_status("f")["run_count"]
    ran(scheduler, "f", count + 3)


def test_a_standby_with_code_that_the_holder_lacks_refuses_with_the_remedy(bench: Bench) -> None:
    holder = bench.running()
    Neighbour(holder)
    program = bench.program(
        """
        import task_scheduler.offers
        task_scheduler.offers._SECONDS = 1
        scheduler = make()
        scheduler.add_task(FunctionTask("other", func=lambda: None), every=1)
        try:
            scheduler.start()
        except StandbyRefusedError as error:
            print("REFUSED", error, flush=True)
            sys.exit(3)
        """
    )

    output = program.ends(3)

    assert "other" in output
    assert "storage.path" in output


def test_another_process_may_ask_the_holder_for_changes(bench: Bench) -> None:
    holder = bench.running()
    holder.add_task(CommandTask("c", command=["true"]), every=3600)
    ran(holder, "c")

    bench.program(
        """
        scheduler = make()
        run_id = scheduler.run_task("c")
        until(lambda: scheduler.view.run(run_id)["state"] == "succeeded")
        scheduler.pause_task("c", "from outside")
        scheduler.add_task(CommandTask("new", command=["true"]), every=3600)
        until(lambda: scheduler.get_task_status("new")["run_count"])
        try:
            scheduler.remove_task("ne")
        except TaskNotFoundError as error:
            assert "new" in str(error)
        assert scheduler.holder()["pid"] == os.getppid()
        """
    ).ends(0)

    assert holder.get_task_status("c")["pause_reason"] == "from outside"
    assert holder.get_task_status("new")["success_count"] == 1
