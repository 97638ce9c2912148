"""The plan of a confinement, and carrying it out in the process that becomes the task.

Responsible for: the order of the steps. What is plain data here was checked and made of names into
numbers by the scheduler (`tasks.confinement`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

from task_scheduler.confinement import network, rights, script_file
from task_scheduler.confinement.refusal import StartRefusedError

__all__ = ["confine"]

_BOOTSTRAP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "as_script.py")


def confine(
    plan: Mapping[str, Any], argv: Sequence[bytes], env: MutableMapping[bytes, bytes] | None = None
) -> tuple[list[bytes], str | None]:
    """Confine this process; return the arguments to start, and the program's path if it is open.

    Variables that name files are set in `env`.

    The keys of a plan, each of which may be missing:

    - `script`: {path, roots, sha256, owners, place, is_python, is_lenient}; `place` is its index
      in `argv`; of a lenient one only the digest is held to
    - `group`: {folder, limits}: the control group that it enters (`attempt_group.join`)
    - `network`: {kind: "none" | "loopback" | "tcp", connect: [ports], bind: [ports]}
    - `limits`: {name: number} of `rights.LIMITS`; `nice`; `umask`
    - `files`: {variable: content}; the variable names a file with it that only descriptors lead to
    - `uid`, `gid`, `groups`: numbers
    - `no_new_privileges`: true

    Raises StartRefusedError where one of them cannot be had.
    """
    program = None
    arguments = list(argv)
    if plan.get("group"):
        from task_scheduler.confinement.attempt_group import join  # few systems give one

        # First of all: from here on all that is used is the attempt's, and counted.
        join(plan["group"])
    if plan.get("script"):
        # While we are who we are: the task's user need not be able to read it.
        arguments, program = _open_script(plan["script"], arguments)
    for variable, content in (plan.get("files") or {}).items():
        if env is not None:
            env[os.fsencode(variable)] = _file_of(content)
    net = plan.get("network") or {}
    if net.get("kind") in ("none", "loopback"):
        # It takes root, or a user namespace: before the user changes.
        network.leave_network(has_loopback=net["kind"] == "loopback")
    rights.limit(plan.get("limits") or {}, nice=plan.get("nice"), umask=plan.get("umask"))
    rights.become(plan.get("uid"), plan.get("gid"), plan.get("groups") or ())
    if "processes" in (plan.get("limits") or {}):
        rights.check_process_limit(plan["limits"]["processes"])
    if plan.get("no_new_privileges") or net.get("kind") == "tcp":
        rights.renounce_privileges()
    if net.get("kind") == "tcp":
        network.restrict_tcp(net.get("connect") or (), net.get("bind") or ())
    return arguments, program


def _open_script(
    script: Mapping[str, Any], argv: Sequence[bytes]
) -> tuple[list[bytes], str | None]:
    """Open and check a script; return the arguments that run it by its descriptor."""
    digest = script.get("sha256")
    descriptor, real = script_file.open_checked(
        script["path"],
        roots=script.get("roots") or (),
        digest=digest,
        owners=script.get("owners") or (),
        find=_let_pass if script.get("is_lenient") else None,
    )
    if digest is not None:
        descriptor = script_file.copy_sealed(descriptor, os.path.basename(real)[:200], digest)
    os.set_blocking(descriptor, True)
    os.set_inheritable(descriptor, True)
    arguments = list(argv)
    place = int(script.get("place", 0))
    opened = f"/proc/self/fd/{descriptor}" if sys.platform.startswith("linux") else real
    if script.get("is_python"):
        bootstrap = [os.fsencode(_BOOTSTRAP), b"%d" % descriptor]
        return [*arguments[:place], *bootstrap, *arguments[place:]], None
    if place == 0:
        # The program itself: it keeps its name as argv[0], and is executed by its descriptor.
        return arguments, opened
    arguments[place] = os.fsencode(opened)
    return arguments, None


def _file_of(content: str) -> bytes:
    """Return the path of a file in memory that the program inherits."""
    descriptor = os.memfd_create("secret", 0)
    data = content.encode("utf-8", "surrogateescape")
    while data:
        data = data[os.write(descriptor, data) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    return b"/proc/self/fd/%d" % descriptor


def _let_pass(refusal: StartRefusedError) -> None:
    """Refuse what was pinned and is another; the rest was warned of."""
    if refusal.reason == "script_digest":
        raise refusal
