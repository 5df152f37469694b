"""The mixed load: who says what, how often, and what came of it."""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from pyreqwest.client import Client
from pyreqwest.exceptions import PyreqwestError

from lockgate.model.call import EraName
from soak.counting import URI
from soak.talkers import HttpTalker, Talker, http_talker

SECONDS = 30
"""An answer that is not there by then is lost."""
_EXPECTED = ("upstream.", "auth.", "resolve.no-catalogue", "session.", "round.", "call.cancelled")
"""Areas of refusals that dying upstreams, revoked keys and ended sessions explain."""

Act = Callable[["Load", Talker, str, str], Awaitable[None]]


class Load:
    """``keys``: the present key of each person. ``upstreams``: the counted ones."""

    def __init__(self, base: str, keys: dict[str, str], upstreams: list[str], seed: int) -> None:
        self.base = base
        self.keys = keys
        self.upstreams = upstreams
        self.chance = random.Random(seed)  # noqa: S311 - not for secrets
        self.answered: Counter[str] = Counter()
        """Tokens for which a client got a result."""
        self.told: Counter[str] = Counter()
        """Acts and their ends: ``count ok``, ``count upstream.crashed`` ..."""
        self.surprises: list[str] = []
        """What nothing that was done to the gateway explains."""
        self.stopping = asyncio.Event()
        self._tokens = itertools.count()

    async def person(self, http: Client, name: str, era: EraName, pause: float) -> None:
        """Talk until it is time to stop, in sessions of some acts each."""
        while not self.stopping.is_set():
            upstream = self.chance.choice(self.upstreams)
            prefixed = self.chance.random() < 0.3
            url = f"{self.base}/mcp" if prefixed else f"{self.base}/mcp/{upstream}"
            place = f"{upstream}__" if prefixed else ""
            key = self.keys[name]
            try:
                async with http_talker(http, url, key, era) as talker:
                    await self.talk(talker, place, self.chance.randrange(5, 40), pause)
            except (PyreqwestError, ConnectionError, TimeoutError) as failure:
                if isinstance(failure, ConnectionError) and self.keys[name] != key:
                    self.told["a stream ended with its key"] += 1  # as it must: it was revoked
                else:
                    self.surprise(f"{name}: {type(failure).__name__}: {failure}")

    async def talk(self, talker: Talker, place: str, acts: int, pause: float) -> None:
        """``place``: what stands before names here."""
        for _ in range(acts):
            if self.stopping.is_set():
                return
            name, act = self._act(talker)
            async with asyncio.timeout(SECONDS):
                await act(self, talker, name, place)
            await asyncio.sleep(self.chance.expovariate(1 / pause))

    def token(self) -> str:
        return f"t{next(self._tokens):09}"

    def surprise(self, text: str) -> None:
        if len(self.surprises) < 1_000:
            self.surprises.append(text[:300])

    def ended(self, act: str, said: dict[str, Any], token: str = "") -> None:
        """Count a response, and what a client may not be told."""
        reason = reason_of(said)
        self.told[f"{act} {reason or 'ok'}"] += 1
        if reason and not reason.startswith(_EXPECTED):
            self.surprise(f"{act}: {reason}: {said}")
        if not reason and token:
            shown = said.get("result", {}).get("content", [{}])[0].get("text")
            if shown == token:
                self.answered[token] += 1
            else:
                self.surprise(f"{act}: {token} was answered with {str(said)[:200]}")

    def _act(self, talker: Talker) -> tuple[str, Act]:
        known = ACTS if isinstance(talker, HttpTalker) else STDIO_ACTS
        (name,) = self.chance.choices(list(known), [weight for weight, _ in known.values()])
        return name, known[name][1]


def reason_of(said: dict[str, Any]) -> str:
    """The catalogue code of a refusal; empty for an answer of the upstream's."""
    meta = said.get("result", {}).get("_meta", {})
    data = said.get("error", {}).get("data")
    found = meta.get("lockgate/reason") or (data or {}).get("reason")
    return str(found or ("error" if "error" in said else ""))


async def _call(load: Load, talker: Talker, name: str, place: str) -> None:
    token = load.token()
    arguments: dict[str, Any] = {"token": token}
    if name == "big":
        arguments["n"] = load.chance.choice([20_000, 200_000, 1_000_000])
    meta = {"_meta": {"progressToken": token}} if name == "progress" else {}
    said = await talker.ask("tools/call", {"name": place + name, "arguments": arguments, **meta})
    load.ended(name, said, token)


async def _cancel(load: Load, talker: Talker, name: str, place: str) -> None:
    arguments = {"token": load.token(), "n": 2_000}
    params = {"name": f"{place}slow", "arguments": arguments, "_meta": {"progressToken": 1}}
    await talker.begin("tools/call", params)
    load.told["cancel ok"] += 1


async def _list(load: Load, talker: Talker, name: str, place: str) -> None:
    method = load.chance.choice(["tools/list", "resources/list", "prompts/list"])
    load.ended(method, await talker.ask(method, {}))


async def _read(load: Load, talker: Talker, name: str, place: str) -> None:
    if not place:
        load.ended("read", await talker.ask("resources/read", {"uri": URI}))


async def _watch(load: Load, talker: Talker, name: str, place: str) -> None:
    """A legacy session's own stream, while something is told on it."""
    if talker.era != "legacy" or place or not isinstance(talker, HttpTalker):
        return
    load.ended("subscribe", await talker.ask("resources/subscribe", {"uri": URI}))
    listening = asyncio.create_task(talker.listen(load.chance.uniform(0.2, 2)))
    await _call(load, talker, "touch", place)
    load.told["watch messages"] += await listening


async def _bad(load: Load, talker: Talker, name: str, place: str) -> None:
    """What no client should send: it is refused, and nothing else happens."""
    assert isinstance(talker, HttpTalker)
    said = load.chance.choice([
        b"", b"{", b"[]", b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', b"\xff" * 100,
        b'{"jsonrpc":"2.0","id":1,"method":"no/such"}', b"[" * 5_000, b'"' + b"x" * 100_000 + b'"',
    ])  # fmt: skip
    status = await talker.post(said, {})
    load.told[f"bad {status}"] += 1
    if status not in range(400, 500) and not (talker.era == "legacy" and status == 200):
        load.surprise(f"bad input {said[:60]!r} was answered with {status}")


ACTS: dict[str, tuple[int, Act]] = {
    "count": (40, _call), "progress": (8, _call), "ask": (6, _call), "big": (2, _call),
    "fail": (2, _call), "cancel": (3, _cancel), "list": (8, _list), "read": (4, _read),
    "watch": (2, _watch), "bad": (4, _bad),
}  # fmt: skip
"""Weights of what is said over HTTP."""
STDIO_ACTS: dict[str, tuple[int, Act]] = {
    name: ACTS[name] for name in ("count", "progress", "list", "read", "ask")
}
