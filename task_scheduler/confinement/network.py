"""The network of a program: none, a loopback of its own, or chosen TCP ports.

Responsible for: an own network namespace (``none``, ``loopback``) and Landlock's rules for TCP
ports, and for telling which of the two this machine has.

What they cover: a namespace covers everything, abstract Unix sockets included. Landlock covers
`connect` and `bind` of TCP sockets and nothing else: not UDP, not raw sockets, not the host that
a port is connected at. So a rule that names a host cannot be enforced by it and is refused.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from task_scheduler.confinement.refusal import StartRefusedError

__all__ = [
    "LANDLOCK_TCP", "landlock_version", "leave_network", "namespace_trouble", "restrict_tcp",
]  # fmt: skip

LANDLOCK_TCP = 4
"""The version of Landlock's interface from which it knows TCP."""

_CLONE_NEWUSER = 0x1000_0000
_CLONE_NEWNET = 0x4000_0000
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
"""The same numbers on every architecture: they were added after these were unified."""
_VERSION = 1
_RULE_NET_PORT = 2
_BIND_TCP, _CONNECT_TCP = 1, 2
_TRIAL = """
import sys
sys.path.append(sys.argv[1])
from task_scheduler.confinement.network import leave_network
from task_scheduler.confinement.refusal import StartRefusedError
try:
    leave_network(has_loopback=True)
except StartRefusedError as refusal:
    sys.exit(print(refusal.what, refusal.why) or 1)
"""
_TRIAL_SECONDS = 30
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 0x1


def landlock_version() -> int:
    """Return the version of Landlock's interface; 0 where there is none."""
    if not sys.platform.startswith("linux"):
        return 0
    library: Any = ctypes.CDLL(None, use_errno=True)
    return max(0, int(library.syscall(_CREATE_RULESET, None, 0, _VERSION)))


def namespace_trouble() -> str:
    """Return why nobody can be given a network of its own here; empty where it can be done.

    Tried by a process that does it: a service may be kept from it by a filter of system calls.
    """
    folder = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    try:
        tried = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _TRIAL, folder],
            capture_output=True,
            text=True,
            timeout=_TRIAL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if tried.returncode == 0 else tried.stdout.strip() or f"exit code {tried.returncode}"


def leave_network(*, has_loopback: bool) -> None:
    """Move this process into a network of its own, which leads nowhere. Raises StartRefusedError.

    With a loopback its own processes can talk to each other over 127.0.0.1 and ::1; the services
    of this machine are not there.
    """
    library: Any = ctypes.CDLL(None, use_errno=True)
    if library.unshare(_CLONE_NEWNET) != 0:
        if ctypes.get_errno() != errno.EPERM:
            raise StartRefusedError("namespace", "", os.strerror(ctypes.get_errno()))
        _leave_as_user(library)
    if has_loopback:
        try:
            _raise_loopback()
        except OSError as error:
            raise StartRefusedError("namespace", "lo", error.strerror or "") from error


def restrict_tcp(connect: Sequence[int], bind: Sequence[int] = ()) -> None:
    """Let this process connect to these TCP ports, listen at those, and at no others.

    For good, and for all that it starts. It must have renounced new privileges.
    Raises StartRefusedError.
    """
    if landlock_version() < LANDLOCK_TCP:
        raise StartRefusedError("landlock_missing", str(landlock_version()))
    library: Any = ctypes.CDLL(None, use_errno=True)
    handled = struct.pack("=QQ", 0, _BIND_TCP | _CONNECT_TCP)
    ruleset = library.syscall(_CREATE_RULESET, handled, len(handled), 0)
    if ruleset < 0:
        raise StartRefusedError("network_rules", "", os.strerror(ctypes.get_errno()))
    try:
        for ports, access in ((connect, _CONNECT_TCP), (bind, _BIND_TCP)):
            for port in ports:
                rule = struct.pack("=QQ", access, port)
                if library.syscall(_ADD_RULE, ruleset, _RULE_NET_PORT, rule, 0) != 0:
                    raise StartRefusedError(
                        "network_rules", str(port), os.strerror(ctypes.get_errno())
                    )
        if library.syscall(_RESTRICT_SELF, ruleset, 0) != 0:
            raise StartRefusedError("network_rules", "", os.strerror(ctypes.get_errno()))
    finally:
        os.close(ruleset)


def _leave_as_user(library: Any) -> None:
    """Do it without being root: in a user namespace in which we stay who we are."""
    uid, gid = os.geteuid(), os.getegid()
    if library.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
        raise StartRefusedError("namespace", "", os.strerror(ctypes.get_errno()))
    try:
        for name, content in (
            ("setgroups", "deny"),
            ("uid_map", f"{uid} {uid} 1"),
            ("gid_map", f"{gid} {gid} 1"),
        ):
            descriptor = os.open(f"/proc/self/{name}", os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(descriptor, content.encode("ascii"))
            finally:
                os.close(descriptor)
    except OSError as error:
        raise StartRefusedError("namespace", "", error.strerror or "") from error


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(handle, _GET_FLAGS, request))[1]
        fcntl.ioctl(handle, _SET_FLAGS, struct.pack("16sH14x", b"lo", flags | _UP))
