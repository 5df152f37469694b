"""Inspection and policy see every byte on every path.

Every client (HTTP and stdio, both eras) speaks to every upstream (likewise) through the whole
gateway, on real sockets. Each field of each message is a word of its own, and so are headers,
fields of server-sent events, ids, cursors and stderr. No word may come out at the other side that
no control was shown before. The paths are taken from the code:

* methods from ``wire.methods.METHODS``; each kind of row has a probe in ``canary_rows.KINDS``
* fields from the specification's own types, of each version
* notifications from the specification, and those that pass from ``inspection.notices``
* questions from ``wire.methods.ASKS``
* kinds of subject from ``pipeline.order.Order``
* places where messages are made, from the source (``canary_exits``): each must have been taken
"""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import get_args

import mcp_types
import msgspec
import pytest
from mcp_types import methods as spec

from lockgate.inspection.notices import _NOTICES
from lockgate.model.call import EraName
from lockgate.pipeline.order import Order
from lockgate.wire import jsonrpc
from lockgate.wire.methods import ASKS, METHODS, Kind
from lockgate.wire.rounds import ROUNDS
from support.canary_cell import Cell, standing
from support.canary_exits import exits, used
from support.canary_house import ERAS, TRANSPORTS, House
from support.canary_messages import Json, planted, result_type
from support.canary_probes import bad_openings, everything, probe
from support.canary_rows import KINDS
from support.canary_upstream import opening
from support.canary_words import WATCHERS

OURS = {
    "app/asking.py::_taken_back": "takes a question back by its id, which is ours",
    "app/pending.py::Pending._progress": "says that somebody is asked, in words of ours",
    "app/pending.py::_complete": "the id of a question of ours",
    "app/ingress_http.py::Ingress._turn_away": "a catalogued refusal before there is a request",
}
"""Exits that no probe takes, and why nothing of anybody's can leave there."""

pytestmark = pytest.mark.e2e


PAIRS = [(transport, era) for transport in TRANSPORTS for era in ERAS]


