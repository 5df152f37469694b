"""Hostile messages over real HTTP: each gets its catalogued refusal, none a traceback or a 500, and
all of them are in the journal.

One gateway takes them all; then it is stopped, and what it answered, recorded and logged is judged
case by case.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from support.client import McpClient, Said, http_client
from support.gateway import ROOT, Gateway, Row, python
from support.hostile import CASES, LIMITS, Case, World
from support.hostile_http import LARGE

ODD = str(ROOT / "tests" / "support" / "odd_child.py")
MEMORY = 32 * 2**20
"""What a hundred refused megabytes may cost, measurement noise included."""

pytestmark = pytest.mark.e2e


class Outcome(msgspec.Struct):
    said: dict[str, Said]
    rows: list[Row]
    log: str
    grew: int
    exit: int


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    folder: Path = tmp_path_factory.mktemp("gate")
    gate = Gateway(folder, {"odd": python(ODD, "")}, limits=LIMITS)
    gate.key("alice")
    with gate:
        said, grew = asyncio.run(run_all(gate))
        code = gate.stop()
        yield Outcome(said, gate.journal(), gate.log, grew, code)


async def run_all(gate: Gateway) -> tuple[dict[str, Said], int]:
    async with http_client() as http:
        client = McpClient(http, gate.url, gate.key("alice"))
        assert (await client.modern("tools/list")).status == 200
        world = World(gate, client, await client.at(client.url).open())
        before = gate.peak_memory()
        large = {f"100 MB: {n}": await CASES[f"100 MB: {n}"].act(world) for n in LARGE}
        grew = gate.peak_memory() - before
        rest = [c for name, c in CASES.items() if name not in large]
        some = asyncio.Semaphore(16)
        answers = await asyncio.gather(*(_one(c, world, some) for c in rest))
        assert (await client.call("odd__echo", {"still": "here"})).status == 200
        return large | {c.name: said for c, said in zip(rest, answers, strict=True)}, grew


async def _one(one: Case, world: World, some: asyncio.Semaphore) -> Said:
    async with some:
        return await one.act(world)


@pytest.mark.parametrize("name", CASES)
def test_gets_its_catalogued_refusal(outcome: Outcome, name: str) -> None:
    said, wanted = outcome.said[name], CASES[name]
    assert (said.reason, said.status) == (wanted.reason, wanted.expected), said.text[:400]
    assert "Traceback" not in said.text


@pytest.mark.parametrize("name", [name for name, one in CASES.items() if not one.anonymous])
def test_is_journalled_under_the_name_of_who_sent_it(outcome: Outcome, name: str) -> None:
    said = outcome.said[name]
    (row,) = [r for r in outcome.rows if r.call == said.call]
    assert (row.kind, row.reason, row.who) == ("call.refused", CASES[name].reason, "alice")


def test_refusals_of_nobody_are_counted_in_the_journal(outcome: Outcome) -> None:
    counted: dict[str, int] = {}
    for row in outcome.rows:
        for reason, count in row.header.get("reasons", {}).items() if row.call == "" else ():
            counted[reason] = counted.get(reason, 0) + count
    wanted: dict[str, int] = {}
    for one in CASES.values():
        if one.anonymous:
            wanted[one.reason] = wanted.get(one.reason, 0) + 1
    # The test's own client may open a connection ahead of need, and leave it silent.
    assert counted.pop("wire.too-slow") >= wanted.pop("wire.too-slow")
    assert counted == wanted


def test_a_hundred_megabytes_cost_no_memory(outcome: Outcome) -> None:
    assert outcome.grew < MEMORY


def test_nothing_is_logged_as_a_failure_of_the_gateway(outcome: Outcome) -> None:
    assert "Traceback" not in outcome.log
    assert "Exception" not in outcome.log
    assert outcome.exit == 0


def test_refusals_are_no_calls(outcome: Outcome) -> None:
    """Nothing but the well-formed calls around the cases, and our own lists, was forwarded."""
    intents = [r for r in outcome.rows if r.kind == "call.intent"]
    assert {(r.method, r.target) for r in intents} == {
        ("tools/list", ""), ("tools/call", "echo")}  # fmt: skip
