"""A person's own token becomes one for an upstream, by real providers, and a real server takes it.

In one process but for these: the gateway's connector, credentials and fetcher, with tokens held in
memory; and once through a whole gateway, with the token that each person sends."""

import json
from pathlib import Path
from typing import Any

import pytest
from pyreqwest.client import ClientBuilder

from lockgate.model import SendFailed, Terms, Upstream
from lockgate.model.call import Envelope
from lockgate.upstream.connect import Connector
from lockgate.upstream.credential import Credential, Mode
from lockgate.upstream.credentials import Credentials
from lockgate.upstream.fetch import Fetcher, Reach
from lockgate.upstream.oauth_servers import OAuthServers
from lockgate.upstream.oauth_token import OAuthClient
from lockgate.upstream.rfc8693_exchange import ID_TOKEN, SubjectToken
from lockgate.upstream.sources import Exchange, IdJag
from lockgate.upstream.target import HttpTarget, Registered
from support.client import McpClient
from support.exchanging import CLIENT, SECRET, Exchanging, running_exchange
from support.gateway import Gateway
from support.guarded_house import guarded_server, origin
from support.oauth_upstream import ALICE, BOB, HeldSubjects, Ticking

pytestmark = [pytest.mark.e2e, pytest.mark.node]
US = OAuthClient(CLIENT, SECRET)


class Gate:
    """As the gateway's worker puts it together."""

    def __init__(self, upstream: str, mode: Mode, servers: list[Exchanging]) -> None:
        internal = frozenset({origin(upstream), *(one.issuer for one in servers)})
        ticking = Ticking()
        known = OAuthServers(Fetcher(lambda: Reach(internal=internal)), ticking.clock)
        self.subjects = HeldSubjects()
        sources: Any = {
            "exchange": Exchange(known, self.subjects), "id_jag": IdJag(known, self.subjects)
        }  # fmt: skip
        credentials = Credentials(sources, lambda: ticking.now)
        self.connector = Connector(bearer=credentials.bearer)
        credential = Credential(
            mode, servers[-1].issuer, US, ("mcp:tools",), idp_issuer=servers[0].issuer,
            idp_client=US, subject_type=ID_TOKEN,
        )  # fmt: skip
        target = HttpTarget(upstream, {}, credential)
        self.upstream = Registered(Upstream("guarded", fingerprint="1"), target)

    async def whoami(self, who: str) -> str:
        link = await self.connector(self.upstream, Terms(who))
        try:
            params = json.dumps({"name": "whoami", "arguments": {}}).encode()
            said = await link.request("tools/call", params, envelope=Envelope("modern"))
            return str(json.loads(said.raw)["content"][0]["text"])
        finally:
            await link.close()

    async def refused(self, who: str) -> SendFailed:
        with pytest.raises(SendFailed) as failed:
            await self.whoami(who)
        return failed.value


async def test_a_token_is_exchanged_for_the_person_who_calls() -> None:
    with running_exchange() as server, guarded_server(server.issuer) as upstream:
        gate = Gate(upstream, "exchange", [server])
        gate.subjects.hold(ALICE, SubjectToken(server.id_token("alice"), ID_TOKEN))
        assert await gate.whoami(ALICE) == "alice via gateway"
        assert (await gate.refused(BOB)).reason == "upstream.credential"
        gate.subjects.hold(BOB, SubjectToken(server.id_token("bob"), ID_TOKEN))
        assert await gate.whoami(BOB) == "bob via gateway"
        await gate.connector.close()


async def test_an_id_jag_of_the_company_opens_the_upstream() -> None:
    with (
        running_exchange() as idp,
        running_exchange(trusts=idp.issuer) as server,
        guarded_server(server.issuer) as upstream,
    ):
        gate = Gate(upstream, "id_jag", [idp, server])
        gate.subjects.hold(ALICE, SubjectToken(idp.id_token("alice"), ID_TOKEN))
        assert await gate.whoami(ALICE) == "alice via gateway"
        gate.subjects.hold(BOB, SubjectToken(server.id_token("bob"), ID_TOKEN))
        failed = await gate.refused(BOB)  # his token is not the company's
        assert (failed.reason, "invalid_grant" in failed.detail) == ("upstream.credential", True)
        await gate.connector.close()


async def test_what_a_person_shows_the_gateway_becomes_their_own_token_for_the_upstream(
    tmp_path: Path,
) -> None:
    with running_exchange() as server, guarded_server(server.issuer) as upstream:
        credential = {
            "mode": "exchange", "issuer": server.issuer, "scopes": ["mcp:tools"],
            "client": {"id": CLIENT, "secret": "env:GATE_SECRET"},
            "subject_token": "access_token",
        }  # fmt: skip
        gate = Gateway(
            tmp_path, {"guarded": {"url": upstream, "credential": credential}},
            issuers={"corp": {"url": server.issuer, "namespace": ""}},
            fetch={"internal": [server.issuer, origin(upstream)]},
        )  # fmt: skip
        gate.environment["GATE_SECRET"] = SECRET
        key = gate.key("carol")
        with gate:
            async with ClientBuilder().build() as http:
                place = f"{gate.base}/mcp/guarded"
                for who in ("alice", "bob"):
                    shown = server.access_token(who, f"{gate.base}/mcp")
                    said = await McpClient(http, place, shown).call("whoami")
                    assert said.result["content"][0]["text"] == f"{who} via gateway"
                refused = await McpClient(http, place, key).call("whoami")
                assert refused.result["isError"], "a key is no token that could be exchanged"
