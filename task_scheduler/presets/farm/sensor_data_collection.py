"""Read the sensors of every pond over Modbus TCP into data/farm.db.

The devices stand in farm.toml. A sensor that gives no value still gets its row, and `quality` says
why: ok, out_of_range, stuck, bad_value, device_error or no_answer. A repeated attempt of the same
scheduled moment adds no second row; it fills in what the first could not read.

Exit code 0 when at least one device gave values, 1 when none did or the farm cannot be read.
It is yours: change it as you like. It needs Python 3.11 and pymodbus, and nothing of the scheduler
but the variable TASK_SCHEDULER_SCHEDULED_AT.
"""

from __future__ import annotations

import logging
import math
import os
import sqlite3
import struct
import sys
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import MISSING, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

try:
    from pymodbus.client import ModbusTcpClient
    from pymodbus.exceptions import ConnectionException, ModbusException
except ModuleNotFoundError as error:
    LACKING = error.name  # said by main, in the language of the machine
else:
    LACKING = None

FOLDER = Path(os.environ.get("FARM_FOLDER") or Path(__file__).resolve().parent)
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
    "no_device": {
        "en": "no device has an address: write its host into {path}",
        "zh": "没有配置设备地址：请在 {path} 中填写 host",
        "ja": "デバイスのアドレスがありません。{path} に host を記入してください",
    },
    "not_stored": {
        "en": "the readings could not be stored in {path}: {reason}",
        "zh": "无法将数据写入 {path}：{reason}",
        "ja": "データを {path} に保存できません: {reason}",
    },
    "stored": {
        "en": "{count} sensors of {devices} devices read, {ok} of them ok",
        "zh": "已采集 {devices} 台设备的 {count} 个传感器，其中 {ok} 个正常",
        "ja": "デバイス {devices} 台のセンサー {count} 個を読み取り、正常は {ok} 個です",
    },
    "not_ok": {
        "en": "warning: {where}: {quality} {detail}",
        "zh": "警告：{where}：{quality} {detail}",
        "ja": "警告: {where}: {quality} {detail}",
    },
    "all_failed": {
        "en": "no device gave a value ({devices} tried); the first: {where}: {quality} {detail}",
        "zh": "所有 {devices} 台设备均未返回数据；第一台：{where}：{quality} {detail}",
        "ja": "デバイス {devices} 台すべてから値が得られません。最初: {where}: {quality} {detail}",
    },
}

TYPES = {"int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "float32": ">f"}

SCHEMA = """
CREATE TABLE IF NOT EXISTS readings (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    scheduled_at TEXT NOT NULL,  -- the moment that was planned; with pond and sensor the row's key
    measured_at TEXT NOT NULL,   -- the moment of the answer; both UTC
    pond TEXT NOT NULL,
    sensor TEXT NOT NULL,
    value REAL,                  -- NULL where there is none: see quality
    unit TEXT NOT NULL,
    quality TEXT NOT NULL,
    batch TEXT,                  -- the upload that carries it, given by client/updata.py
    sent_at TEXT,
    UNIQUE (pond, sensor, scheduled_at)
);
CREATE INDEX IF NOT EXISTS readings_to_send ON readings (id) WHERE batch IS NULL;
CREATE INDEX IF NOT EXISTS readings_by_batch ON readings (batch) WHERE sent_at IS NULL;
"""

# A value that arrives at a later attempt replaces "no answer", and is sent even if that was.
STORE = """
INSERT INTO readings (scheduled_at, measured_at, pond, sensor, value, unit, quality)
VALUES (:scheduled_at, :measured_at, :pond, :sensor, :value, :unit, :quality)
ON CONFLICT (pond, sensor, scheduled_at) DO UPDATE SET
    measured_at = excluded.measured_at, value = excluded.value, quality = excluded.quality,
    batch = NULL, sent_at = NULL
WHERE readings.value IS NULL AND excluded.value IS NOT NULL
"""


@dataclass(frozen=True)
class Register:
    """One sensor of a device: where it stands, how it is written, what is plausible."""

    sensor: str
    address: int
    type: str
    unit: str = ""
    scale: float = 1
    low: float = -math.inf
    high: float = math.inf
    kind: str = "input"
    word_order: str = "big"

    def __post_init__(self) -> None:
        """Refuse what cannot be read."""
        for name, known in (
            ("type", TYPES),
            ("kind", ("input", "holding")),
            ("word_order", ("big", "little")),
        ):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} = {getattr(self, name)!r}; known are {', '.join(known)}")
        check_numbers(self, address=65535)
        check_numbers(self, scale=math.inf, low=math.inf, high=math.inf)

    @property
    def count(self) -> int:
        """Return how many 16-bit registers it takes."""
        return struct.calcsize(TYPES[self.type]) // 2