class Run:
    """Every client before every upstream."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.complaints: list[str] = []
        self.taken: set[str] = set()
        """Functions of ours that ran."""
        self.passed: set[tuple[str, str, str]] = set()

    async def all(self) -> None:
        """Four at a time, no two of them before one upstream."""
        upstreams = list(self.house.upstreams)
        async with self.house.open():
            with used(self.taken):
                for turn in range(len(upstreams)):
                    order = upstreams[turn:] + upstreams[:turn]
                    pairs = zip(PAIRS, order, strict=True)
                    await asyncio.gather(*(self._cell(*who, upstream) for who, upstream in pairs))
                for who in PAIRS:
                    await self._over_all(*who)
                for upstream in upstreams:
                    await self._bad(upstream)
        leaked = self.house.leaked()
        if leaked:
            self.complaints.append("came out unseen: " + ", ".join(leaked))

    async def _cell(self, transport: str, era: EraName, upstream: str) -> None:
        thorough = transport == "http" and upstream.startswith("http")
        async with AsyncExitStack() as stack:
            await probe(await self._joined(stack, transport, era, upstream, thorough))

    async def _over_all(self, transport: str, era: EraName) -> None:
        async with AsyncExitStack() as stack:
            await everything(
                await self._joined(stack, transport, era, "", False), list(self.house.upstreams)
            )

    async def _bad(self, upstream: str) -> None:
        async with AsyncExitStack() as stack:
            await bad_openings(await self._joined(stack, "http", "legacy", upstream, False))

    async def _joined(
        self, stack: AsyncExitStack, transport: str, era: EraName, upstream: str, thorough: bool
    ) -> Cell:
        peer = self.house.upstreams[upstream or "http-legacy"]
        peer.plan = standing(peer, self.house)
        path = f"/mcp/{upstream}".rstrip("/")
        voice = self.house.voice(transport, era, self._capabilities(), path)
        return Cell(
            self.house, await stack.enter_async_context(voice), peer, f"{transport}-{era}",
            upstream or "all", self.complaints, self.passed, thorough,
        )  # fmt: skip

    def _capabilities(self) -> Json:
        """Everything a client can declare, with words in it."""
        kind = mcp_types.ClientCapabilities
        found: Json = next(planted(self.house.mint, "client", "capabilities", kind))
        word = self.house.mint.word("client", "extension")
        ours = "io.modelcontextprotocol/"
        known = {f"{ours}ui": {"mimeTypes": [word], word: word}, f"{ours}tasks": {word: word}}
        return {**found, "extensions": {**found["extensions"], **known}}

    def cells(self, label: str) -> set[tuple[str, str]]:
        return {(client, upstream) for said, client, upstream in self.passed if said == label}


async def test_nothing_comes_out_anywhere_that_no_control_was_shown(tmp_path: Path) -> None:
    run = Run(House(tmp_path))
    for peer in run.house.upstreams.values():
        method = "initialize" if peer.era == "legacy" else "server/discover"
        said = next(planted(run.house.mint, "upstream", method, result_type(method, peer.era)))
        peer.plan.results[method] = opening(peer.era, said)
    await run.all()
    assert not run.complaints, "\n".join(run.complaints)
    assert not unproved(run)
    assert exits() - run.taken - OURS.keys() == set(), "messages are made where no probe comes"
    assert OURS.keys() <= exits(), "not there any more"


CLIENTS = {f"{transport}-{era}" for transport, era in PAIRS}


def unproved(run: Run) -> list[str]:
    """What did not come through though it should: then its words prove nothing."""
    wanted = {**_rows(run), **_rounds(run)}
    missing = [f"{label}: {sorted(w)}" for label, where in wanted.items()
               if (w := where - run.cells(label))]  # fmt: skip
    for method in ASKS:  # within an era or across it, every client is asked by some upstream
        for label in (f"ask {method}", f"answer {method}"):
            missing += [label] if {client for client, _ in run.cells(label)} != CLIENTS else []
    told = (run.cells(method) | run.cells(f"event {method}") for method in _NOTICES)
    return missing + [method for method, cells in zip(_NOTICES, told, strict=True) if not cells]


def _rows(run: Run) -> dict[str, set[tuple[str, str]]]:
    """Where each judged method's params, results and errors must have come through."""
    wanted: dict[str, set[tuple[str, str]]] = {}
    for row in METHODS.values():
        cells = {c for c in _cells(run) if c[0].rpartition("-")[2] in row.eras}
        if row.kind == "task":
            cells = {c for c in cells if c[1].endswith("modern")}
        ways = {"item": (">", "<", "error"), "list": ("<",), "task": (">", "<")}.get(row.kind, ())
        wanted |= {f"{way} {row.name}": cells for way in ways}
    return wanted


def _rounds(run: Run) -> dict[str, set[tuple[str, str]]]:
    modern = {c for c in _cells(run) if all(side.endswith("modern") for side in c)}
    return {f"input {method}": modern for method in ROUNDS}


def _cells(run: Run) -> set[tuple[str, str]]:
    return {(client, upstream) for client in CLIENTS for upstream in run.house.upstreams}


def test_every_kind_of_row_has_a_probe() -> None:
    assert set(get_args(Kind)) == KINDS.keys()


def test_every_kind_of_subject_is_watched() -> None:
    names = {field.name for field in msgspec.structs.fields(Order)}
    assert {name for name in names if name.startswith("on_")} == WATCHERS.keys()
    assert names - WATCHERS.keys() == {"policy", "needs", "holds"}


def test_what_passes_as_a_notification_is_one_of_the_specification() -> None:
    known = {method for method, _ in spec.SERVER_NOTIFICATIONS}
    assert _NOTICES.keys() <= known


def test_an_exit_is_found_in_the_source_by_its_function() -> None:
    assert "app/clients.py::Waiting.deliver" in exits()
    assert {name for name in vars(jsonrpc) if name.startswith("encode")}


def test_a_word_that_no_control_was_shown_is_noticed(tmp_path: Path) -> None:
    house = House(tmp_path)
    seen, unseen = (house.mint.word("upstream", place) for place in ("here", "there"))
    house.sight.all.add(seen)
    house.at_client(f'{{"a":"{seen}","{unseen}":1}}'.encode())
    assert house.leaked() == ["upstream: there"]
