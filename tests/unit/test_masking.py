"""Masking: known secrets are found in every usual form, wherever a stream is cut."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from task_scheduler.masking import Masker, StreamMasker, forms_of

SECRET = 'pA&55 wörd/"42"<x>'

FORMS = [
    SECRET,
    quote(SECRET),
    quote(SECRET, safe=""),
    quote_plus(SECRET),
    html.escape(SECRET),
    json.dumps(SECRET),
    json.dumps(SECRET, ensure_ascii=False),
    repr(SECRET),
    SECRET.encode().hex(),
    SECRET.encode().hex().upper(),
]


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_masked_in_every_usual_form(form: str) -> None:
    masker = Masker()
    masker.learn([SECRET])

    masked = masker.mask(f"before {form} after")

    assert masked.startswith("before ")
    assert masked.endswith(" after")
    assert "***" in masked
    assert form.strip("\"'") not in masked


@pytest.mark.parametrize("before", ["", "u", "us", "use", "user:"])
@pytest.mark.parametrize("after", ["", ":", "@@", "tail"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_it_is_masked_wherever_in_base64_it_stands(before: str, after: str, encode: object) -> None:
    masker = Masker()
    masker.learn([SECRET])
    text = encode((before + SECRET + after).encode()).decode()  # type: ignore[operator]

    masked = masker.mask(f"Basic {text}")

    assert "***" in masked
    # What is left of it are at most the characters that it shares with its neighbours.
    assert len(masked) <= len("Basic ***") + len(text) - len(SECRET) + 4


def test_of_a_secret_with_lines_each_line_is_masked() -> None:
    key = "-----BEGIN KEY-----\nMIIEpAIBAAKCAQEA7\nZm9vYmFyYmF6\n-----END KEY-----\n"
    masker = Masker()
    masker.learn([key])

    assert masker.mask("  MIIEpAIBAAKCAQEA7  ") == "  ***  "


def test_what_is_too_short_is_not_masked() -> None:
    assert b"ab" not in forms_of("ab")


def test_a_text_without_secrets_is_the_same_object() -> None:
    text = "nothing"

    assert Masker().mask(text) is text


@given(
    st.lists(
        st.sampled_from(["s3cret", "s3cr", "s3", "x", "cret", "s3cretary", "\n"]), max_size=30
    ),
    st.integers(1, 7),
)
def test_a_stream_is_masked_however_it_is_cut(words: list[str], size: int) -> None:
    data = "".join(words).encode()
    stream = StreamMasker([b"s3cretary", b"s3cret"])

    pieces = [stream.feed(data[at : at + size]) for at in range(0, len(data), size)]
    masked = b"".join(pieces) + stream.flush()

    whole = Masker()
    whole.learn(["s3cretary", "s3cret"])
    assert masked.decode() == whole.mask(data.decode())


def test_only_what_may_be_the_beginning_of_a_secret_is_kept_back() -> None:
    stream = StreamMasker([b"s3cret"])

    assert stream.feed(b"line\n") == b"line\n"
    assert stream.feed(b"a s3c") == b"a "
    assert stream.feed(b"ond") == b"s3cond"
    assert stream.flush() == b""