@dataclass(frozen=True)
class Device:
    """One unit behind a host: the sensors of one pond."""

    pond: str
    host: str
    registers: list[Register]
    port: int = 502
    unit: int = 1

    def __post_init__(self) -> None:
        """Refuse what cannot be reached."""
        check_numbers(self, port=65535, unit=255)


@dataclass(frozen=True)
class Farm:
    """What farm.toml says about reading."""

    devices: list[Device]
    timeout_seconds: float = 2
    retries: int = 1
    stuck_after_readings: int = 36

    def __post_init__(self) -> None:
        """Refuse what cannot be waited for or counted."""
        check_numbers(self, timeout_seconds=3600.0, retries=100, stuck_after_readings=100_000)


Kind = TypeVar("Kind", Register, Device, Farm)


@dataclass
class Reading:
    """One row, and for people the detail of what was wrong."""

    pond: str
    sensor: str
    unit: str
    value: float | None
    quality: str
    measured_at: str
    detail: str = ""


def main() -> int:
    """Read all devices once; return the exit code."""
    if LACKING is not None:
        print(sentence("no_package", name=LACKING), file=sys.stderr)
        return 1
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # the rows and our lines tell it
    path = FOLDER / "farm.toml"
    try:
        farm = read_farm(path)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        print(sentence("bad_farm", path=path, reason=error), file=sys.stderr)
        return 1
    if not farm.devices:
        print(sentence("no_device", path=path), file=sys.stderr)
        return 1
    scheduled_at = moment(os.environ.get("TASK_SCHEDULER_SCHEDULED_AT"))
    readings = list(read_devices(farm))
    try:
        store(DATA / "farm.db", scheduled_at, readings, farm.stuck_after_readings)
    except (OSError, sqlite3.Error) as error:
        print(sentence("not_stored", path=DATA / "farm.db", reason=error), file=sys.stderr)
        return 1
    return report(readings, len(farm.devices))


def report(readings: list[Reading], devices: int) -> int:
    """Say how it went; return the exit code."""
    bad = [reading for reading in readings if reading.quality != "ok"]
    words = [
        {"where": f"{one.pond} {one.sensor}", "quality": one.quality, "detail": one.detail}
        for one in bad
    ]
    if all(reading.value is None for reading in readings):
        print(sentence("all_failed", devices=devices, **words[0]), file=sys.stderr)
        return 1
    for word in words:
        print(sentence("not_ok", **word), file=sys.stderr)
    ok = len(readings) - len(bad)
    print(sentence("stored", count=len(readings), devices=devices, ok=ok))
    return 0


def read_farm(path: Path) -> Farm:
    """Return the farm; a device without a host is left out unless FARM_DEVICE gives one."""
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    spare = os.environ.get("FARM_DEVICE", "").rpartition(":")
    devices = []
    for table in content.get("devices", []):
        where = f"device {table.get('pond')!r}"
        address = {"host": table.get("host", ""), "port": table.get("port", 502)}
        if not address["host"]:
            if not spare[0]:
                continue
            address = {"host": spare[0], "port": int(spare[2])}
        registers = [
            build(Register, f"{where}, {register.get('sensor')!r}", register)
            for register in table.get("registers", [])
        ]
        if registers:
            devices.append(build(Device, where, {**table, **address, "registers": registers}))
    return build(Farm, "reading", {**content.get("reading", {}), "devices": devices})


def build(kind: type[Kind], where: str, table: dict[str, Any]) -> Kind:
    """Return a table of farm.toml as what it describes; raises ValueError that says where."""
    known = [field.name for field in fields(kind)]
    needed = [field.name for field in fields(kind) if field.default is MISSING]
    unknown = [name for name in table if name not in known]
    missing = [name for name in needed if name not in table]
    if unknown:
        raise ValueError(f"{where}: {', '.join(unknown)} is not known; {', '.join(known)} are")
    if missing:
        raise ValueError(f"{where}: {', '.join(missing)} is missing")
    try:
        return kind(**table)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def check_numbers(owner: Any, **limits: float) -> None:
    """Raise ValueError for a field that is no number or beyond its limit; a whole limit wants one.

    Only an infinite limit allows negative numbers.
    """
    for name, limit in limits.items():
        value = getattr(owner, name)
        kinds = int if isinstance(limit, int) else (int, float)
        lowest = -limit if math.isinf(limit) else 0
        if not isinstance(value, kinds) or isinstance(value, bool) or not lowest <= value <= limit:
            raise ValueError(f"{name} = {value!r}; a number from {lowest:g} to {limit:g} is needed")


