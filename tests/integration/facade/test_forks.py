"""A scheduler made before a fork, as a preloading web server does it."""

from __future__ import annotations

from tests.integration.facade.bench import Bench


def test_a_scheduler_made_before_a_fork_works_in_the_child(bench: Bench) -> None:
    bench.program(
        """
        scheduler = make()
        scheduler.add_task(FunctionTask("t", func=time.time), every=0.1)
        child = os.fork()
        if child == 0:
            scheduler.start()
            until(lambda: scheduler.get_task_status("t")["run_count"] >= 2)
            scheduler.stop()
            sys.exit(7)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 7, status
        scheduler.start()
        count = scheduler.get_task_status("t")["run_count"]
        until(lambda: scheduler.get_task_status("t")["run_count"] >= count + 2)
        scheduler.stop()
        """
    ).ends(0)


def test_workers_forked_from_one_preloaded_program_run_each_occurrence_once(bench: Bench) -> None:
    notes = bench.folder / "notes"
    bench.program(
        f"""
        scheduler = make()
        def note():
            with open({str(notes)!r}, "a") as file:
                file.write(f"{{current_run().key}} {{os.getpid()}}\\n")
        scheduler.add_task(FunctionTask("t", func=note), every=0.1)
        children = []
        for _ in range(4):
            child = os.fork()
            if child == 0:
                scheduler.start()
                while True:
                    signal.pause()
            children.append(child)
        path = Path({str(notes)!r})
        until(lambda: path.exists() and len(path.read_text().splitlines()) >= 5)
        holder = int(path.read_text().splitlines()[-1].split()[1])
        assert holder in children
        os.kill(holder, signal.SIGKILL)
        until(lambda: int(path.read_text().splitlines()[-1].split()[1]) != holder)
        count = len(path.read_text().splitlines())
        until(lambda: len(path.read_text().splitlines()) >= count + 3)
        for child in children:
            os.kill(child, signal.SIGTERM)
        for child in children:
            os.waitpid(child, 0)
        """
    ).ends(0)

    lines = notes.read_text().splitlines()
    keys = [line.split()[0] for line in lines]
    # One that the kill cut between its effect and its record may run again, and is named lost.
    assert len(keys) - len(set(keys)) <= 1


def test_a_parent_that_runs_is_not_disturbed_by_its_child(bench: Bench) -> None:
    bench.program(
        """
        scheduler = make()
        scheduler.add_task(FunctionTask("t", func=time.time), every=0.1)
        scheduler.add_task(CommandTask("c", command=["sleep", "0.5"]))
        scheduler.start()
        run_id = scheduler.run_task("c")
        until(lambda: scheduler.get_task_status("c")["running_count"])
        child = os.fork()
        if child == 0:
            status = scheduler.get_task_status()
            assert status["scheduler"]["state"] == "stopped", status["scheduler"]
            assert status["tasks"]["t"]["run_count"] >= 0
            # A change goes to the parent, which holds the ledger.
            scheduler.pause_task("c", "from the child")
            sys.exit(7)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 7, status
        count = scheduler.get_task_status("t")["run_count"]
        until(lambda: scheduler.get_task_status("t")["run_count"] >= count + 3)
        until(lambda: scheduler.view.run(run_id)["state"] == "succeeded")
        assert scheduler.get_task_status("c")["pause_reason"] == "from the child"
        assert scheduler.get_task_status()["scheduler"]["state"] == "running"
        scheduler.stop()
        """
    ).ends(0)


def test_a_function_that_forks_does_not_disturb_the_scheduler(bench: Bench) -> None:
    bench.program(
        """
        def forks():
            child = os.fork()
            if child == 0:
                os._exit(0)
            return os.waitpid(child, 0)[1] == 0
        scheduler = make()
        scheduler.add_task(FunctionTask("forks", func=forks), every=0.1)
        scheduler.add_task(CommandTask("c", command=["true"]), every=0.1)
        scheduler.start()
        until(lambda: scheduler.get_task_status("forks")["success_count"] >= 5)
        until(lambda: scheduler.get_task_status("c")["success_count"] >= 5)
        assert scheduler.get_task_status("forks")["failure_count"] == 0
        scheduler.stop()
        """
    ).ends(0)


def test_a_forked_child_leaves_the_files_of_a_ledger_in_memory(bench: Bench) -> None:
    bench.program(
        """
        scheduler = make(storage=":memory:")
        scheduler.add_task(CommandTask("c", command=["true"]))
        scheduler.start()
        child = os.fork()
        if child == 0:
            sys.exit(0)
        os.waitpid(child, 0)
        run_id = scheduler.run_task("c")
        until(lambda: scheduler.view.run(run_id)["state"] == "succeeded")
        folder = scheduler.files.database.parent
        assert folder.exists()
        scheduler.stop()
        print("FOLDER", folder)
        """
    ).ends(0)
