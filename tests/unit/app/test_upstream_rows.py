from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from lockgate.app.settings import Settings
from lockgate.app.stores import open_stores
from lockgate.app.upstream_rows import UpstreamRows
from lockgate.app.wiring import Plant
from lockgate.model import SendFailed, Terms, Tool
from lockgate.upstream.target import WithheldTarget

SETTINGS = Settings.model_validate({
    "upstreams": {
        "mail": {
            "url": "https://user-less.example/SECRET-PATH", "trust": "internal", "region": "eu",
            "data_classes": frozenset({"letters"}), "headers": {"X-Key": "env:MAIL_KEY"},
            "tools": {"send": {"hold": "data-owner"}},
        },
        "clock": {"command": "there-is-no-such-program", "sharing": "shared"},
        "own": {"url": "https://own.example/mcp", "credential": {"mode": "account"}},
    },
})  # fmt: skip


@pytest.fixture
async def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Plant]:
    monkeypatch.setenv("MAIL_KEY", "SECRET-KEY")
    made = Plant(open_stores(tmp_path / "data"), SETTINGS)
    made.state(SETTINGS, {})
    yield made
    await made.close()
    made.stores.engine.dispose()


def tool(
    name: str, raw: bytes = b'{"description":"Says\\n  this."}', upstream: str = "mail"
) -> Tool:
    return Tool(upstream, name, raw, b"{}")


async def test_an_upstream_is_told_without_its_address_and_secrets(plant: Plant) -> None:
    mail, clock, own = UpstreamRows(plant, lambda: SETTINGS)()
    assert (mail.name, mail.kind, mail.endpoint, mail.trust) == ("mail", "http", "/mcp/mail",
                                                                  "internal")  # fmt: skip
    assert (mail.region, mail.data_classes, mail.state, mail.links) == ("eu", ("letters",), "idle",
                                                                        0)  # fmt: skip
    assert [one.credential for one in (mail, clock, own)] == ["static", "none", "account"]
    assert (clock.kind, clock.sharing) == ("stdio", "shared")
    assert "SECRET" not in repr((mail, clock, own))


async def test_tools_are_those_that_anybody_listed_with_their_marks(plant: Plant) -> None:
    upstream = plant.registry.get("mail")
    assert upstream is not None
    rows = UpstreamRows(plant, lambda: SETTINGS)
    before = rows.version()
    other = tool("send", b'{"description":"Another."}')
    plant.tools.put(upstream.upstream, Terms("person:alice"), [tool("send"), tool("read")])
    odd, bare = tool("odd", b'{"description":7}'), tool("bare", b"{}")
    plant.tools.put(upstream.upstream, Terms("person:bob"), [other, odd, bare])
    found = rows()[0].tools
    assert [one.name for one in found] == ["bare", "odd", "read", "send", "send"]
    assert {one.says for one in found if one.name == "send"} == {"Says this.", "Another."}
    assert {one.hold for one in found if one.name == "send"} == {"data-owner"}
    assert {one.hold for one in found if one.name != "send"} == {""}
    assert rows.version() != before


async def test_what_fails_is_said(plant: Plant) -> None:
    clock = plant.registry.get("clock")
    assert clock is not None
    for _ in range(2):
        with pytest.raises(SendFailed):
            async with plant.pool.lease(clock, Terms("person:alice")):
                pass
    row = UpstreamRows(plant, lambda: SETTINGS)()[1]
    assert (row.state, row.reason) == ("failing", "upstream.crashed")


async def test_a_long_description_is_cut(plant: Plant) -> None:
    upstream = plant.registry.get("mail")
    assert upstream is not None
    raw = b'{"description":"%s"}' % (b"x" * 5_000)
    plant.tools.put(upstream.upstream, Terms("person:alice"), [tool("send", raw)])
    assert len(UpstreamRows(plant, lambda: SETTINGS)()[0].tools[0].says) < 310


async def test_an_upstream_whose_secret_cannot_be_had_is_withheld(plant: Plant) -> None:
    mail = plant.registry.get("mail")
    assert mail is not None
    withheld = msgspec.structs.replace(mail, target=WithheldTarget("no such secret: X"))
    plant.registry.replace([withheld])
    row = UpstreamRows(plant, lambda: SETTINGS)()[0]
    assert (row.state, row.reason) == ("withheld", "upstream.secret")
