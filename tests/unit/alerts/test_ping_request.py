"""What the paths of pings mean."""

from __future__ import annotations

import pytest

from task_scheduler.alerts.ping_request import PingRequest, digest_of, ping_of

TOKEN = "0c8983c9-9d73-446f-adb6-0641fdacc9d4"


@pytest.mark.parametrize(
    ("rest", "kind", "text"),
    [
        ("", "success", ""),
        ("/start", "start", ""),
        ("/fail", "fail", ""),
        ("/log", "log", ""),
        ("/0", "success", ""),
        ("/00", "success", ""),
        ("/1", "fail", "exit code 1"),
        ("/255", "fail", "exit code 255"),
        ("/start?rid=1&x=/fail", "start", ""),
    ],
)
def test_a_path_is_a_sign_of_life(rest: str, kind: str, text: str) -> None:
    assert ping_of(f"/ping/{TOKEN}{rest}") == PingRequest(digest_of(TOKEN), kind, text)


@pytest.mark.parametrize(
    "target",
    [
        "",
        "/",
        "/ping",
        "/ping/",
        "/ping/short",
        f"/ping/{'x' * 129}",
        f"/ping/{TOKEN}/256",
        f"/ping/{TOKEN}/-1",
        f"/ping/{TOKEN}/1.0",
        f"/ping/{TOKEN}/FAIL",
        f"/ping/{TOKEN}//start",
        f"//ping/{TOKEN}",
        f"http://x/ping/{TOKEN}",
        f"/ping/{TOKEN}\n",
        f"/ping/{TOKEN}%2Ffail",
        "/ping/ünïcödé-ünïcödé-x",
    ],
)
def test_anything_else_is_none(target: str) -> None:
    assert ping_of(target) is None


def test_a_digest_is_that_of_sha256sum() -> None:
    # printf %s abc | sha256sum
    assert digest_of("abc") == ("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
