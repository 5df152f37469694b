"""Hostile HTTP: around a message that would be good, instead of one, or too much and too slowly."""

import asyncio
from collections.abc import Callable

from support.client import McpClient, Said, Wire, mirror
from support.hostile import Act, World, case
from support.hostile_messages import META, PLAIN

HUNDRED_MB = 100 * 2**20
LISTING = PLAIN % (META, "")

# HTTP around the message.


def sending(*parts: bytes) -> Act:
    async def act(world: World) -> Said:
        async with world.wire() as wire:
            for part in parts:
                await wire.send(part)
            return await wire.answer()

    return act


def completing(after: Callable[[World], bytes]) -> Act:
    async def act(world: World) -> Said:
        return await sending(after(world))(world)

    return act


def raw(*more: str, line: str = "POST /mcp HTTP/1.1") -> Act:
    """A well-formed request but for its first line or ``more`` headers."""

    async def act(world: World) -> Said:
        lines = [f"{k}: {v}" for k, v in mirror("tools/list", {}).items()]
        body = (LISTING).encode()
        sent = world.head(len(body), "connection: close", *lines, *more, line=line)
        async with world.wire() as wire:
            await wire.send(sent + body)
            return await wire.answer()

    return act


def typed(header: str, value: str | None) -> Act:
    """A well-formed request but for this header: another value, or None of it."""

    async def act(world: World) -> Said:
        body = (LISTING).encode()
        sent = world.head(len(body), "connection: close").split(b"\r\n")
        kept = [h for h in sent if not h.startswith(header.encode() + b":")]
        if value is not None:
            kept.insert(1, f"{header}: {value}".encode())
        async with world.wire() as wire:
            await wire.send(b"\r\n".join(kept) + body)
            return await wire.answer()

    return act


for kind in ("text/plain", "application/x-www-form-urlencoded", "*/*", "", None):
    case(f"content type: {kind}", "wire.bad-content-type", typed("content-type", kind))
for kind in ("text/html", "text/event-stream", None):
    case(f"accept: {kind}", "wire.not-acceptable", typed("accept", kind))
for verb in ("GET", "PUT", "PATCH", "OPTIONS", "TRACE"):
    case(f"verb: {verb}", "wire.bad-http-method", raw(line=f"{verb} /mcp HTTP/1.1"))
for path in (
    "/",
    "/mcp2",
    "/admin",
    "/mcp/none",
    "/mcp/odd/x",
    "/mcp//odd",
    "/health/secret",
    "/mcp/../health",
    "/mcp%00",
):
    case(f"path: {path}", "wire.bad-path", raw(line=f"POST {path} HTTP/1.1"), anonymous=True)
for host in ("evil.example", "localhost", "127.0.0.1", "127.0.0.1:1", "evil.example:80", "", None):
    case(f"host: {host}", "wire.bad-host", typed("host", host), anonymous=True)
case(
    "host: none, as HTTP/0.9 has it", "wire.bad-host", sending(b"POST /mcp\r\n\r\n"), anonymous=True
)
case("host: twice", "wire.bad-host", raw("host: evil.example"), anonymous=True)
for origin in ("https://evil.example", "null", "file://", "http://localhost"):
    case(f"origin: {origin}", "wire.bad-origin", raw(f"origin: {origin}"), anonymous=True)
case("origin: twice", "wire.bad-origin", raw("origin: null", "origin: null"), anonymous=True)

# Credentials.

case("auth: none", "auth.missing", typed("authorization", None), anonymous=True)
for value in ("Basic YTpi", "Bearer", "Bearer a b", "alice", "Bearer ", "Bearer \xe9"):
    case(f"auth: {value!r}", "auth.malformed", typed("authorization", value), anonymous=True)
for value in ("Bearer x", "Bearer lgk_aaaaaaaaaaaa_b", f"Bearer {'x' * 4_000}"):
    case(f"auth: {value[:30]!r}", "auth.invalid", typed("authorization", value), anonymous=True)
case("auth: twice", "auth.malformed", raw("authorization: Bearer x"), anonymous=True)
case(
    "auth: another secret",
    "auth.invalid",
    lambda w: McpClient(w.client.http, w.client.url, swapped(w.client.key)).modern("tools/list"),
    anonymous=True,
)
for query in ("access_token=x", "api_key=x", "key=x"):
    case(
        f"auth: {query} in the URL",
        "auth.in-query",
        raw(line=f"POST /mcp?{query} HTTP/1.1"),
        anonymous=True,
    )


def swapped(key: str) -> str:
    """Of the right form, and wrong: two letters of the secret changed places."""
    at = next(n for n in range(25, len(key) - 8) if key[n] != key[n + 1])
    return key[:at] + key[at + 1] + key[at] + key[at + 2 :]


# Not HTTP at all, or too much of it.


