"""JSON as it is stored: as short as it can be, and quickly made.

Responsible for: one encoder, made once. `json.dumps` with options makes one at every call, and
`JSONEncoder.encode` one inside; for the short texts of a definition that is most of the time.
"""

from __future__ import annotations

import json
import json.encoder
from collections.abc import Callable
from typing import Any

__all__ = ["json_text"]


def _encoder() -> Callable[[Any], str]:
    plain = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:  # of a Python without its accelerator
        return plain.encode
    encode = make(
        None, plain.default, json.encoder.encode_basestring, None, ":", ",", False, False, True
    )
    join = "".join
    return lambda value: join(encode(value, 0))


json_text: Callable[[Any], str] = _encoder()
"""Return a value of dicts, lists and plain values as JSON text; raises TypeError for others."""
