"""The captured output of a run, read from its files while it grows.

Responsible for: finding the file of an attempt, following it, and keeping what a terminal would
obey out of what is shown.
"""

from __future__ import annotations

import codecs
import os
import re
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["Neutraliser", "OutputFile", "has_output", "output_files", "tail_offset"]

_BLOCK = 65_536
_SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours, cursor
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|\x9c)"  # titles, links and other strings
    r"|\x1b[ -/]*[0-OQ-WYZ\\`-~]",
    re.DOTALL,
)
_OPEN_SEQUENCE = re.compile(r"\x1b[^\x1b\n]{0,256}\x1b?\Z")
_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Neutraliser:
    """Turn bytes into text that a terminal only shows; pieces may be cut anywhere."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""

    def feed(self, data: bytes, *, is_last: bool = False) -> str:
        """Return what can be shown by now; the beginning of a sequence waits for its end."""
        text = self._held + self._decoder.decode(data, is_last)
        text = _SEQUENCE.sub("", text)
        self._held = ""
        if not is_last:
            rest = _OPEN_SEQUENCE.search(text)
            cut = rest.start() if rest else len(text)
            if text[:cut].endswith("\r"):
                cut -= 1
            text, self._held = text[:cut], text[cut:]
        # A progress line that redraws itself becomes one line a drawing.
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        return text if text.isascii() and text.isprintable() else "".join(map(_shown, text))


def _shown(character: str) -> str:
    if character in "\n\t":
        return character
    is_command = unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
    return "\ufffd" if is_command or character in _DIRECTIONS else character


class OutputFile:
    """One attempt's output from an offset on; what was read is not read again.

    One that has become shorter was emptied and is written anew: it is read from its beginning.
    """

    def __init__(self, path: Path, offset: int = 0) -> None:
        self.path = path
        self._offset = offset

    def chunks(self) -> Iterator[bytes]:
        """Yield what has been written since; nothing where there is no file yet."""
        try:
            with open(self.path, "rb", opener=_open_at_once) as file:
                if file.seek(0, os.SEEK_END) < self._offset:
                    self._offset = 0
                file.seek(self._offset)
                while data := file.read(_BLOCK):
                    self._offset += len(data)
                    yield data
        except FileNotFoundError:
            return


def _open_at_once(path: str, flags: int) -> int:
    # A pipe in the place of the file must not hold us.
    return os.open(path, flags | os.O_NONBLOCK)


def output_files(run: Mapping[str, Any], runs_folder: Path) -> dict[int, Path]:
    """Return the output files of a run by the number of the attempt.

    Attempts that have ended name theirs; one that runs now is found by its folder, which is called
    after the run and the attempt's token.
    """
    found: dict[int, Path] = {}
    ended: set[int] = set()
    for attempt in run["attempts"]:
        ended.add(attempt["token"])
        if attempt["output_path"]:
            found[attempt["attempt"]] = runs_folder / attempt["output_path"]
    # Newest last: of two tokens of the same attempt (a recovered one) the later is the real one.
    for token in sorted(_tokens(runs_folder, run["run_id"]) - ended):
        # The run may have been read before this attempt began: it comes after all that have ended.
        number = max([run["attempt"], *(a["attempt"] + 1 for a in run["attempts"])], default=1)
        if run["state"] in ("waiting", "running"):
            path = runs_folder / f"{run['run_id']}-{token}" / "output"
            found[max(1, number)] = path
    return found


def has_output(run: Mapping[str, Any], runs_folder: Path) -> bool:
    """Whether a run has written anything that can be shown: what never began has not."""
    paths = output_files(run, runs_folder).values()
    return any(path.exists() and path.stat().st_size for path in paths)


def _tokens(runs_folder: Path, run_id: int) -> set[int]:
    names = (path.name.partition("-")[2] for path in runs_folder.glob(f"{run_id}-*"))
    return {int(name) for name in names if name.isdigit()}


def tail_offset(path: Path, lines: int) -> int:
    """Return where the last lines of a file begin, read from its end."""
    try:
        with path.open("rb") as file:
            end = at = file.seek(0, 2)
            wanted = lines
            while at > 0:
                size = min(_BLOCK, at)
                at -= size
                file.seek(at)
                block = file.read(size)
                # The line break at the very end closes the last line: it begins none.
                stop = len(block) - (at + len(block) == end and block.endswith(b"\n"))
                while (index := block.rfind(b"\n", 0, stop)) >= 0:
                    wanted -= 1
                    if wanted == 0:
                        return at + index + 1
                    stop = index
    except FileNotFoundError:
        return 0
    return 0
