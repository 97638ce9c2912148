"""Targets: which hosts an outgoing HTTP request may reach, and through which address.

Responsible for: the policy, resolving a host once, and an httpx transport that connects to the very
address that was judged. Redirects pass through the same transport, so each is judged anew; a name
that resolves to something else a moment later changes nothing.

Targets of the configuration and of code are trusted: farms live on a LAN. Targets that came over an
API are strangers': private, link-local, loopback and metadata addresses are not for them, unless
the operator allows them.
"""

from __future__ import annotations

import ipaddress
import socket
import zlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from task_scheduler.errors import TargetRefusedError

if TYPE_CHECKING:
    import httpx

__all__ = ["TargetPolicy", "pinned_transport", "read_capped"]

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve: TypeAlias = Callable[[str, int], Sequence[str]]
"""Returns the addresses of a host as text; raises OSError where it has none."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_PROTOCOLS = (ipaddress.ip_network("192.0.0.0/24"), ipaddress.ip_network("2001::/23"))
"""Reserved for protocols; releases of Python do not agree on them."""
_ANY_HEADER = zlib.MAX_WBITS | 32
"""Of gzip or of zlib."""
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class TargetPolicy:
    """What may be reached.

    `allowed` names hosts (``nas.local``, ``*.farm.example``) and networks (``192.168.1.0/24``)
    that a stranger may name although they are not public. `hosts`, where given, are the only ones
    that anybody may name.
    """

    is_trusted: bool = False
    schemes: tuple[str, ...] = ("http", "https")
    hosts: tuple[str, ...] | None = None
    allowed: tuple[str, ...] = ()

    def check_url(self, scheme: str, host: str, user_info: str = "") -> None:
        """Raise TargetRefusedError for a URL that is wrong whatever its host resolves to."""
        if scheme not in self.schemes:
            raise TargetRefusedError("targets.scheme", scheme=scheme, known=", ".join(self.schemes))
        if not host or any(mark in host for mark in "\r\n\t /\\@"):
            raise TargetRefusedError("targets.host", host=host)
        if user_info and not self.is_trusted:
            # `http://bank.example@evil.example/` leads elsewhere than it reads.
            raise TargetRefusedError("targets.user_info", host=host)
        if self.hosts is not None and not _is_named(host, self.hosts):
            raise TargetRefusedError("targets.not_listed", host=host)

    def judge(self, host: str, addresses: Iterable[str]) -> list[str]:
        """Return the addresses that may be connected to, each once; raises TargetRefusedError.

        All of them have to be allowed: which one is asked is not the client's to choose.
        """
        found = [ipaddress.ip_address(text.partition("%")[0]) for text in addresses]
        if not found:
            raise TargetRefusedError("targets.no_address", host=host)
        if not self.is_trusted and not _is_named(host, self.allowed):
            for address in found:
                if not _is_public(address) and not self._is_allowed(address):
                    raise TargetRefusedError("targets.not_public", host=host, address=str(address))
        return list(dict.fromkeys(map(str, found)))

    def _is_allowed(self, address: Address) -> bool:
        for text in self.allowed:
            try:
                network = ipaddress.ip_network(text, strict=False)
            except ValueError:
                continue
            if address.version == network.version and address in network:
                return True
        return False


def pinned_transport(
    policy: TargetPolicy,
    *,
    resolve: Resolve | None = None,
    inner: httpx.BaseTransport | None = None,
) -> httpx.BaseTransport:
    """Return a transport for `httpx.Client` that connects only to what the policy allows."""
    import httpx

    find = resolve or _resolve
    transport = inner or httpx.HTTPTransport(trust_env=False)

    class Pinned(httpx.BaseTransport):
        """Judges each request, and sends it to the address that was judged."""

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            url = request.url
            policy.check_url(url.scheme, url.host, url.userinfo.decode("ascii", "replace"))
            port = url.port or _PORTS[url.scheme]
            try:
                addresses = policy.judge(url.host, find(url.host, port))
            except (OSError, UnicodeError) as error:
                raise httpx.ConnectError(str(error), request=request) from error
            # The name stays in the Host header and in the certificate that is asked for.
            request.extensions = {**request.extensions, "sni_hostname": url.host}
            try:
                for address in addresses[:-1]:
                    request.url = url.copy_with(host=address)
                    with suppress(httpx.ConnectError, httpx.ConnectTimeout):
                        return transport.handle_request(request)
                request.url = url.copy_with(host=addresses[-1])
                return transport.handle_request(request)
            finally:
                request.url = url

        def close(self) -> None:
            transport.close()

    return Pinned()


def read_capped(response: httpx.Response, limit_bytes: int) -> tuple[bytes, bool]:
    """Return what a streamed response holds, at most so much, and whether there was more.

    What is counted is what it unpacks to: a few bytes may be a bomb, and no more of one is ever
    unpacked than is kept. Raises ValueError where it cannot be unpacked.
    """
    if response.is_stream_consumed:
        return response.content[:limit_bytes], len(response.content) > limit_bytes
    held = bytearray()
    unpack = _unpacker(response.headers.get("content-encoding", ""))
    for chunk in response.iter_raw():
        held += unpack(chunk, limit_bytes + 1 - len(held))
        if len(held) > limit_bytes:
            return bytes(held[:limit_bytes]), True
    return bytes(held), False


def _unpacker(encoding: str) -> Callable[[bytes, int], bytes]:
    """Return what unpacks the next piece, so many bytes at most; unknown packing stays as it is."""
    if encoding.strip().lower() not in ("gzip", "x-gzip", "deflate"):
        return lambda chunk, most: chunk[:most]
    stream = zlib.decompressobj(_ANY_HEADER)

    def unpack(chunk: bytes, most: int) -> bytes:
        try:
            return stream.decompress(chunk, most)
        except zlib.error as error:
            raise ValueError(str(error)) from error

    return unpack


def _resolve(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def _is_public(address: Address) -> bool:
    """Whether an address belongs to the internet, whatever it is dressed as."""
    inner = _unwrapped(address)
    is_reserved = any(
        inner.version == network.version and inner in network for network in _PROTOCOLS
    )
    # `is_global` alone lets multicast pass.
    return inner.is_global and not inner.is_multicast and not is_reserved


def _unwrapped(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one stands for, or the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def _is_named(host: str, names: Iterable[str]) -> bool:
    folded = host.rstrip(".").lower()
    for name in names:
        wanted = name.rstrip(".").lower()
        if folded == wanted or (wanted.startswith("*.") and folded.endswith(wanted[1:])):
            return True
    return False
