"""Tell the server that this gateway is alive, and how it is.

The server stands in farm.toml. A beat is small and never waits long; one that cannot be delivered
is not kept, because the next one says more.

Exit code 0 when the server took it, else 1. It is yours: change it as you like. It needs
Python 3.11 and httpx, and nothing of the scheduler but its TASK_SCHEDULER_* variables.
"""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import sys
import time
import tomllib
from contextlib import closing
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

try:
    import httpx
except ModuleNotFoundError as error:
    LACKING = error.name  # said by main, in the language of the machine
else:
    LACKING = None

FOLDER = Path(os.environ.get("FARM_FOLDER") or Path(__file__).resolve().parent.parent)
DATA = Path(os.environ.get("FARM_DATA") or FOLDER / "data")

SENTENCES = {
    "no_package": {
        "en": "the Python package {name} is missing: pip install 'task-scheduler[farm]'",
        "zh": "缺少 Python 包 {name}：pip install 'task-scheduler[farm]'",
        "ja": "Python パッケージ {name} がありません: pip install 'task-scheduler[farm]'",
    },
    "bad_farm": {
        "en": "{path} cannot be used: {reason}",
        "zh": "无法使用 {path}：{reason}",
        "ja": "{path} を使用できません: {reason}",
    },
    "no_server": {
        "en": "no server has an address: write its url into {path}",
        "zh": "没有配置服务器地址：请在 {path} 中填写 url",
        "ja": "サーバーのアドレスがありません。{path} に url を記入してください",
    },
    "not_reached": {
        "en": "the server {url} was not reached: {reason}",
        "zh": "无法连接服务器 {url}：{reason}",
        "ja": "サーバー {url} に接続できません: {reason}",
    },
    "not_taken": {
        "en": "the server {url} did not take the heartbeat: it answered {status}",
        "zh": "服务器 {url} 未接受心跳：返回 {status}",
        "ja": "サーバー {url} がハートビートを受け付けません: 応答 {status}",
    },
    "taken": {
        "en": "heartbeat sent to {url}; {unsent} readings wait for the upload",
        "zh": "心跳已发送至 {url}；{unsent} 条数据等待上传",
        "ja": "ハートビートを {url} に送信しました。アップロード待ちのデータ {unsent} 件",
    },
}


def main() -> int:
    """Send one beat; return the exit code."""
    if LACKING is not None:
        print(sentence("no_package", name=LACKING), file=sys.stderr)
        return 1
    path = FOLDER / "farm.toml"
    try:
        farm = tomllib.loads(path.read_text(encoding="utf-8"))
        server = farm.get("server", {})
        url = (server.get("url") or os.environ.get("FARM_SERVER_URL", "")).rstrip("/")
    except (OSError, ValueError, AttributeError) as error:
        print(sentence("bad_farm", path=path, reason=error), file=sys.stderr)
        return 1
    if not url:
        print(sentence("no_server", path=path), file=sys.stderr)
        return 1
    token = server.get("token") or os.environ.get("FARM_SERVER_TOKEN", "")
    beat = heartbeat(farm.get("gateway") or socket.gethostname())
    # The same for every attempt of one beat, so that a repeated one counts once.
    moment = os.environ.get("TASK_SCHEDULER_SCHEDULED_AT") or beat["sent_at"]
    headers = {"Idempotency-Key": f"beat {beat['gateway']!a} {moment}"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    try:
        answer = httpx.post(f"{url}/api/v1/heartbeats", json=beat, headers=headers, timeout=5)
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        reason = str(error) or type(error).__name__
        print(sentence("not_reached", url=url, reason=reason), file=sys.stderr)
        return 1
    if not answer.is_success:
        print(sentence("not_taken", url=url, status=answer.status_code), file=sys.stderr)
        return 1
    print(sentence("taken", url=url, unsent=beat["unsent_readings"]))
    return 0


def heartbeat(gateway: str) -> dict[str, Any]:
    """Return how this machine is; what it cannot tell is None."""
    last_measured_at, unsent = readings_state(DATA / "farm.db")
    folder = DATA if DATA.exists() else FOLDER
    return {
        "gateway": gateway,
        "sent_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "uptime_seconds": uptime_seconds(),
        "load": [round(load, 2) for load in os.getloadavg()],
        "memory": memory(),
        "disk_free_bytes": shutil.disk_usage(folder).free,
        "last_measured_at": last_measured_at,
        "unsent_readings": unsent,
        "scheduler_version": scheduler_version(),
    }


def readings_state(path: Path) -> tuple[str | None, int | None]:
    """Return when the last value was measured and how many rows wait for the upload."""
    if not path.exists():
        return None, 0
    query = (
        "SELECT (SELECT measured_at FROM readings WHERE value IS NOT NULL"
        " ORDER BY id DESC LIMIT 1),"
        " (SELECT count(*) FROM readings WHERE sent_at IS NULL)"
    )
    try:
        with closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2)
        ) as db:
            measured_at, unsent = db.execute(query).fetchone()
    except sqlite3.Error:
        return None, None  # a beat without this is still a beat
    return measured_at, unsent


def uptime_seconds() -> float | None:
    """Return the seconds since the machine started."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return None if clock is None else round(time.clock_gettime(clock), 1)


def memory() -> dict[str, int] | None:
    """Return the bytes of memory in all and still available."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        amounts = {name: int(rest.split()[0]) * 1024 for name, _, rest in map(halves, lines)}
        return {"total_bytes": amounts["MemTotal"], "available_bytes": amounts["MemAvailable"]}
    except (OSError, ValueError, KeyError, IndexError):
        return None


def halves(line: str) -> tuple[str, str, str]:
    """Split a line of /proc/meminfo at its colon."""
    return line.partition(":")


def scheduler_version() -> str | None:
    """Return the version of the scheduler that is installed beside this Python."""
    try:
        return metadata.version("task-scheduler")
    except metadata.PackageNotFoundError:
        return None


def sentence(key: str, **values: Any) -> str:
    """Return a sentence in the language of the machine."""
    names = ("FARM_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
    tag = next((os.environ[name] for name in names if os.environ.get(name)), "en")[:2]
    return SENTENCES[key].get(tag, SENTENCES[key]["en"]).format(**values)


if __name__ == "__main__":
    sys.exit(main())
