"""How often one address may be wrong before it is not listened to for a while."""

from lockgate.identity.networks import neighbourhood

TRIES_KEY, PAUSE_KEY_MS = 10, 6_000
"""With one key id from one address: 10 at once, then one every 6 s."""
TRIES_PEER, PAUSE_PEER_MS = 100, 600
"""With any keys from one address: 100 at once, then 100 a minute."""


class Allowance:
    """Generic cell rate algorithm (ITU-T I.371, virtual scheduling): one number for each name.

    Not for several threads. ``most`` names are kept; beyond that, the one whose last try is
    longest ago is forgotten.
    """

    def __init__(self, tries: int, pause_ms: int, most: int) -> None:
        self._span = tries * pause_ms
        self._pause = pause_ms
        self._most = most
        self._until: dict[tuple[str, ...], int] = {}

    def spent(self, name: tuple[str, ...], now_ms: int) -> bool:
        ahead = self._until.get(name, now_ms) - now_ms
        # More than is ever taken: the clock was set back. Nobody waits for it to catch up.
        return self._span - self._pause < ahead <= self._span

    def take(self, name: tuple[str, ...], now_ms: int) -> None:
        """One try, if any is left."""
        if self.spent(name, now_ms):
            return
        until = self._until.pop(name, now_ms)
        if not now_ms <= until <= now_ms + self._span:
            until = now_ms
        if len(self._until) >= self._most:
            del self._until[next(iter(self._until))]
        self._until[name] = until + self._pause

    def __len__(self) -> int:
        return len(self._until)


class WrongKeys:
    """Wrong keys by (address, key id) and, with a higher bound, by address.

    A client that keeps sending one wrong key so spends its own allowance, not that of everybody
    behind the same address. Not for several threads.
    """

    def __init__(self, most: int = 8_192) -> None:
        self._by_key = Allowance(TRIES_KEY, PAUSE_KEY_MS, most)
        self._by_peer = Allowance(TRIES_PEER, PAUSE_PEER_MS, most)

    def key_spent(self, peer: str, key_id: str, now_ms: int) -> bool:
        return self._by_key.spent((neighbourhood(peer), key_id), now_ms)

    def peer_spent(self, peer: str, now_ms: int) -> bool:
        return self._by_peer.spent((neighbourhood(peer),), now_ms)

    def add(self, peer: str, key_id: str, now_ms: int) -> None:
        where = neighbourhood(peer)
        self._by_key.take((where, key_id), now_ms)
        self._by_peer.take((where,), now_ms)

    def __len__(self) -> int:
        """Entries held, of both kinds."""
        return len(self._by_key) + len(self._by_peer)
