"""The script under fire: ``task_script.py SECONDS [fail-first]``."""

from __future__ import annotations

import os
import sys
import time

import witness  # beside this file, as a script finds it

witness.write_from_environment("begin")
time.sleep(float(sys.argv[1]))
witness.write_from_environment("end")
is_first = os.environ["TASK_SCHEDULER_ATTEMPT"] == "1"
sys.exit(1 if is_first and sys.argv[2:] == ["fail-first"] else 0)
