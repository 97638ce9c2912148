"""The keys of the live view: one table, which the help shows and a test compares with the program.

The dashboard has the same ones.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["GO", "KEYS", "Key"]


class Key(NamedTuple):
    """A key, what it does, and whether it stands in the line at the foot."""

    names: tuple[str, ...]
    """As textual calls them."""
    shown: str
    action: str
    """The action of the application; its sentence is ``top.key_<action>``."""
    is_in_foot: bool = False


KEYS: tuple[Key, ...] = (
    Key(("j", "down"), "j ↓", "down"),
    Key(("k", "up"), "k ↑", "up"),
    Key(("pagedown",), "PgDn", "page_down"),
    Key(("pageup",), "PgUp", "page_up"),
    Key(("home",), "Home", "first"),
    Key(("end",), "End", "last"),
    Key(("enter",), "Enter", "details"),
    Key(("slash",), "/", "search", is_in_foot=True),
    Key(("x",), "x", "select"),
    Key(("r",), "r", "run", is_in_foot=True),
    Key(("p",), "p", "pause", is_in_foot=True),
    Key(("R",), "R", "retry", is_in_foot=True),
    Key(("K",), "K", "kill", is_in_foot=True),
    Key(("l",), "l", "log", is_in_foot=True),
    Key(("s",), "s", "sort", is_in_foot=True),
    Key(("S",), "S", "reverse"),
    Key(("f",), "f", "failed"),
    Key(("full_stop",), ".", "live"),
    Key(("question_mark",), "?", "help", is_in_foot=True),
    Key(("escape",), "Esc", "clear"),
    Key(("q",), "q", "leave", is_in_foot=True),
)

GO: tuple[Key, ...] = (
    Key(("o",), "g o", "go_overview"),
    Key(("t",), "g t", "go_tasks"),
    Key(("r",), "g r", "go_running"),
    Key(("c",), "g c", "go_coming"),
)
"""After ``g``: where to go."""
