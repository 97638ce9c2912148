"""The texts that attackers try, by what they would do.

Responsible for: the texts. `{canary}` stands for a file that a shell would make.
"""

from __future__ import annotations

__all__ = ["COMMANDS_OF_TERMINALS", "PATHS", "SHELL", "SQL", "harmful_in"]

SHELL = {
    "semicolon": "x; touch {canary}",
    "substitution": "$(touch {canary})",
    "backquotes": "`touch {canary}`",
    "newline": "x\ntouch {canary}\n",
    "pipe": "| touch {canary}",
    "and": "x && touch {canary}",
    "background": "x & touch {canary} &",
    "redirection": "> {canary}",
    "process-substitution": "<(touch {canary})",
    "quote": "'; touch {canary}; '",
    "double-quote": '"; touch {canary}; "',
    "variable": "${{IFS}}touch${{IFS}}{canary}",
    "option": "--help",
    "short-option": "-e",
    "end-of-options": "--",
    "home": "~",
    "glob": "/*",
    "template": "{{{{7*7}}}}",
    "percent": "%n%s%x",
    "python-format": "{{0.__class__}}",
    "long": "x" * 10_000,
    "right-to-left": "a\u202etxt.exe",
    "escape": "\x1b]0;owned\x07",
    "formula": '=cmd|"/c calc"!A1',
    "emoji": "🐟" * 50,
}
"""Arguments: a task must get each of them as it is."""

SQL = {
    "or": "' OR '1'='1",
    "comment": "x'--",
    "drop": "'; DROP TABLE runs; --",
    "union": "' UNION SELECT definition FROM entries --",
    "percent": "%",
    "underscore": "_",
    "backslash": "\\",
    "glob": "*",
    "null": "NULL",
    "parameter": ":task_id",
    "double-quote": '" OR ""="',
    "json": '"}, {"a": "',
    "brackets": "[]) --",
    "nul": "a\0b",
    "surrogate-free": "a\ufffdb",
}
"""Values of filters: each must find nothing but a row that is called so."""

PATHS = {
    "parent": "../../canary",
    "absolute": "/etc/passwd",
    "home": "~root/.bashrc",
    "dots": "..",
    "dot": ".",
    "slash": "a/b",
    "double": "a//../..//b",
    "backslash": "..\\..\\x",
    "encoded": "%2e%2e%2fx",
    "long": "x" * 200,
    "device": "CON",
}
"""Ids: no file or folder may be named by them."""

COMMANDS_OF_TERMINALS = {
    "title": "\x1b]0;owned\x07",
    "clipboard": "\x1b]52;c;cm0gLXJmIC8K\x07",
    "clear": "\x1b[2J\x1b[H",
    "cursor-up": "\x1b[1A\x1b[2K",
    "answerback": "\x1b[6n",
    "link": "\x1b]8;;http://evil\x1b\\x\x1b]8;;\x1b\\",
    "dcs": "\x1bP+q544e\x1b\\",
    "reset": "\x1bc",
    "c1-csi": "\x9b2J",
    "c1-osc": "\x9d0;owned\x9c",
    "c1-nel": "a\x85b",
    "bell": "\x07" * 3,
    "backspace": "safe\x08\x08\x08\x08evil",
    "carriage-return": "safe\revil",
    "line-feed": "safe\n2026-01-01 00:00:00 - TaskScheduler - ERROR - forged",
    "line-separator": "a\u2028b",
    "paragraph-separator": "a\u2029b",
    "override": "a\u202etxt.exe",
    "isolate": "a\u2066b\u2069",
    "delete": "a\x7fb",
    "shift-out": "\x0e",
    "nul": "a\0b",
}
"""Texts that a terminal would obey, or that would show as another text."""

_DIRECTIONS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def harmful_in(text: str) -> list[str]:
    """Return the characters of a text that a terminal would obey, line breaks apart."""
    return [
        mark
        for mark in text
        if (mark < " " and mark != "\n")
        or "\x7f" <= mark <= "\x9f"
        or mark in ("\u2028", "\u2029", *_DIRECTIONS)
    ]
