"""Whether the write-ahead log of a ledger still holds every commit that was put into it.

Responsible for: telling a log that ends where its process ended from one that was damaged in the
middle. SQLite takes the log up to the first frame that is not sound and drops the rest without a
word, commits that were acknowledged included.

Frames are written in order, so behind a frame that is not sound there can be a *commit* of the same
log only if the disk changed that frame afterwards, or if that commit had failed; the store begins
the log anew after one that failed. After a power cut the frames of the last transaction may be
there without those before them: with them ends at most one commit.

The format: https://www.sqlite.org/fileformat2.html#walformat
"""

from __future__ import annotations

import struct
from pathlib import Path

__all__ = ["lost_commits"]

_HEADER = 32
_FRAME_HEADER = 24
_MAGIC = 0x377F0682
"""The lowest bit tells in which order of bytes the checksums were made."""


def lost_commits(path: str, *, is_same_boot: bool) -> int:
    """Return how many commits of the log of a database SQLite would drop as not sound.

    `is_same_boot`: whether the machine ran on since the log was written.
    """
    try:
        data = memoryview(Path(f"{path}-wal").read_bytes())
    except FileNotFoundError:
        return 0
    if len(data) < _HEADER + _FRAME_HEADER:
        return 0
    magic, _, page, _, *salts = struct.unpack(">6I", data[:24])
    order = ">" if magic & 1 else "<"
    sums = _checksum(data[:24], (0, 0), order)
    if magic & ~1 != _MAGIC or sums != struct.unpack(">2I", data[24:_HEADER]):
        # Nothing behind it can be told apart any more.
        return int(is_same_boot)
    size = _FRAME_HEADER + page
    is_sound, lost = True, 0
    for at in range(_HEADER, len(data) - size + 1, size):
        head = data[at : at + _FRAME_HEADER]
        _, commit, *found = struct.unpack(">6I", head)
        is_of_this_log = found[:2] == salts
        if is_sound:
            if is_of_this_log:
                sums = _checksum(head[:8], sums, order)
                sums = _checksum(data[at + _FRAME_HEADER : at + size], sums, order)
            is_sound = is_of_this_log and sums == tuple(found[2:])
        elif is_of_this_log:
            lost += bool(commit)
    return lost if is_same_boot or lost > 1 else 0


def _checksum(data: memoryview, sums: tuple[int, int], order: str) -> tuple[int, int]:
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    one, two = sums
    for index in range(0, len(words), 2):
        one = one + words[index] + two & 0xFFFFFFFF
        two = two + words[index + 1] + one & 0xFFFFFFFF
    return one, two
