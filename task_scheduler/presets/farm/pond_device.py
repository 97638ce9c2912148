"""A simulated pond device: a real Modbus TCP server with a unit for each pond.

``python -m task_scheduler.presets.farm.pond_device --port 0`` prints where it listens and serves
until SIGINT or SIGTERM, or with ``--until-eof`` until its standard input closes.

Responsible for: serving what `pond` computes. Holds nothing of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from task_scheduler.i18n import translate
from task_scheduler.presets.farm.pond import (
    SENSORS,
    Fault,
    FaultKind,
    encode,
    fault_at,
    value_with_fault,
)
from task_scheduler.presets.language import choose_language

__all__ = ["Ponds", "main"]

_UNIT_BYTE = 6
"""Where a Modbus TCP packet names the unit that speaks."""


class Ponds:
    """The ponds behind the device: `registers` of one now, and whether it `is_silent`.

    `forced` holds faults by pond that last for ever, in place of those that the seed brings.
    """

    def __init__(
        self,
        count: int,
        seed: int,
        *,
        forced: Mapping[int, Fault] | None = None,
        has_faults: bool = True,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.count = count
        self._seed = seed
        self._forced = forced or {}
        self._has_faults = has_faults
        self._now = now

    def fault(self, pond: int) -> Fault | None:
        """Return how a pond's device is broken now."""
        if pond in self._forced or not self._has_faults:
            return self._forced.get(pond)
        return fault_at(pond, self.count, self._seed, self._now())

    def registers(self, pond: int) -> list[int]:
        """Return all registers of a pond as they are now, from address 0."""
        fault, now = self.fault(pond), self._now()
        return [
            register
            for sensor in SENSORS
            for register in encode(sensor, value_with_fault(sensor, pond, self._seed, now, fault))
        ]

    def is_silent(self, pond: int) -> bool:
        """Tell whether a pond's device answers nothing now."""
        fault = self.fault(pond)
        return fault is not None and fault.kind is FaultKind.SILENT


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until told to stop; return the exit code."""
    choose_language(None, os.environ)
    options = _parser().parse_args(argv)
    ponds = Ponds(
        options.ponds,
        options.seed,
        forced=dict(options.fault),
        has_faults=not options.no_faults,
    )
    try:
        asyncio.run(_serve(ponds, options.host, options.port, until_eof=options.until_eof))
    except (OSError, RuntimeError) as error:
        address = f"{options.host}:{options.port}"
        print(translate("farm.cannot_listen", address=address, reason=error), file=sys.stderr)
        return 1
    return 0


async def _serve(ponds: Ponds, host: str, port: int, *, until_eof: bool) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    server = ModbusTcpServer(
        [_device(ponds, pond) for pond in range(1, ponds.count + 1)],
        address=(host, port),
        trace_packet=functools.partial(_answer_unless_silent, ponds),
    )
    await server.serve_forever(background=True)
    listener = server.transport
    assert isinstance(listener, asyncio.Server)
    host, port = listener.sockets[0].getsockname()[:2]
    print(translate("farm.device_listens", url=f"modbus://{host}:{port}"), flush=True)
    if until_eof:
        threading.Thread(target=_wait_for_eof, args=(loop, stop), daemon=True).start()
    await stop.wait()
    server.close()


def _device(ponds: Ponds, pond: int) -> SimDevice:
    """Return the unit of one pond; its registers are computed at each request."""

    async def refresh(*request: Any) -> ExcCodes | None:
        # function, first address held, address, count, registers held, what is to be written
        registers = request[4]
        fault = ponds.fault(pond)
        if fault is not None and fault.kind is FaultKind.EXCEPTION:
            return ExcCodes.DEVICE_FAILURE
        current = ponds.registers(pond)
        registers[: len(current)] = current
        return None

    registers = SimData(0, values=ponds.registers(pond), datatype=DataType.UINT16, readonly=True)
    return SimDevice(pond, registers, action=refresh)


def _answer_unless_silent(ponds: Ponds, sending: bool, packet: bytes) -> bytes:
    """Drop the answers of a silent pond; what came in passes."""
    if sending and len(packet) > _UNIT_BYTE and ponds.is_silent(packet[_UNIT_BYTE]):
        return b""
    return packet


def _wait_for_eof(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Stop when whoever started this is gone: its end of the pipe is then closed."""
    sys.stdin.buffer.read()
    loop.call_soon_threadsafe(stop.set)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m task_scheduler.presets.farm.pond_device",
        description=translate("farm.help_device"),
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5020, help=translate("farm.help_port"))
    parser.add_argument("--ponds", type=int, choices=range(1, 248), metavar="N", default=2)
    parser.add_argument("--seed", type=int, default=1, help=translate("farm.help_seed"))
    parser.add_argument("--no-faults", action="store_true", help=translate("farm.help_no_faults"))
    parser.add_argument(
        "--fault",
        type=_fault,
        action="append",
        default=[],
        metavar="POND:KIND[:SENSOR]",
        help=translate("farm.help_fault", kinds=", ".join(FaultKind)),
    )
    parser.add_argument("--until-eof", action="store_true", help=translate("farm.help_eof"))
    return parser


def _fault(text: str) -> tuple[int, Fault]:
    pond, _, rest = text.partition(":")
    kind, _, sensor = rest.partition(":")
    return int(pond), Fault(FaultKind(kind), sensor or None)


if __name__ == "__main__":
    sys.exit(main())
