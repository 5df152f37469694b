"""Where a credential may be used from: networks in CIDR notation (RFC 4632, 3.1; RFC 4291, 2.3)."""

from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_MAPPED = IPv6Network("::ffff:0:0/96")
"""RFC 4291, 2.5.5.2: IPv4 addresses, written as IPv6 ones."""
_HOST_BITS = 64
"""RFC 4291, 2.5.1: what one IPv6 host may choose of its address."""


def network_in(text: str) -> Network:
    """An address alone is a network of one. Raises ``ValueError`` for anything else: also for one
    with host bits, since who writes 10.1.2.3/8 may mean either, for IPv4 written as IPv6, and for
    one with a zone, which only the client's own machine knows."""
    network = ip_network(text.replace("%", "/"), strict=True)
    if isinstance(network, IPv6Network) and network.overlaps(_MAPPED) and network.prefixlen > 0:
        raise ValueError(f"{text} has IPv4 addresses in it: write them as such")
    return network


def inside(peer: str, networks: tuple[Network, ...]) -> bool:
    """Whether the address is in one of them. What is no IP address is in none."""
    address = _address(peer)
    return address is not None and any(address in network for network in networks)


@lru_cache(maxsize=4_096)
def neighbourhood(peer: str) -> str:
    """What counts as one sender: an IPv4 address, the /64 of an IPv6 one, or the text itself."""
    address = _address(peer)
    if isinstance(address, IPv6Address):
        return str(IPv6Address(int(address) >> _HOST_BITS << _HOST_BITS))
    return peer if address is None else str(address)


@lru_cache(maxsize=4_096)
def _address(peer: str) -> Address | None:
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped  # how a socket that takes both shows an IPv4 client
    return address
