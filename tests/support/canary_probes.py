"""Probes: a client says every kind of message before an upstream, each field a word of its own.

A probe is chosen by the ``kind`` of a method's row, so a new row or kind has none until it is given
one, and the test says so. What has no row has its probe here.
"""

import asyncio
from contextlib import suppress

from lockgate.pipeline.subscriptions import UPDATED
from lockgate.wire.methods import ASKS, METHODS
from lockgate.wire.rounds import ROUNDS
from support.canary_cell import TOOL, Cell, ask, askable, input_of, requests, results, standing
from support.canary_client import HttpWire
from support.canary_messages import Json, answered_type, asked_type, notified_types, planted
from support.canary_rows import KINDS

_TRIES = 20
_PATIENCE = 0.5
"""Seconds until it is told again."""


async def probe(cell: Cell) -> None:
    """Everything that this client can say here, and everything it can be told."""
    for row in METHODS.values():
        if cell.era in row.eras:
            await KINDS[row.kind](cell, row)
    for each in (_notices, _foreign, _rounds, _mirror, _cancel, _pages, _events):
        cell.peer.plan = standing(cell.peer, cell.house)
        await each(cell)


async def _notices(cell: Cell) -> None:
    """Every notification of the upstream's era, while a call runs."""
    for method, kind in notified_types(cell.peer.era).items():
        every = cell.planted("upstream", method, kind)
        cell.peer.plan.notices = [(method, said) for said in every]
        token = cell.house.mint.word("client", "progressToken")
        await cell.voice.request("tools/call", {"name": TOOL, "_meta": {"progressToken": token}})
        for method, said in cell.peer.plan.notices:
            cell.check(method, said, "upstream")


async def _foreign(cell: Cell) -> None:
    """What an upstream may ask of nobody: it is answered here."""
    if cell.peer.era == "modern":
        return
    for method in ("ping", "no/such"):
        said = next(planted(cell.house.mint, "upstream", f"ask {method}", dict[str, str]))
        cell.peer.plan.asks = [(method, said)]
        await cell.voice.request("tools/call", {"name": TOOL})


async def _rounds(cell: Cell) -> None:
    """Each method that may ask for input before it goes on (SEP-2322)."""
    if cell.peer.era == "legacy":
        return
    mint = cell.house.mint
    asked, cell.voice.answers = {}, {}
    for method in sorted(ASKS):
        asked[method] = askable(next(planted(mint, "upstream", method, asked_type(method))))
        cell.voice.answers[method] = next(planted(mint, "client", method, answered_type(method)))
    for method in sorted(ROUNDS):
        cell.peer.plan.input = input_of(cell, asked)
        await ask(cell, method, next(requests(cell, method)), next(results(cell, method)))
        cell.check(f"input {method}", cell.peer.plan.input, "upstream")


async def _mirror(cell: Cell) -> None:
    """An argument that goes out as a header too."""
    if isinstance(cell.voice.wire, HttpWire) and cell.era == "modern":
        return  # its client would have to send the header; the shim's clients have none
    region = cell.house.mint.word("client", "mirrored argument")
    await ask(cell, "tools/call", {"name": TOOL, "arguments": {"region": region}})


async def _cancel(cell: Cell) -> None:
    """A client that takes its call back, and says why."""
    if cell.era == "modern" and isinstance(cell.voice.wire, HttpWire):
        return  # it closes the stream
    cell.peer.plan.silent = asyncio.Event()
    asking = asyncio.create_task(cell.voice.request("tools/call", {"name": TOOL}))
    try:
        async with asyncio.timeout(10):
            await cell.peer.plan.silent.wait()
        reason = {"requestId": cell.voice.last, "reason": cell.house.mint.word("client", "reason")}
        await cell.voice.notify("notifications/cancelled", reason)
    finally:
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking


async def _pages(cell: Cell) -> None:
    """The upstream's cursors come back to it, and to nobody else."""
    result = next(results(cell, "prompts/list"))
    cell.peer.plan.results["prompts/list"] = {**result, "nextCursor": cell.peer.word("cursor")}
    cell.peer.plan.last_page = result
    said = await cell.voice.request("prompts/list", {})
    cell.peer.plan.results["prompts/list"] = result
    if len(said.get("result", {}).get("prompts", ())) != 2 * len(result["prompts"]):
        cell.complaints.append(f"{cell.client} > {cell.upstream}: pages were not read: {said}")


async def _events(cell: Cell) -> None:
    """Every notification of the upstream's era, outside of any call."""
    uri, era = cell.house.mint.word("client", "subscribed URI"), cell.era
    if era == "legacy":
        if not isinstance(cell.voice.wire, HttpWire):
            return  # the shim has no stream of its own
        await cell.voice.wire.listen()
        await cell.voice.request("resources/subscribe", {"uri": uri})
    else:
        wanted = {"resourceSubscriptions": [uri], "toolsListChanged": True}
        params = next(requests(cell, "subscriptions/listen"))
        await cell.voice.say("subscriptions/listen", {**params, "notifications": wanted})
        await cell.voice.heard("notifications/subscriptions/acknowledged")
    told = {method: next(planted(cell.house.mint, "upstream", f"event {method}", kind))
            for method, kind in notified_types(cell.peer.era).items()}  # fmt: skip
    told[UPDATED] |= {"uri": uri}
    for _ in range(_TRIES):  # the upstream's side may not listen yet
        for method in sorted(told, key=lambda name: name == UPDATED):
            await cell.peer.tell(method, told[method])
        if await cell.voice.hears(UPDATED, _PATIENCE):
            break
    else:
        cell.complaints.append(f"{cell.client} > {cell.upstream}: nothing was told")
    for method, said in told.items():
        cell.check(f"event {method}", said, "upstream")
    if era == "modern":
        await cell.voice.notify("notifications/cancelled", {"requestId": cell.voice.last})


async def everything(cell: Cell, upstreams: list[str]) -> None:
    """At the endpoint over all upstreams, under outer names and URIs."""
    found: dict[str, Json] = {}
    for row in METHODS.values():
        if row.kind == "list":
            said = await cell.voice.request(row.name, {})
            found |= {f"{row.name} {one[row.key]}": one for one in said["result"][row.array]}
            cell.check(f"< {row.name}", said, "upstream")
    for upstream in upstreams:
        await _one_of_all(cell, upstream, found)


async def _one_of_all(cell: Cell, upstream: str, found: dict[str, Json]) -> None:
    mint, place = cell.house.mint, f"{upstream}__"
    uris = [one["uri"] for name, one in found.items() if name.startswith("resources/list")]
    prompts = [one["name"] for name, one in found.items() if name.startswith("prompts/list")]
    asked: list[tuple[str, Json]] = [
        ("tools/call", {"name": f"{place}{TOOL}", "arguments": {"a": mint.word("client", "a")}}),
        ("prompts/get", {"name": next(one for one in prompts if one.startswith(place))}),
        ("resources/read", {"uri": next(one for one in uris if upstream in one)}),
    ]
    for method, params in asked:
        said = await cell.voice.request(method, params)
        cell.check(f"> {method}", params, "client")
        cell.check(f"< {method}", said, "upstream")


async def bad_openings(cell: Cell) -> None:
    """What an upstream says while it is opened, and fails, reaches nobody."""
    word = cell.peer.word
    error = {"code": -32000, "message": word("opening: message"), "data": word("opening: data")}
    version = {"protocolVersion": word("opening: version"), "supportedVersions": [word("version")]}
    for bad in ({"error": error}, {"result": {**version, "capabilities": {}}}):
        cell.peer.plan.opened = bad
        await cell.voice.request("tools/list", {})
