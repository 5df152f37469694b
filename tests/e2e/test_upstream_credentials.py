"""The gateway's own credentials at an upstream that demands them, given by a real OIDC provider."""

import asyncio
import json
import shutil
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
import trustme

from lockgate.upstream.credentials import MARGIN_SECONDS
from support.client import McpClient, Said, http_client
from support.connect_browser import ConnectBrowser
from support.gateway import Gateway
from support.guarded_house import House, guarded_server, house, link_in
from support.oidc_provider import ROBOT, running_provider
from support.processes import until
from support.scim_gateway import deactivate, make, provider

pytestmark = [pytest.mark.e2e, pytest.mark.node]


async def said_to(house: House, who: str, tool: str = "whoami") -> Said:
    async with http_client() as http:
        client = McpClient(http, f"{house.gate.url}/guarded", house.gate.key(who))
        return await client.call(tool)


def text_of(said: Said) -> str:
    return str(said.result["content"][0]["text"])


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("accounts"), {"mode": "account"}) as made:
        yield made


async def test_the_gateway_comes_in_its_own_name(tmp_path: Path) -> None:
    with house(tmp_path, {"mode": "client_credentials"}) as made:
        said = await said_to(made, "alice")
        assert text_of(said) == "lockgate via lockgate"
        await said_to(made, "bob")
        tokens = made.provider.log("token")
        assert [one["grant_type"] for one in tokens] == ["client_credentials"] * len(tokens)
        assert {one["resource"] for one in tokens} == {made.upstream}


async def test_each_person_comes_as_themselves(accounts: House) -> None:
    refused = await said_to(accounts, "alice")
    assert refused.status == 200
    assert refused.result["isError"] is True
    assert "upstream.connect" in text_of(refused)
    page = ConnectBrowser().connect(link_in(text_of(refused)), "alice")
    assert (page.status, "Connected" in page.text) == (200, True), page.text
    assert text_of(await said_to(accounts, "alice")) == "alice via lockgate"
    other = await said_to(accounts, "bob")
    assert "upstream.connect" in text_of(other)


async def test_a_token_that_ends_is_renewed_and_one_that_was_revoked_is_told(
    tmp_path: Path,
) -> None:
    with house(tmp_path, {"mode": "account"}, accessTokenSeconds=31) as made:
        link = link_in(text_of(await said_to(made, "alice")))
        assert "Connected" in ConnectBrowser().connect(link, "alice").text
        for _ in range(3):  # good for a second, as far as we are concerned
            assert text_of(await said_to(made, "alice")) == "alice via lockgate"
            wait_until_old(made)
        grants = [one["grant_type"] for one in made.provider.log("token")]
        assert grants.count("refresh_token") >= 2
        made.provider.revoke("alice")
        refused = await said_to(made, "alice")
        assert (refused.status, refused.result["isError"]) == (200, True)
        assert "upstream.connect" in text_of(refused)
        listed = json.loads(made.gate.cli("accounts", "list", "--json"))
        assert listed[0]["state"] == "broken"
        page = ConnectBrowser().connect(link_in(text_of(refused)), "alice")
        assert "Connected" in page.text
        assert text_of(await said_to(made, "alice")) == "alice via lockgate"
        assert "eyJ" not in made.gate.log


async def test_eight_workers_renew_an_account_once(tmp_path: Path) -> None:
    """The provider rotates refresh tokens, and ends the grant where an old one comes again."""
    with house(tmp_path, {"mode": "account"}, workers=8, accessTokenSeconds=31) as made:
        link = link_in(text_of(await said_to(made, "alice")))
        assert "Connected" in ConnectBrowser().connect(link, "alice").text
        for _ in range(2):
            wait_until_old(made)
            said = await asyncio.gather(*(said_to(made, "alice") for _ in range(24)))
            assert {text_of(one) for one in said} == {"alice via lockgate"}
        grants = [one for one in made.provider.log("token") if one.get("error")]
        assert grants == []