for name, data in {
    "garbage": b"\x00\x01\x02hello\r\n\r\n",
    "TLS": bytes.fromhex("16030100050100000100"),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "bad header": b"POST /mcp HTTP/1.1\r\nhost localhost\r\n\r\n",
    "null in header": b"POST /mcp HTTP/1.1\r\nhost: a\0b\r\n\r\n",
    "folded header": b"POST /mcp HTTP/1.1\r\nhost: a\r\nx: y\r\n z\r\n\r\n",
    "unknown verb": b"BREW /mcp HTTP/1.1\r\nhost: a\r\n\r\n",
    "raw bytes in path": b"POST /\xff\xfe HTTP/1.1\r\nhost: a\r\n\r\n",
}.items():
    case(f"http: {name}", "wire.not-http", sending(data), anonymous=True)


def headed(more: tuple[str, ...]) -> Callable[[World], bytes]:
    return lambda world: world.head(None, *more) + b"hello"


for name, more in {
    "length and chunks": ("content-length: 5", "transfer-encoding: chunked"),
    "two lengths": ("content-length: 5", "content-length: 6"),
    "negative length": ("content-length: -5",),
    "vast length": ("content-length: " + "9" * 40,),
    "unknown coding": ("transfer-encoding: gzip",),
}.items():
    case(
        f"http: {name}",
        "wire.not-http",
        completing(headed(more)),
        anonymous=True,
    )
case(
    "http: bad chunk",
    "wire.not-http",
    completing(lambda w: w.head(None, "transfer-encoding: chunked") + b"zz\r\nhello"),
    anonymous=True,
)
FLOODS = {
    "many headers": b"".join(b"x-%d: %s\r\n" % (n, b"y" * 90) for n in range(1_000)),
    "one long header": b"x: " + b"y" * 100_000,
    "a megabyte without end": b"x: " + b"y" * 2**20,
    "a long name": b"y" * 70_000,
}
for name, data in FLOODS.items():
    flooding = b"POST /mcp HTTP/1.1\r\nhost: localhost\r\n" + data
    case(f"flood: {name}", "wire.headers-too-large", sending(flooding), anonymous=True)
case(
    "flood: complete",
    "wire.headers-too-large",
    sending(b"POST /mcp HTTP/1.1\r\n" + FLOODS["many headers"] + b"\r\n"),
    anonymous=True,
)
case(
    "flood: long URL",
    "wire.headers-too-large",
    sending(b"POST /mcp/" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n"),
    anonymous=True,
)
case(
    "flood: long Mcp-Name",
    "wire.headers-too-large",
    completing(lambda w: w.head(2, f"mcp-name: {'x' * 70_000}") + b"{}"),
    anonymous=True,
)

# Too slow. Every byte that trickles in must not buy more time.


def trickling(start: Callable[[World], bytes]) -> Act:
    async def act(world: World) -> Said:
        async with world.wire() as wire:
            await wire.send(start(world))
            reading = asyncio.ensure_future(wire.answer())
            while not (await asyncio.wait({reading}, timeout=0.1))[0]:
                await wire.send(b"x")
            return await reading

    return act


case("slow: nothing at all", "wire.too-slow", sending(), anonymous=True)
case("slow: headers stop", "wire.too-slow", sending(b"POST /mcp HTTP/1.1\r\nhost:"), anonymous=True)
case(
    "slow: headers trickle",
    "wire.too-slow",
    trickling(lambda _: b"POST /mcp HTTP/1.1\r\nx: "),
    anonymous=True,
)
case("slow: body stops", "wire.too-slow", completing(lambda w: w.head(1_000) + b'{"jsonrpc"'))
case("slow: body trickles", "wire.too-slow", trickling(lambda w: w.head(1_000) + b'{"'))
case(
    "slow: chunks stop",
    "wire.too-slow",
    completing(lambda w: w.head(None, "transfer-encoding: chunked") + b"2\r\n{}\r\n"),
)
# A hundred megabytes, declared and not. One after the other, for the memory.


async def declared(world: World) -> Said:
    async with world.wire() as wire:
        await wire.send(world.head(HUNDRED_MB))
        return await swamping(wire, b"x" * 2**20)


async def chunked(world: World) -> Said:
    async with world.wire() as wire:
        await wire.send(world.head(None, "transfer-encoding: chunked"))
        return await swamping(wire, b"100000\r\n" + b"x" * 2**20 + b"\r\n")


async def swamping(wire: Wire, megabyte: bytes) -> Said:
    """Sends all of it, whatever is said meanwhile, then reads."""
    for _ in range(100):
        await wire.send(megabyte)
    return await wire.answer()


async def expecting(world: World) -> Said:
    async with world.wire() as wire:
        await wire.send(world.head(HUNDRED_MB, "expect: 100-continue"))
        return await wire.answer()


LARGE = {"declared": declared, "chunked": chunked, "asks first": expecting}
for name, act in LARGE.items():
    case(f"100 MB: {name}", "wire.too-large", act)
