"""A script started by Debian's cron: ``--count`` lines that are all due at the next full minute.

It needs root, `cron` and `unshare`: a daemon of its own runs in a mount namespace with a folder of
crontabs of its own, so that the machine's cron neither sees nor runs them. Rate and processor time
are from the minute to the end of the last script, cron's own and its shells' included.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import figures
from script_files import ended, write_script

OPTIONS = figures.options(40)
_PATIENCE_SECONDS = 180.0
_START = """
set -e
mount -t tmpfs none /var/spool
mkdir -p /var/spool/cron
cp -a {folder}/tabs /var/spool/cron/crontabs
mount --bind {folder}/run /run
if [ -e /etc/cron.d ]; then mount --bind {folder}/none /etc/cron.d; fi
if [ -e /etc/crontab ]; then mount --bind /dev/null /etc/crontab; fi
exec {cron} -f
"""


def main() -> None:
    cron = shutil.which("cron", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if cron is None or shutil.which("unshare") is None:
        figures.skip("cron or unshare is not installed (apt-get install cron)")
    if os.geteuid() != 0:
        figures.skip("only root may give cron a folder of crontabs of its own")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("tabs", "none", "run"):
            (folder / part).mkdir()
        script, tally = write_script(folder)
        tab = folder / "tabs" / "root"
        tab.write_text(f"* * * * * {sys.executable} {script}\n" * OPTIONS.count, encoding="utf-8")
        tab.chmod(0o600)
        daemon = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", _START.format(folder=folder, cron=cron)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        until, began = time.monotonic() + _PATIENCE_SECONDS, 0.0
        while ended(tally) < OPTIONS.count:
            if daemon.poll() is not None:
                words = daemon.stderr.read().decode(errors="replace") if daemon.stderr else ""
                figures.skip(f"cron does not run here: {words.strip()}")
            if time.monotonic() > until:
                raise SystemExit(f"{ended(tally)} of {OPTIONS.count} scripts in time")
            if not began and ended(tally):
                began = time.time() // 60 * 60
            time.sleep(0.01)
        took = time.time() - began
        daemon.send_signal(signal.SIGTERM)
        daemon.wait()
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
    figures.say(
        cpu_ms=(used.ru_utime + used.ru_stime) / OPTIONS.count * 1_000,
        runs_per_second=OPTIONS.count / took,
    )


if __name__ == "__main__":
    main()
