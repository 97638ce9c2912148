"""Targets of outgoing requests: whom a stranger's URL reaches; nothing changes on the way."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from task_scheduler.errors import TargetRefusedError
from task_scheduler.targets import TargetPolicy, pinned_transport, read_capped

PUBLIC = "93.184.216.34"

NOT_PUBLIC = [
    "127.0.0.1", "127.8.9.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.0.1",
    "169.254.169.254", "100.64.0.1", "192.0.0.8", "198.18.0.1", "224.0.0.1", "255.255.255.255",
    "240.0.0.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::", "2002:c0a8:101::", "2001:db8::1",
]  # fmt: skip


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_a_stranger_reaches_no_address_of_this_network(address: str) -> None:
    with pytest.raises(TargetRefusedError, match="hook"):
        TargetPolicy().judge("hook.example", [address])


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_one_bad_address_among_good_ones_is_enough(address: str) -> None:
    with pytest.raises(TargetRefusedError):
        TargetPolicy().judge("hook.example", [PUBLIC, address])


@pytest.mark.parametrize("address", [PUBLIC, "8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_the_internet_is_open_to_anybody(address: str) -> None:
    assert TargetPolicy().judge("hook.example", [address]) == [address]


@pytest.mark.parametrize("address", ["192.168.0.1", "127.0.0.1", PUBLIC])
def test_what_configuration_and_code_name_is_trusted(address: str) -> None:
    assert TargetPolicy(is_trusted=True).judge("nas.local", [address]) == [address]


def test_an_operator_may_allow_networks_and_names() -> None:
    policy = TargetPolicy(allowed=("192.168.1.0/24", "nas.local", "*.pond.example"))

    assert policy.judge("x.example", ["192.168.1.9"]) == ["192.168.1.9"]
    assert policy.judge("NAS.local.", ["10.0.0.9"]) == ["10.0.0.9"]
    assert policy.judge("a.pond.example", ["10.0.0.9"]) == ["10.0.0.9"]
    for host, address in (
        ("x.example", "192.168.2.9"),
        ("pond.example", "10.0.0.9"),
        ("evilpond.example", "10.0.0.9"),
        ("nas.local.evil.example", "10.0.0.9"),
    ):
        with pytest.raises(TargetRefusedError):
            policy.judge(host, [address])


@pytest.mark.parametrize(
    ("scheme", "host", "user"),
    [
        ("file", "x.example", ""),
        ("gopher", "x.example", ""),
        ("ftp", "x.example", ""),
        ("javascript", "x.example", ""),
        ("", "x.example", ""),
        ("http", "", ""),
        ("http", "x\r\ny", ""),
        ("http", "x y", ""),
        ("http", "x.example", "bank.example"),
    ],
)
def test_a_url_that_is_wrong_in_itself_is_refused(scheme: str, host: str, user: str) -> None:
    with pytest.raises(TargetRefusedError):
        TargetPolicy().check_url(scheme, host, user)


def test_where_hosts_are_listed_no_other_is_named_not_even_by_the_trusted() -> None:
    policy = TargetPolicy(is_trusted=True, hosts=("api.pond.example",))
    policy.check_url("https", "api.pond.example")

    with pytest.raises(TargetRefusedError):
        policy.check_url("https", "other.example")


Answer = Callable[[httpx.Request], httpx.Response]


class Net:
    """A net of names and answers that notes what was really connected to."""

    def __init__(self, names: dict[str, list[str]], answer: Answer) -> None:
        self.names = names
        self.connected: list[tuple[str, str, object]] = []
        self._answer = answer

    def resolve(self, host: str, port: int) -> list[str]:
        del port
        if host not in self.names:
            return [host]
        addresses = self.names[host]
        # Whoever asks a second time gets something else.
        return [addresses.pop(0)] if len(addresses) > 1 else addresses

    def client(self, policy: TargetPolicy) -> httpx.Client:
        def serve(request: httpx.Request) -> httpx.Response:
            sni = request.extensions.get("sni_hostname")
            self.connected.append((request.url.host, request.headers["host"], sni))
            return self._answer(request)

        transport = pinned_transport(policy, resolve=self.resolve, inner=httpx.MockTransport(serve))
        return httpx.Client(transport=transport, follow_redirects=True, trust_env=False)


def fine(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, text="fine")


def test_the_address_that_was_judged_is_the_one_that_is_connected_to() -> None:
    net = Net({"hook.example": [PUBLIC, "127.0.0.1"]}, fine)

    with net.client(TargetPolicy()) as client:
        assert client.get("https://hook.example/x").text == "fine"
        with pytest.raises(TargetRefusedError):
            client.get("https://hook.example/x")

    assert net.connected == [(PUBLIC, "hook.example", "hook.example")]


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1/",
        "http://inner.example/",
        "http://[::1]/",
        "http://169.254.169.254/latest",
    ],
)
def test_a_redirect_is_judged_anew(location: str) -> None:
    def redirect(_: httpx.Request) -> httpx.Response:
        return httpx.Response(302, headers={"location": location})

    net = Net({"hook.example": [PUBLIC], "inner.example": ["10.0.0.1"]}, redirect)

    with net.client(TargetPolicy()) as client, pytest.raises(TargetRefusedError):
        client.get("http://hook.example/")

    assert [host for host, _, _ in net.connected] == [PUBLIC]


@pytest.mark.parametrize("url", ["http://2130706433/", "http://0x7f.1/", "http://127.1/"])
def test_an_address_in_another_spelling_is_what_it_resolves_to(url: str) -> None:
    net = Net({"2130706433": ["127.0.0.1"], "0x7f.1": ["127.0.0.1"], "127.1": ["127.0.0.1"]}, fine)

    with net.client(TargetPolicy()) as client, pytest.raises(TargetRefusedError):
        client.get(url)

    assert net.connected == []


def test_a_name_without_an_address_is_a_failed_connection() -> None:
    def nowhere(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    client = httpx.Client(transport=pinned_transport(TargetPolicy(), resolve=nowhere))

    with client, pytest.raises(httpx.ConnectError):
        client.get("http://gone.example/")


def test_a_long_answer_is_cut_and_said_to_be() -> None:
    def long(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=(b"x" * 1_000 for _ in range(1_000_000)))

    net = Net({"hook.example": [PUBLIC]}, long)

    with net.client(TargetPolicy()) as client, client.stream("GET", "http://hook.example/") as got:
        assert read_capped(got, 2_500) == (b"x" * 2_500, True)


def test_a_short_answer_is_whole() -> None:
    net = Net({"hook.example": [PUBLIC]}, fine)

    with net.client(TargetPolicy()) as client, client.stream("GET", "http://hook.example/") as got:
        assert read_capped(got, 4) == (b"fine", False)
