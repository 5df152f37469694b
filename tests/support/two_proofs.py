"""A gate where keys and a real provider's tokens speak of the same people, and who sends both."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from joserfc.jwk import ECKey
from pyreqwest.client import ClientBuilder

from support.client import McpClient, Said
from support.gateway import Gateway, child
from support.oidc_provider import Provider

HEADER = "lockgate-key"
POLICY = """
@id("ward")
permit (principal in Role::"doctors", action, resource in Upstream::"ward")
when { principal.authn.containsAll(["api_key", "oauth"]) };
@id("office")
permit (principal, action, resource in Upstream::"office")
when { principal.scopes.contains("mcp:admin") };
@id("open")
permit (principal, action, resource in Upstream::"open") when { principal.scopes.isEmpty() };
"""
"""The ward takes two proofs, and a role; the office takes a scope; and whoever has no scope at all
is believed to be unrestricted: a mistake, but one that nobody may profit from."""


class Desk:
    def __init__(self, gate: Gateway, provider: Provider) -> None:
        self.gate, self.provider = gate, provider
        self.keys: dict[str, str] = {}

    def token(self, who: str, scope: str = "openid mcp:tools", dpop: ECKey | None = None) -> str:
        sent = self.provider.token(who, resource=self.gate.url, scope=scope, dpop=dpop)
        return sent.access_token

    async def send(self, token: str, key: str = "", scheme: str = "Bearer", **more: str) -> Said:
        beside = {HEADER: key} if key else {}
        headers = {"authorization": f"{scheme} {token}", **beside, **more}
        async with ClientBuilder().build() as http:
            return await McpClient(http, self.gate.url, "").modern("tools/list", headers=headers)

    async def sees(self, token: str, key: str = "") -> set[str]:
        """The upstreams whose tools are listed."""
        said = await self.send(token, key)
        assert said.status == 200, said.text
        return {str(tool["name"]).partition("__")[0] for tool in said.result["tools"]}

    async def refused(self, token: str, key: str) -> str:
        said = await self.send(token, key)
        assert said.status in (400, 401, 429), said.text
        assert token not in said.text
        assert key not in said.text
        return said.reason


@contextmanager
def desk(folder: Path, provider: Provider, keys: Mapping[str, str]) -> Iterator[Desk]:
    """``keys``: by a name, the words that follow ``lockgate keys create``."""
    upstreams = {name: child("modern") for name in ("ward", "office", "open")}
    issuers = {"corp": {"url": provider.issuer, "namespace": ""}}
    gate = Gateway(folder, upstreams, POLICY, issuers=issuers)
    made = Desk(gate, provider)
    for name, words in keys.items():
        said = gate.cli("keys", "create", "--expires", "9d", *words.split())
        made.keys[name] = said.split()[0]
    with gate:
        yield made
        assert "Traceback" not in gate.log