def read_devices(farm: Farm) -> Iterator[Reading]:
    """Yield a reading for every register; hosts in parallel, the units of a host in turn.

    Many a Modbus gateway takes one connection only.
    """
    hosts: dict[tuple[str, int], list[Device]] = {}
    for device in farm.devices:
        hosts.setdefault((device.host, device.port), []).append(device)
    with ThreadPoolExecutor(max_workers=min(16, len(hosts))) as pool:
        for readings in pool.map(lambda units: read_host(farm, units), hosts.values()):
            yield from readings


def read_host(farm: Farm, units: list[Device]) -> list[Reading]:
    """Read the units behind one host; what does not answer once is not asked again this time."""
    host, port = units[0].host, units[0].port
    client = ModbusTcpClient(host, port=port, timeout=farm.timeout_seconds, retries=farm.retries)
    readings = []
    unreachable = ""
    with closing(client):
        for device in units:
            silent = unreachable
            for register in device.registers:
                value, quality, detail = None, "no_answer", silent
                if not silent:
                    try:
                        value, quality, detail = read_register(client, device.unit, register)
                    except ConnectionException:
                        silent = unreachable = detail = f"{host}:{port}"
                    except (ModbusException, OSError):
                        silent = detail = f"{host}:{port}, unit {device.unit}"
                        # A late answer must not be taken for the next one.
                        client.close()  # type: ignore[no-untyped-call]
                facts = (device.pond, register.sensor, register.unit, value, quality)
                readings.append(Reading(*facts, moment(None), detail))
    return readings


def read_register(
    client: ModbusTcpClient, unit: int, register: Register
) -> tuple[float | None, str, str]:
    """Return value, quality and detail of one register; raises ModbusException without answer."""
    is_input = register.kind == "input"
    read = client.read_input_registers if is_input else client.read_holding_registers
    answer = read(register.address, count=register.count, device_id=unit)
    if answer.isError() or len(answer.registers) != register.count:
        return None, "device_error", f"code {getattr(answer, 'exception_code', '?')}"
    return judge(register, decode(register, answer.registers))


def decode(register: Register, words: Sequence[int]) -> float:
    """Return the value of 16-bit words as the device holds them."""
    ordered = words if register.word_order == "big" else words[::-1]
    raw = struct.pack(f">{len(ordered)}H", *ordered)
    number: float = struct.unpack(TYPES[register.type], raw)[0]
    # 213 * 0.1 is 21.3 to the farmer, not 21.300000000000001.
    return round(number * register.scale, 6) if math.isfinite(number) else number


def judge(register: Register, value: float) -> tuple[float | None, str, str]:
    """Return value, quality and detail of a value by itself."""
    if not math.isfinite(value):
        return None, "bad_value", str(value)
    if not register.low <= value <= register.high:
        detail = f"{value:g} {register.unit} ({register.low:g} .. {register.high:g})"
        return value, "out_of_range", detail
    return value, "ok", ""


def store(path: Path, scheduled_at: str, readings: list[Reading], stuck_after: int) -> None:
    """Write the rows in one transaction that survives a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, timeout=10, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        with db:
            db.execute("BEGIN IMMEDIATE")
            for statement in SCHEMA.split(";\n"):
                db.execute(statement)
            for reading in readings:
                if reading.quality == "ok" and is_stuck(db, scheduled_at, reading, stuck_after):
                    reading.quality = "stuck"
                    reading.detail = f"{reading.value:g} {reading.unit} ({stuck_after}x)"
                db.execute(STORE, {**vars(reading), "scheduled_at": scheduled_at})


def is_stuck(db: sqlite3.Connection, scheduled_at: str, reading: Reading, limit: int) -> bool:
    """Tell whether the value was exactly the same in the `limit` readings before; 0 never."""
    query = (
        "SELECT value FROM readings WHERE pond = ? AND sensor = ? AND scheduled_at < ?"
        " AND value IS NOT NULL ORDER BY scheduled_at DESC LIMIT ?"
    )
    rows = db.execute(query, (reading.pond, reading.sensor, scheduled_at, limit)).fetchall()
    return 0 < limit == len(rows) and all(row[0] == reading.value for row in rows)


def moment(text: str | None) -> str:
    """Return a moment, else now, in UTC; all of one form, so that they sort as text."""
    at = datetime.fromisoformat(text) if text else datetime.now(UTC)
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


def sentence(key: str, **values: Any) -> str:
    """Return a sentence in the language of the machine."""
    names = ("FARM_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
    tag = next((os.environ[name] for name in names if os.environ.get(name)), "en")[:2]
    return SENTENCES[key].get(tag, SENTENCES[key]["en"]).format(**values).rstrip()


if __name__ == "__main__":
    sys.exit(main())
