"""What is tried with API keys that are not one's own: guessing them, and using stolen ones.

Every attacker has a loopback address of its own, since wrong keys are counted by address.
"""

import asyncio
import base64
import json
import secrets
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lockgate.identity import wrong_keys
from lockgate.identity.api_key import mint
from support.client import ENVELOPE, Said, Wire, mirror, posted
from support.gateway import ROOT, Gateway, python

ODD = str(ROOT / "tests" / "support" / "odd_child.py")
BODY = json.dumps(
    {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": ENVELOPE}}
).encode()
HOME = "127.0.0.2"

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    gate = Gateway(tmp_path_factory.mktemp("gate"), {"odd": python(ODD, "")})
    for name in ("alice", "bob", "carol"):
        gate.key(name)
    with gate:
        yield gate
        assert "Traceback" not in gate.log


async def ask(gate: Gateway, key: str, source: str) -> Said:
    """One request with this key, from this address, over a connection of its own."""
    host, _, port = gate.base.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port), local_addr=(source, 0))
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        wire = Wire(reader, writer)
        headers = {**mirror("tools/list", {}), "connection": "close"}
        await wire.send(posted(gate.base, "/mcp", key, BODY, headers))
        return await wire.answer()
    finally:
        writer.close()


async def reasons(gate: Gateway, keys: list[str], source: str) -> Counter[tuple[int, str]]:
    said = [await ask(gate, key, source) for key in keys]
    return Counter((one.status, one.reason) for one in said)


def guesses(count: int, like: str = "") -> list[str]:
    """Keys that are spelled right; with the id of the key ``like`` where it is given."""
    known = base64.b32decode(f"{like[4:16]}A===".upper()) if like else b""

    def randomly(n: int) -> bytes:
        return known if known and n == len(known) else secrets.token_bytes(n)

    return [mint("personal", b"not the gateway's", randomly)[1] for _ in range(count)]


def counted(gate: Gateway, network: str) -> Counter[str]:
    """What the journal says was refused to this network, and how often."""
    found: Counter[str] = Counter()
    for row in gate.rows(kind="auth.refused"):
        for one in row.slots["net"]:
            if one["network"] == network:
                found[one["reason"]] += one["count"]
    return found


async def test_guessing_the_secret_of_a_key_whose_id_is_known(gate: Gateway) -> None:
    alice, source = gate.key("alice"), "127.0.1.1"
    assert (await ask(gate, alice, source)).status == 200
    guessed = guesses(60, like=alice)
    assert {text[:16] for text in guessed} == {alice[:16]}
    said = await reasons(gate, guessed, source)
    assert set(said) == {(401, "auth.invalid"), (429, "auth.throttled")}
    assert wrong_keys.TRIES_KEY <= said[401, "auth.invalid"] < 2 * wrong_keys.TRIES_KEY
    assert (await ask(gate, guessed[0], source)).headers["retry-after"] == "60"
    assert (await ask(gate, alice, source)).status == 200, "its holder goes on"
    assert (await ask(gate, gate.key("bob"), source)).status == 200, "and so does a neighbour"


async def test_guessing_whole_keys_in_a_flood(gate: Gateway) -> None:
    source = "127.0.1.2"
    said = await reasons(gate, guesses(200), source)
    assert set(said) == {(401, "auth.invalid"), (429, "auth.throttled")}
    assert wrong_keys.TRIES_PEER <= said[401, "auth.invalid"] < 200
    known = await reasons(gate, guesses(1, like=gate.key("carol")), source)
    assert known == {(429, "auth.throttled"): 1}, "which ids exist is not told"
    assert (await ask(gate, gate.key("carol"), source)).status == 200, "new here, and right"
    assert (await ask(gate, guesses(1)[0], "127.0.1.3")).status == 401, "others are not blamed"


async def test_guessing_with_what_is_no_key(gate: Gateway) -> None:
    source = "127.0.1.4"
    said = await reasons(gate, [f"guess-{n}" for n in range(40)], source)
    assert said[429, "auth.throttled"] > 0
    assert (await ask(gate, gate.key("alice"), source)).status == 200


async def test_guesses_are_in_the_journal_in_numbers_not_rows(gate: Gateway) -> None:
    before = len(gate.journal())
    said = await reasons(gate, guesses(50, like=gate.key("bob")), "127.0.9.1")
    wanted = Counter({reason: count for (_, reason), count in said.items()})
    await gate.awaited(lambda g: counted(g, "127.0.9.0/24") == wanted, seconds=40)
    assert len(gate.journal()) - before < 10


def made(gate: Gateway, *words: str) -> Any:
    """What ``lockgate keys`` says of the key it made, once the running gateway knows it."""
    return json.loads(gate.cli("keys", *words, "--json"))


async def taken(gate: Gateway, key: str, source: str, status: int) -> None:
    """Until a request with this key is answered so."""
    async with asyncio.timeout(10):
        while (await ask(gate, key, source)).status != status:
            await asyncio.to_thread(gate.journal)  # a running gateway learns it within a second


async def test_using_a_stolen_key_from_another_network(gate: Gateway) -> None:
    words = ("create", "--kind", "personal", "--owner", "dave", "--expires", "1d")
    key = (await asyncio.to_thread(made, gate, *words, "--network", f"{HOME}/32"))["key"]
    await taken(gate, key, HOME, 200)
    stolen = await ask(gate, key, "127.0.1.5")
    invented = await ask(gate, guesses(1)[0], "127.0.1.5")
    assert (stolen.status, stolen.text) == (invented.status, invented.text)
    assert (await ask(gate, key, HOME)).status == 200
    assert "may not be used from 127.0.1.5" in gate.log


async def test_using_a_key_after_it_was_rotated(gate: Gateway) -> None:
    words = ("create", "--kind", "service", "--owner", "alice", "--subject", "ci", "--expires")
    old = await asyncio.to_thread(made, gate, *words, "1d")
    await taken(gate, old["key"], HOME, 200)
    new = await asyncio.to_thread(made, gate, "rotate", old["id"], "--overlap", "0h")
    await taken(gate, new["key"], HOME, 200)
    assert (await ask(gate, old["key"], HOME)).status == 401


def test_a_key_that_was_used_says_when_also_after_the_end(tmp_path: Path) -> None:
    gate = Gateway(tmp_path, {"odd": python(ODD, "")})
    key = gate.key("erin")
    with gate:
        assert asyncio.run(ask(gate, key, HOME)).status == 200
        gate.stop()
        (listed,) = json.loads(gate.cli("keys", "list", "--json"))
        assert listed["used"] is not None
