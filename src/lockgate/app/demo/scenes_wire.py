"""Scenes about bytes: what is malformed, unasked for or another's gets a catalogued answer."""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx2
import msgspec
import orjson

from lockgate.app.demo.folder import ALICE, BOB, Caller
from lockgate.app.demo.narration import Telling
from lockgate.app.demo.stage import Stage
from lockgate.model import REASONS, Cursor
from lockgate.pipeline.sessions import Cursors

VERSION = "2026-07-28"
LEGACY = "2025-11-25"
TOOL = "clinic__get_patient"
_META = "io.modelcontextprotocol/"
_ACCEPT = "application/json, text/event-stream"
HUNDRED_MB = 100 * 2**20


class Post(msgspec.Struct, frozen=True):
    """One wrong request, and the answer the catalogue has for it."""

    what: str
    reason: str
    body: bytes
    headers: Mapping[str, str] = {}
    """Besides or instead of the right ones; an empty value takes one away."""
    method: str = "POST"
    query: str = ""


def request(id: int, method: str, params: dict[str, Any]) -> bytes:
    """A request of the newer era."""
    meta = {_META + "protocolVersion": VERSION, _META + "clientCapabilities": {}}
    message = {"jsonrpc": "2.0", "id": id, "method": method, "params": {**params, "_meta": meta}}
    return orjson.dumps(message)


