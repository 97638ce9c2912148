"""HTTP tasks as they are defined, stored and refused; nothing goes over the wire here."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from task_scheduler import DefinitionError, HttpTask, PolicyError
from task_scheduler.core.model import Policies
from task_scheduler.tasks.registry import entry_of, kind_of, restore_task, warnings_of
from task_scheduler.tasks.task import BaseTask

URL = "https://farm.example/hook?k=${secret:KEY}"


def test_a_request_is_stored_with_references_and_made_again() -> None:
    task = HttpTask(
        "t",
        "Hook",
        URL,
        "post",
        headers={"X-Key": "${secret:KEY}"},
        json={"a": [1, None, {"b": "c"}]},
        auth=("farm", "${secret:PW}"),
        expected_status=[200, "202-204", "3xx"],
        max_response_bytes=10,
        follow_redirects=False,
        verify=False,
        max_retries=7,
    )
    entry = entry_of(task, [], Policies(), has_user_rule=False)

    made = restore_task(entry)

    assert (entry.kind, entry.executor, entry.is_code_bound) == ("http", "thread", False)
    assert made.definition() == task.definition() == entry.definition
    assert json.loads(json.dumps(entry.definition)) == entry.definition
    assert entry.definition["expected_status"] == ["200", "202-204", "3xx"]
    assert entry.policies.max_retries == 7


@pytest.mark.parametrize(
    "url",
    ["", "farm.example/x", "ftp://farm.example/", "file:///etc/passwd", "https://", "https:///x",
     "http://a b/", "http://x/\r\nHost: y", "http://x/\0", "http://[::1", "http://x:0/",
     "http://x:99999/", "http://x\\@y/", 7, None, b"http://x/", "//x/y", "javascript:alert(1)"],
)  # fmt: skip
def test_what_is_no_url_is_refused(url: Any) -> None:
    with pytest.raises(DefinitionError, match="whole URL"):
        HttpTask("t", None, url)


@pytest.mark.parametrize("url", ["https://u:p@farm.example/", "https://u@farm.example/"])
def test_a_password_in_a_url_is_refused_without_being_said(url: str) -> None:
    with pytest.raises(DefinitionError, match="auth=") as found:
        HttpTask("t", None, url)
    assert "u:p" not in str(found.value)


def test_a_secret_names_no_host() -> None:
    with pytest.raises(DefinitionError, match="host"):
        HttpTask("t", None, "https://${secret:HOST}/")


@pytest.mark.parametrize(
    "options",
    [
        {"method": "TRACE"},
        {"method": "CONNECT"},
        {"method": "GET / HTTP/1.1\r\nX: y"},
        {"method": None},
        {"headers": ["X"]},
        {"headers": {"": "x"}},
        {"headers": {"X Y": "x"}},
        {"headers": {"X:": "x"}},
        {"headers": {"X": "a\r\nY: b"}},
        {"headers": {"X": "a\nb"}},
        {"headers": {"X": "a\0"}},
        {"headers": {"X": "\u9b5a"}},
        {"headers": {"X": 7}},
        {"headers": {"Host": "other.example"}},
        {"headers": {"Content-Length": "9"}},
        {"headers": {"Transfer-Encoding": "chunked"}},
        {"headers": {"X": "1", "x": "2"}},
        {"body": b"x"},
        {"body": 7},
        {"body": "\ud800"},
        {"body": "x", "json": {}},
        {"json": {1: 2}},
        {"json": float("nan")},
        {"json": object()},
        {"auth": "user"},
        {"auth": ["user"]},
        {"auth": ["user", "password"]},
        {"auth": ["user", 7]},
        {"expected_status": 99},
        {"expected_status": 600},
        {"expected_status": "6xx"},
        {"expected_status": "204-200"},
        {"expected_status": []},
        {"expected_status": None},
        {"expected_status": [True]},
        {"max_response_bytes": -1},
        {"max_response_bytes": True},
        {"max_response_bytes": 1 << 40},
        {"follow_redirects": "no"},
        {"verify": 7},
        {"verify": ""},
    ],
)
def test_what_cannot_be_sent_is_refused_when_it_is_defined(options: dict[str, Any]) -> None:
    with pytest.raises(DefinitionError):
        HttpTask("t", None, URL, **options)


def test_a_request_runs_in_a_thread_alone() -> None:
    with pytest.raises(PolicyError):
        HttpTask("t", None, URL, isolation="process")


def test_whoever_overrides_execute_has_a_task_of_his_own() -> None:
    class Mine(HttpTask):
        def execute(self) -> bool:
            return True

    task = Mine("t", None, URL)

    assert (kind_of(task), task.definition()) == ("custom", None)


@pytest.mark.parametrize(
    ("url", "options", "words"),
    [
        ("http://x/${secret:K}", {}, "unencrypted"),
        ("http://x/", {"headers": {"K": "${secret:K}"}}, "unencrypted"),
        ("http://x/", {"json": ["${secret:K}"]}, "unencrypted"),
        ("https://x/", {"verify": False}, "verify"),
    ],
)
def test_what_anybody_on_the_way_can_read_is_warned_of(
    url: str, options: dict[str, Any], words: str
) -> None:
    [warning] = warnings_of(HttpTask("t", None, url, **options))
    assert words in warning


def test_a_sound_request_warns_of_nothing() -> None:
    assert warnings_of(HttpTask("t", None, URL)) == []


def test_httpx_is_loaded_by_the_first_request_and_not_before() -> None:
    code = (
        "import sys, task_scheduler as t; t.HttpTask('t', None, 'https://x/');"
        "print(sorted({'httpx', 'httpcore', 'ssl'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert found.stdout.strip() in ("[]", "['ssl']")


def test_a_url_is_read_as_it_is_written() -> None:
    task: BaseTask = HttpTask("t", None, "https://farm.example:8443/%E9%AD%9A?a=b#c")
    assert (task.definition() or {})["url"] == "https://farm.example:8443/%E9%AD%9A?a=b#c"
