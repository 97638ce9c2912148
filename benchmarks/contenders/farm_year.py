"""A year of the farm preset in virtual time: every occurrence planned, run and recorded."""

from __future__ import annotations

import argparse
import json
import time

from task_scheduler import LogCleanupTask, ScriptTask
from task_scheduler.testing import VirtualScheduler

PERIODS = {"data_upload": 3_600, "sensor_collection": 300, "heartbeat": 30}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=365, help="days")
    days = parser.parse_args().count
    world = VirtualScheduler({}, start="2026-01-01T00:00:00+09:00")
    for name, seconds in PERIODS.items():
        world.add_task(ScriptTask(name, name, f"{name}.py"), every=seconds)
    world.add_task(LogCleanupTask("log_cleanup", "log_cleanup", "logs"), every="24h")
    began = time.process_time()
    world.run_for(days=days)
    took = time.process_time() - began
    status = world.get_task_status()["tasks"]
    accounted = sum(task["run_count"] + task["skip_count"] for task in status.values())
    expected = sum(days * 86_400 // seconds for seconds in [*PERIODS.values(), 86_400])
    if abs(accounted - expected) > len(status):
        raise SystemExit(f"{accounted} of {expected} occurrences have a disposition")
    print(json.dumps({"occurrences_per_second": accounted / took}))


if __name__ == "__main__":
    main()
