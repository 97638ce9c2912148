"""On what kind of file system a folder lies, where the system tells.

Responsible for: finding network file systems, whose locks a ledger cannot trust.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["network_file_system_of"]

_NETWORK = frozenset(
    {
        "nfs",
        "nfs4",
        "cifs",
        "smb2",
        "smb3",
        "smbfs",
        "9p",
        "afs",
        "ceph",
        "glusterfs",
        "lustre",
        "ncpfs",
        "fuse.sshfs",
        "fuse.glusterfs",
        "fuse.s3fs",
        "fuse.rclone",
        "gfs2",
        "ocfs2",
        "beegfs",
    }
)


def network_file_system_of(folder: Path, mounts: str | None = None) -> str | None:
    """Return the kind of network file system that `folder` is on; None for a local or unknown one.

    `mounts` is the text of Linux's ``/proc/self/mountinfo`` (read when None); elsewhere nothing
    is known and None is the answer.
    """
    if mounts is None:
        try:
            mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
    place = os.path.realpath(folder)
    best, kind = "", None
    for line in mounts.splitlines():
        before, separator, after = line.partition(" - ")
        fields = before.split(" ")
        if not separator or len(fields) < 5:
            continue
        point = fields[4].replace("\\040", " ")
        is_above = place == point or place.startswith(point.rstrip("/") + "/")
        if is_above and len(point) >= len(best):
            best, kind = point, after.split(" ", 1)[0]
    return kind if kind in _NETWORK else None
