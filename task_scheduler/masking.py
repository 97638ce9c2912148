"""Masking: secrets in text are replaced, in the encodings in which they usually appear.

Responsible for: finding known secrets, as they are and as base64, hexadecimal, URL, JSON, HTML and
Python write them, also where a stream was cut in the middle of one. Pure, and of the standard
library only: supervisors use it on what tasks print.

Not found: a secret that is encrypted, compressed, wrapped over lines in base64, or printed in
parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["MASK", "SHORTEST", "Masker", "StreamMasker", "forms_of"]

MASK = b"***"
SHORTEST = 4
"""Bytes. What is shorter is not masked: it would be found everywhere."""
_SHORTEST_LINE = 8
"""Bytes of a line of a secret with several, such as a private key, to be masked by itself."""


def forms_of(secret: str) -> list[bytes]:
    """Return a secret as it may appear, each form once; the longest first."""
    import base64
    import html
    import json
    from urllib.parse import quote, quote_plus

    data = secret.encode("utf-8", "surrogateescape")
    forms = {data, data.strip(), data.hex().encode(), data.hex().upper().encode()}
    forms |= {
        text.encode("utf-8", "surrogateescape")
        for text in (
            quote(data, safe=""), quote(data), quote_plus(data), html.escape(secret),
            json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1],
            # A program's JSON as a line of a log that is JSON itself.
            json.dumps(json.dumps(secret)[1:-1])[1:-1],
            repr(secret)[1:-1], secret.replace("\n", "\r\n"),
        )
    }  # fmt: skip
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):
            # Within other data it begins at any of three places; of its first and last character
            # some bits are its neighbours'.
            text = encode(bytes(before) + data)
            forms.add(text[-(-8 * before // 6) : 8 * (before + len(data)) // 6])
    forms |= {line.strip() for line in data.splitlines() if len(line.strip()) >= _SHORTEST_LINE}
    return sorted((form for form in forms if len(form) >= SHORTEST), key=lambda f: (-len(f), f))


class Masker:
    """Replaces secrets; more of them may become known at any time."""

    def __init__(self) -> None:
        self._secrets: set[str] = set()
        self._pattern: re.Pattern[bytes] | None = None
        self._forms: list[bytes] = []

    @property
    def forms(self) -> list[bytes]:
        """All that is replaced, the longest first."""
        return self._forms

    def learn(self, secrets: Iterable[str]) -> None:
        """Mask these too from now on."""
        new = {secret for secret in secrets if secret not in self._secrets}
        if not new:
            return
        self._secrets |= new
        found = {form for secret in self._secrets for form in forms_of(secret)}
        self._forms = sorted(found, key=lambda form: (-len(form), form))
        self._pattern = _pattern_of(self._forms)

    def mask(self, text: str) -> str:
        """Return a text without the secrets."""
        if self._pattern is None:
            return text
        data = text.encode("utf-8", "surrogatepass")
        return self._pattern.sub(MASK, data).decode("utf-8", "surrogatepass")


class StreamMasker:
    """Replaces secrets in a stream that arrives in pieces."""

    def __init__(self, forms: Iterable[bytes]) -> None:
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        self._pattern = _pattern_of(ordered)
        self._longest = len(ordered[0]) if ordered else 0
        self._beginnings = {form[:end] for form in ordered for end in range(1, len(form))}
        self._kept = b""

    def feed(self, chunk: bytes) -> bytes:
        """Take the next piece; return what is certain by now.

        Kept back is only what may be the beginning of a secret.
        """
        data = self._kept + chunk
        if self._pattern is None:
            return data
        cut = len(data) - self._open_end(data)
        safe, at = [], 0
        for match in self._pattern.finditer(data):
            if match.end() > cut:
                # It may turn out to be a longer one.
                cut = min(cut, match.start())
                break
            safe += [data[at : match.start()], MASK]
            at = match.end()
        self._kept = data[cut:]
        return b"".join([*safe, data[at:cut]])

    def flush(self) -> bytes:
        """Return what was kept back: the stream has ended."""
        data, self._kept = self._kept, b""
        return data if self._pattern is None else self._pattern.sub(MASK, data)

    def _open_end(self, data: bytes) -> int:
        """Return how many bytes at the end are the beginning of a secret."""
        lengths = range(min(self._longest - 1, len(data)), 0, -1)
        return next((n for n in lengths if data[-n:] in self._beginnings), 0)


def _pattern_of(forms: list[bytes]) -> re.Pattern[bytes] | None:
    return re.compile(b"|".join(map(re.escape, forms))) if forms else None
