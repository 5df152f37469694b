"""The one way to documents and tokens of other servers: metadata, key sets, token endpoints.

Their addresses come from configuration, and from documents that others wrote: whoever writes one
may try to have us ask what only we can reach (SSRF; MCP 2026-07-28, Security Best Practices). So an
origin must be listed, its name is resolved here, every address of it is looked at, and the
connection goes to the address that was looked at.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from lockgate.model import SendFailed
from lockgate.model.fetch import Fetched, FetchFailed
from lockgate.upstream.address import Address
from lockgate.upstream.http1 import HttpClient, Response

SECONDS = 10.0
"""For everything, from the name to the last byte."""
MOST_BYTES = 2**20
MOST_ADDRESSES = 4
"""Of one name, that are tried."""
_IPV6_UNICAST = ipaddress.ip_network("2000::/3")
"""All that is handed out (RFC 4291, section 2.4). What stands for an IPv4 address lies outside, but
for 6to4 and Teredo."""
_INSIDE = tuple(
    map(
        ipaddress.ip_network,
        ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10",
         "::1/128", "fc00::/7"),
    )
)  # fmt: skip
"""This machine, private networks (RFC 1918, RFC 4193), and what some companies use as such
(RFC 6598)."""

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The IP addresses of a host name. Raises ``OSError``."""


class Reach(msgspec.Struct, frozen=True):
    """Which origins (``https://host``, with the port where it is not 443) may be asked."""

    origins: frozenset[str] = frozenset()
    internal: frozenset[str] = frozenset()
    """May also be at addresses of private networks and of this machine; with ``http://`` only of
    this machine. They need not be in ``origins``."""


def origin_of(url: str) -> str:
    """Scheme, host and port (RFC 6454), for comparison. Raises ``FetchFailed``."""
    try:
        at = Address.of(url)
    except SendFailed:
        raise FetchFailed("not an http:// or https:// URL") from None
    return f"{'https' if at.secure else 'http'}://{at.authority}".lower()


async def resolve_by_system(host: str, port: int) -> Sequence[str]:
    """Raises ``OSError``."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Fetcher:
    """Satisfies ``model.fetch.Fetch``. Follows no redirect, keeps no cookie, knows no proxy.

    ``reach`` is asked anew each time, so that a reload counts at once. ``context``: instead of the
    system's trust store.
    """

    def __init__(
        self,
        reach: Callable[[], Reach],
        resolve: Resolve = resolve_by_system,
        context: ssl.SSLContext | None = None,
        *,
        seconds: float = SECONDS,
        most: int = MOST_BYTES,
    ) -> None:
        self._reach = reach
        self._resolve = resolve
        self._context = context
        self._seconds = seconds
        self._most = most

    async def __call__(
        self, verb: str, url: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Fetched:
        """See ``Fetch``. Nothing is sent twice."""
        internal = self._permit(url)
        at = Address.of(url)
        sent = {"Accept-Encoding": "identity", "Connection": "close", **(headers or {})}
        try:
            async with asyncio.timeout(self._seconds):
                addresses = await self._addresses(at, internal=internal)
                return await self._ask(addresses, url, verb, sent, body)
        except TimeoutError:
            raise FetchFailed(f"{at.host}: no answer in {self._seconds:g} s") from None
        except SendFailed as failure:
            raise FetchFailed(f"{at.host}: {failure.detail}") from None

    def _permit(self, url: str) -> bool:
        """Whether it is internal. Raises ``FetchFailed`` where it may not be asked."""
        origin, reach = origin_of(url), self._reach()
        if Address.of(url).credential or "#" in url:
            raise FetchFailed("a URL with a user or a fragment is never asked")
        internal = origin in reach.internal
        if not internal and (origin not in reach.origins or origin.startswith("http:")):
            raise FetchFailed(f"{origin} is not among the origins that may be asked")
        return internal

    async def _addresses(self, at: Address, *, internal: bool) -> Sequence[str]:
        try:
            found = await self._resolve(at.host, at.port)
        except (OSError, UnicodeError) as failure:
            raise FetchFailed(f"{at.host}: not resolved: {type(failure).__name__}") from None
        allowed = _is_reachable_inside if internal else _is_public
        # One bad address spoils the name: whoever answers with both tries something.
        for address in map(_address, found):
            if not allowed(address) or not (at.secure or address.is_loopback):
                raise FetchFailed(f"{at.host}: its address may not be asked")
        return found[:MOST_ADDRESSES]

    async def _ask(
        self,
        addresses: Sequence[str],
        url: str,
        verb: str,
        headers: Mapping[str, str],
        body: bytes,
    ) -> Fetched:
        left = list(addresses)
        while left:
            client = HttpClient(url, self._seconds, self._context, peer=left.pop(0))
            try:
                response = await client.send(verb, headers, body)
                return await self._read(response)
            except SendFailed as failure:
                # Only this reason says that nothing was sent.
                if failure.reason != "upstream.unreachable" or not left:
                    raise
            finally:
                await client.close()
        raise FetchFailed(f"{Address.of(url).host}: has no address")

    async def _read(self, response: Response) -> Fetched:
        parts, size = [], 0
        while part := await response.read():
            parts.append(part)
            size += len(part)
            if size > self._most:
                raise SendFailed("upstream.too-large", f"more than {self._most} bytes")
        return Fetched(response.status, b"".join(parts), response.headers)


def _address(text: str) -> IpAddress:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return ipaddress.IPv6Address("::")  # which nobody may ask


def _is_public(address: IpAddress) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and (
        address not in _IPV6_UNICAST or address.sixtofour or address.teredo
    ):
        return False
    return address.is_global and not address.is_multicast


def _is_reachable_inside(address: IpAddress) -> bool:
    """Link-local addresses are never anybody's server: clouds hand out credentials there."""
    return _is_public(address) or any(address in network for network in _INSIDE)
