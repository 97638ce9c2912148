"""A script's file: found, opened once, checked, and from then on held by its descriptor.

Responsible for: findings about a path and the file at its end. Every folder on the way is opened
by its name in the folder before it, and none of them may be a link: whoever swaps one of them, at
any time, makes the walk fail or is not seen at all, and never gets another file executed.

Links are followed before, once, by name: a script may be reached through them if what they lead to
lies below an allowed root.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence

from task_scheduler.confinement.refusal import StartRefusedError

__all__ = ["copy_sealed", "open_checked"]

_CHUNK_BYTES = 1 << 20
_WALK = os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC if hasattr(os, "O_PATH") else 0
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_SEALS = 0x000F
"""Neither written, grown, shrunk nor unsealed."""
_ADD_SEALS = 1033


def open_checked(
    path: str,
    *,
    roots: Sequence[str] = (),
    digest: str | None = None,
    owners: Sequence[int] = (),
    find: Callable[[StartRefusedError], None] | None = None,
) -> tuple[int, str]:
    """Return a descriptor of a script, open for reading, and the path without links at its end.

    `roots`: folders below one of which it must lie; none: anywhere. `digest`: its SHA-256 in hex.
    `owners`: users besides root and us who may own it. What is wrong is raised as
    StartRefusedError, or given to `find` where it is only to be told; that a file cannot be opened
    is always raised.
    """
    try:
        real = os.path.realpath(path)
    except OSError as error:
        # What was a link when it was looked at is none when it is read: somebody swaps.
        raise StartRefusedError("script_changed", path, error.strerror or "") from error
    allowed = {0, os.geteuid(), *owners}

    def wrong(reason: str, what: str) -> None:
        refusal = StartRefusedError(reason, what)
        if find is None:
            raise refusal
        find(refusal)

    if roots and not any(_is_below(real, os.path.realpath(root)) for root in roots):
        wrong("script_outside", real)
    try:
        descriptor = _walk(real, allowed, wrong)
    except OSError as error:
        # A link where none was a moment ago: somebody swaps.
        is_link = error.errno in (errno.ELOOP, errno.ENOTDIR)
        reason = "script_changed" if is_link else "script_unopened"
        raise StartRefusedError(reason, real, error.strerror or "") from error
    try:
        if digest is not None and _digest(descriptor) != digest.lower():
            wrong("script_digest", real)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, real


def copy_sealed(descriptor: int, name: str, digest: str | None) -> int:
    """Return a descriptor of an anonymous copy that nobody can change; closes the given one.

    A file can be written to while it is read: StartRefusedError where the copy has not the digest.
    """
    import fcntl

    copy = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        for chunk in _chunks(descriptor):
            view = memoryview(chunk)
            while view:
                view = view[os.write(copy, view) :]
        os.close(descriptor)
        fcntl.fcntl(copy, _ADD_SEALS, _SEALS)
        if digest is not None and _digest(copy) != digest.lower():
            raise StartRefusedError("script_changed", name)
        os.lseek(copy, 0, os.SEEK_SET)
    except BaseException:
        os.close(copy)
        raise
    return copy


def _walk(real: str, allowed: set[int], wrong: Callable[[str, str], None]) -> int:
    """Open a path without links, folder by folder, and look at each."""
    *folders, name = real.split(os.sep)[1:]
    place = os.open(os.sep, _WALK)
    so_far = os.sep
    try:
        _look_at_folder(os.fstat(place), so_far, allowed, wrong)
        for folder in folders:
            inner = os.open(folder, _WALK, dir_fd=place)
            os.close(place)
            place = inner
            so_far = os.path.join(so_far, folder)
            _look_at_folder(os.fstat(place), so_far, allowed, wrong)
        # Not blocking: a pipe in the place of the file must not hold us.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(name, flags, dir_fd=place)
    finally:
        os.close(place)
    try:
        _look_at_file(os.fstat(descriptor), real, allowed, wrong)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _look_at_folder(
    state: os.stat_result, path: str, allowed: set[int], wrong: Callable[[str, str], None]
) -> None:
    if state.st_uid not in allowed:
        wrong("script_foreign", path)
    # Where all may write, as in /tmp, the sticky bit keeps them from each other's files.
    is_kept_apart = state.st_mode & stat.S_ISVTX and state.st_uid == 0
    if state.st_mode & _OTHERS_WRITE and not is_kept_apart:
        wrong("script_writable", path)


def _look_at_file(
    state: os.stat_result, path: str, allowed: set[int], wrong: Callable[[str, str], None]
) -> None:
    if not stat.S_ISREG(state.st_mode):
        raise StartRefusedError("script_unopened", path, os.strerror(errno.ENOEXEC))
    if state.st_uid not in allowed:
        wrong("script_foreign", path)
    if state.st_mode & _OTHERS_WRITE:
        wrong("script_writable", path)


def _is_below(path: str, root: str) -> bool:
    return path.startswith(root.rstrip(os.sep) + os.sep)


def _digest(descriptor: int) -> str:
    found = hashlib.sha256()
    for chunk in _chunks(descriptor):
        found.update(chunk)
    return found.hexdigest()


def _chunks(descriptor: int) -> Iterator[bytes]:
    """Give a file's content from its beginning, whatever was read of it before."""
    at = 0
    while chunk := os.pread(descriptor, _CHUNK_BYTES, at):
        at += len(chunk)
        yield chunk
