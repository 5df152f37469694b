import asyncio

from lockgate.upstream.link import Peer
from lockgate.upstream.log_level import LogLevel

LOGS = Peer("legacy", "2025-11-25", b'{"logging":{}}')


class Upstream:
    def __init__(self) -> None:
        self.told: list[bytes] = []

    async def ask(self, method: str, params: bytes) -> None:
        assert method == "logging/setLevel"
        await asyncio.sleep(0)
        self.told.append(params)


async def test_it_only_goes_down() -> None:
    upstream, level = Upstream(), LogLevel(LOGS)
    for wanted in ("warning", "error", "warning", "", "debug", "info"):
        await level.reach(wanted, upstream.ask)
    assert upstream.told == [b'{"level":"warning"}', b'{"level":"debug"}']


async def test_many_at_once_set_it_once() -> None:
    upstream, level = Upstream(), LogLevel(LOGS)
    await asyncio.gather(*(level.reach("info", upstream.ask) for _ in range(5)))
    assert upstream.told == [b'{"level":"info"}']


async def test_who_does_not_log_or_is_told_with_each_request_is_not_asked() -> None:
    upstream = Upstream()
    for peer in (Peer("legacy", "2025-11-25"), Peer("modern", "2026-07-28", LOGS.capabilities)):
        await LogLevel(peer).reach("debug", upstream.ask)
    assert upstream.told == []