async def test_a_leaver_s_account_is_ended_at_the_provider_and_gone_from_the_store(
    tmp_path: Path,
) -> None:
    """By SCIM, over several workers: one of them does it, once."""
    people = {"scim_secrets": "env:SCIM_SECRET"}
    with (
        house(tmp_path, {"mode": "account"}, workers=3, people=people) as made,
        provider(made.gate) as idp,
    ):
        ids = {name: await asyncio.to_thread(make, idp, name) for name in ("alice", "bob")}
        for name in ids:
            link = link_in(text_of(await known(made, name)))
            assert "Connected" in ConnectBrowser().connect(link, name).text
            assert text_of(await known(made, name)) == f"{name} via lockgate"
        await asyncio.to_thread(deactivate, idp, ids["alice"])

        def left() -> list[str]:
            return [
                one["principal"] for one in json.loads(made.gate.cli("accounts", "list", "--json"))
            ]

        until(lambda: left() == ["person:bob"], 30)
        ended = [row for row in made.gate.rows(kind="admin.changed")
                 if row.header["action"] == "account.disconnect"]  # fmt: skip
        assert [row.header["revoked"] for row in ended] == ["done"]
        assert ended[0].slots["subject"] == {"subject": "person:alice"}
        assert len(made.provider.log("revocation")) == 1
        assert text_of(await said_to(made, "bob")) == "bob via lockgate"
        await asyncio.to_thread(idp.delete, f"/Users/{ids['bob']}")
        until(lambda: left() == [], 30)
        assert len(made.provider.log("revocation")) == 2
        assert "Traceback" not in made.gate.log


async def known(made: House, who: str) -> Said:
    """Workers that were not told know of a person soon after the one that was."""
    async with asyncio.timeout(10):
        while (said := await said_to(made, who)).reason == "auth.inactive":
            pass
    return said


def wait_until_old(made: House) -> None:
    """Until the access token is too old to be used, as the listing tells its end."""
    (one,) = json.loads(made.gate.cli("accounts", "list", "--json"))
    ends = datetime.fromisoformat(one["expires"]).timestamp() - MARGIN_SECONDS
    until(lambda: time.time() > ends + 1, 40)


async def test_an_upstream_that_demands_certificates_sees_the_gateway_s(tmp_path: Path) -> None:
    """Beside a token: both are checked, by a server on the public SDK."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    for name, who in (("server.pem", "127.0.0.1"), ("gate.pem", "gate.example")):
        issued = authority.issue_cert(who)
        issued.private_key_and_cert_chain_pem.write_to_path(tmp_path / name)
    own, ca = str(tmp_path / "server.pem"), str(tmp_path / "ca.pem")
    with (
        running_provider() as provider,
        guarded_server(provider.issuer, own, ca) as upstream,
    ):
        credential = {"mode": "client_credentials", "issuer": provider.issuer,
                      "client": {"id": ROBOT, "secret": "env:GATE_SECRET"}}  # fmt: skip
        both = {"url": upstream, "credential": {**credential, "scopes": ["mcp:tools"]}}
        trusted = {"authorities": "ca.pem"}
        gate = Gateway(
            tmp_path / "gate",
            {"guarded": {**both, "tls": {**trusted, "certificate": "gate.pem"}},
             "bare": {**both, "tls": trusted}},
            fetch={"internal": [provider.issuer]},
        )  # fmt: skip
        for name in ("ca.pem", "gate.pem"):
            shutil.copy(tmp_path / name, gate.folder / name)
        gate.environment["GATE_SECRET"] = provider.secret_of(ROBOT)
        key = gate.key("alice")
        with gate:
            async with http_client() as http:
                said = await McpClient(http, f"{gate.url}/guarded", key).call("whoami")
                bare = await McpClient(http, f"{gate.url}/bare", key).call("whoami")
    assert text_of(said) == "robot via robot"
    assert bare.result["isError"] is True