def posts() -> tuple[Post, ...]:
    """Each wrong in one way only."""
    right = request(1, "tools/call", {"name": TOOL, "arguments": {"patient_id": "p-001"}})
    twice = right.replace(b'"patient_id":"p-001"', b'"patient_id":"p-001","patient_id":"p-007"')
    return (
        Post("the same key twice", "wire.duplicate-key", twice),
        Post("NaN for a number", "wire.not-json", right.replace(b'"p-001"', b"NaN")),
        Post("half of a surrogate pair", "wire.not-json", right.replace(b"p-001", rb"\ud83d")),
        Post("JSON cut off", "wire.not-json", right[:-2]),
        Post("lists nested 100 deep", "wire.too-deep",
             right.replace(b'"p-001"', b"[" * 100 + b"]" * 100)),
        Post("a batch", "wire.batch", b"[" + right + b"]"),
        Post("a fractional id", "wire.bad-id", right.replace(b'"id":1', b'"id":1.5')),
        Post("no _meta", "wire.missing-meta",
             b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x"}}'),
        Post("a header that names another tool", "wire.header-mismatch", right,
             {"mcp-name": "clinic__read_notes"}),
        Post("an unknown method", "wire.unknown-method", request(1, "tools/delete", {}),
             {"mcp-method": "tools/delete", "mcp-name": ""}),
        Post("another content type", "wire.bad-content-type", right,
             {"content-type": "text/plain"}),
        Post("no key", "auth.missing", right, {"authorization": ""}),
        Post("a made-up key", "auth.invalid", right,
             {"authorization": "Bearer lgp_aaaaaaaaaaaa_" + "a" * 43}),
        Post("the key in the URL", "auth.in-query", right, query="?key=secret"),
        Post("from a web page elsewhere", "wire.bad-origin", right,
             {"origin": "https://evil.example"}),
        Post("under another host name", "wire.bad-host", right, {"host": "evil.example"}),
        Post("GET", "wire.bad-http-method", b"", method="GET"),
    )  # fmt: skip


async def show_malformed(stage: Stage, told: Telling) -> None:
    before = await stage.now()
    for post in posts():
        answer = await send(stage, ALICE, post)
        told.that(f"{post.what:<34} HTTP {answer.status_code}  {post.reason}",
                  _is_catalogued(answer, post.reason))  # fmt: skip
    status = await _announce(stage, HUNDRED_MB)
    told.that(f"{'100 MB announced':<34} HTTP {status}  wire.too-large, not a byte of it read",
              status == REASONS["wire.too-large"].http)  # fmt: skip
    then = await stage.since(before)
    told.say("Each code, text and status is the one that the catalogue has (docs/reasons.md).")
    told.that(
        "Nothing reached the clinic, and none of it counts as a call.",
        not then.reached and all(r.event.kind == "call.refused" for r in then.rows),
    )
    told.say(f"{len(then.rows)} of them carried a key and are in the journal by name; the others "
             "are counted there, not written one by one.")  # fmt: skip
    told.rows(then.rows[:2])


async def send(stage: Stage, who: Caller, post: Post) -> httpx2.Response:
    right = {
        "authorization": f"Bearer {stage.folder.key(who)}",
        "content-type": "application/json",
        "accept": _ACCEPT,
        "mcp-protocol-version": VERSION,
        "mcp-method": "tools/call",
        "mcp-name": TOOL,
    }
    headers = {name: value for name, value in {**right, **post.headers}.items() if value}
    url = stage.url + post.query
    return await stage.raw.request(post.method, url, content=post.body, headers=headers)


def reason_of(answer: httpx2.Response) -> str:
    """The catalogue code in an error answer; empty where there is none."""
    try:
        error = orjson.loads(answer.content).get("error", {})
    except orjson.JSONDecodeError:
        return ""
    return str(error.get("data", {}).get("reason", ""))


def _is_catalogued(answer: httpx2.Response, reason: str) -> bool:
    found = REASONS[reason]
    if reason_of(answer) != reason or answer.status_code != found.http:
        return False
    error = orjson.loads(answer.content)["error"]
    return bool(error["code"] == found.rpc and error["message"] == found.says)


async def _announce(stage: Stage, size: int) -> int:
    """Announce a body of ``size`` bytes and send none of it. The answer's HTTP status."""
    place = urlsplit(stage.url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    head = (
        f"POST {place.path} HTTP/1.1\r\nhost: {place.netloc}\r\ncontent-length: {size}\r\n"
        f"authorization: Bearer {stage.folder.key(ALICE)}\r\ncontent-type: application/json\r\n"
        f"accept: {_ACCEPT}\r\n\r\n"
    )
    try:
        writer.write(head.encode())
        return int((await reader.readline()).split()[1])
    finally:
        writer.close()
        await writer.wait_closed()


async def show_anothers_state(stage: Stage, told: Telling) -> None:
    hello = {
        "protocolVersion": LEGACY,
        "capabilities": {},
        "clientInfo": {"name": "x", "version": "1"},
    }
    opened = await _legacy(stage, BOB, "initialize", hello, "")
    session = opened.headers.get("mcp-session-id", "")
    told.that("Bob opens a session.", opened.status_code == 200 and bool(session))
    stolen = await _legacy(stage, ALICE, "tools/list", {}, session)
    told.that(f"Alice sends its id under her own key: HTTP {stolen.status_code}, "
              f"{reason_of(stolen)}.", reason_of(stolen) == "session.unknown")  # fmt: skip
    mine = await _legacy(stage, BOB, "tools/list", {}, session)
    told.that(
        "Bob's own use of it goes on.", mine.status_code == 200 and b'"tools"' in mine.content
    )
    sealer = stage.running.plant.sealer
    cursor = Cursors(sealer).seal(Cursor(BOB.holder, "/mcp", "tools/list", 1, ""))
    mine = await _legacy(stage, BOB, "tools/list", {"cursor": cursor}, session)
    told.that("A cursor that the gateway sealed for Bob takes him on to the next page.",
              b'"tools"' in mine.content)  # fmt: skip
    params = {"cursor": cursor}
    post = Post("", "cursor.invalid", request(2, "tools/list", params),
                {"mcp-method": "tools/list", "mcp-name": ""})  # fmt: skip
    theirs = reason_of(await send(stage, ALICE, post))
    told.that(f"In Alice's hands it is nothing: {theirs}.", theirs == "cursor.invalid")


async def _legacy(
    stage: Stage, who: Caller, method: str, params: dict[str, Any], session: str
) -> httpx2.Response:
    """A request of the older era."""
    body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    headers = {"mcp-protocol-version": LEGACY if session else "", "mcp-session-id": session,
               "mcp-method": "", "mcp-name": ""}  # fmt: skip
    return await send(stage, who, Post("", "", body, headers))
