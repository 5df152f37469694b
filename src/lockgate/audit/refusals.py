"""Refusals that are counted instead of written one by one: those before authentication, and floods.

Anyone can cause them without a credential, or without a limit, so one durable write each would be
an amplifier.
"""

import ipaddress
from collections import Counter
from collections.abc import Callable

import orjson

from lockgate.model import AuditEvent

_UNKNOWN = "unknown"
_OTHERS = "others"


class RefusalTally:
    """Counts by reason and peer network. ``pairs_max`` bounds the memory: further networks are
    counted together as ``others``, so that the totals stay right."""

    def __init__(self, new_id: Callable[[], str], pairs_max: int = 1_024) -> None:
        self._new_id = new_id
        self._pairs_max = pairs_max
        self._counts: Counter[tuple[str, str]] = Counter()
        self._since = 0

    def add(self, reason: str, peer: str, now: int) -> None:
        """``reason``: catalogue code; ``peer``: IP address; ``now``: milliseconds."""
        if not self._counts:
            self._since = now
        pair = (reason, network_of(peer))
        if pair not in self._counts and len(self._counts) >= self._pairs_max:
            pair = (reason, _OTHERS)
        self._counts[pair] += 1

    def drain(self, now: int) -> list[AuditEvent]:
        """One event about all since the last time; none where nothing was refused."""
        if not self._counts:
            return []
        counts, self._counts = self._counts, Counter()
        reasons: Counter[str] = Counter()
        for (reason, _), n in counts.items():
            reasons[reason] += n
        ranked = dict(sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0])))
        return [
            AuditEvent(
                id=self._new_id(),
                call="",
                kind="auth.refused",
                at=now,
                effect="deny",
                reason=next(iter(ranked)),
                header={
                    "since": self._since,
                    "until": now,
                    "count": sum(ranked.values()),
                    "reasons": ranked,
                    "networks": len({network for _, network in counts}),
                },
                slots={"net": _net_slot(counts)},
            )
        ]


def network_of(peer: str) -> str:
    """The /24 or /48 an address is in: enough to see where from, less than who."""
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return _UNKNOWN
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    bits = 24 if address.version == 4 else 48
    return str(ipaddress.ip_network(f"{address}/{bits}", strict=False))


def _net_slot(counts: Counter[tuple[str, str]]) -> bytes:
    rows = [
        {"reason": reason, "network": network, "count": n}
        for (reason, network), n in counts.most_common()
    ]
    return orjson.dumps(rows)
