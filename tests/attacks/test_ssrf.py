"""Addresses that others write, so that the gate asks what only it can reach (SSRF; MCP 2026-07-28,
Security Best Practices): in tokens, in metadata of issuers and upstreams, and in redirects.

``inner`` stands for what is only reached from the gate's own machine. Nothing may come to it.
"""

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from support.client import McpClient, Said, http_client
from support.gateway import Gateway, child
from support.paper_server import Paper, PaperServer
from support.tokens import OwnIssuer

pytestmark = pytest.mark.e2e

METADATA = "/.well-known/openid-configuration"
RESOURCE = "/.well-known/oauth-protected-resource"
AWAY = (301, 302, 303, 307, 308)


class World:
    def __init__(self, folder: Path, evil: PaperServer, inner: PaperServer) -> None:
        self.evil, self.inner, self.own = evil, inner, OwnIssuer()
        self.keys = {"keys": [key.as_dict(private=False) for key in self.own.keys]}
        file = folder / "keys.json"
        file.write_text(json.dumps(self.keys))
        self.own.url = "https://offline.example"
        self.offline = {"offline": {"url": self.own.url, "keys_file": str(file)}}
        self.gate = Gateway(folder, {"echo": child("modern")}, issuers=self.offline)

    def trust(self, *paths: str, **more: Any) -> None:
        """Issuers of the evil server, by their paths."""
        named = {path: {"url": f"{self.evil.url}/{path}", **more} for path in paths}
        self.gate.write_config(issuers=self.offline | named)

    def redirect(self, status: int, path: str = "") -> Paper:
        return Paper(status=status, headers={"location": f"{self.inner.url}{path}"})

    def token(self, header: dict[str, Any] | None = None, **changes: Any) -> str:
        now = int(time.time())
        usual = {"aud": self.gate.url, "iat": now, "exp": now + 60}
        return self.own.token(header, **{**usual, **changes})

    def of(self, path: str) -> str:
        """A token in the name of the evil server's issuer at this path."""
        return self.token(iss=f"{self.evil.url}/{path}")

    async def send(self, token: str, at: str = "") -> Said:
        async with http_client() as http:
            return await McpClient(http, self.gate.url + at, token).modern("tools/list")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with PaperServer() as evil, PaperServer() as inner:
        made = World(tmp_path, evil, inner)
        yield made
        assert not inner.reached
        assert "Traceback" not in made.gate.log


async def test_ssrf_by_cimd(world: World) -> None:
    """A client whose id is the URL of a document about it (Client ID Metadata Document): the gate
    is no authorization server, and reads none."""
    place = f"{world.inner.url}/client.json"
    async with world.gate:
        for claim in ("client_id", "azp", "jwks_uri", "logo_uri", "sub", "act"):
            changes: dict[str, Any] = {claim: {"sub": place} if claim == "act" else place}
            said = await world.send(world.token(**changes))
            assert said.status == 200, said.text
        found = world.gate.rows(kind="call.intent")[0]
        assert found.slots["actor"]["agent"] == place, "it is a name, and nothing else"


async def test_ssrf_by_a_token_that_says_where_its_key_is(world: World) -> None:
    async with world.gate:
        for name in ("jku", "x5u"):
            said = await world.send(world.token({name: f"{world.inner.url}/keys", "kid": "x"}))
            assert said.reason == "auth.invalid"
        for issuer in (world.inner.url, f"{world.own.url}@{world.inner.url[7:]}"):
            assert (await world.send(world.token(iss=issuer))).reason == "auth.invalid"


async def test_ssrf_by_metadata_url(world: World) -> None:
    """An issuer that is trusted to name people sends us elsewhere for its keys."""
    evil, port = world.evil, world.inner.url.rpartition(":")[2]
    places = {
        "plain": f"{world.inner.url}/keys",
        "localhost": f"http://localhost:{port}/keys",
        "number": f"http://2130706433:{port}/keys",
        "mapped": f"http://[::ffff:127.0.0.1]:{port}/keys",
        "user": f"{evil.url}@127.0.0.1:{port}/keys",
        "tls": f"https://127.0.0.1:{port}/keys",
        "cloud": "http://169.254.169.254/latest/meta-data/",
        "file": "file:///etc/passwd",
    }
    for name, place in places.items():
        document = {"issuer": f"{evil.url}/{name}", "jwks_uri": place}
        evil.pages[f"{METADATA}/{name}"] = Paper(document)
    good = {"issuer": f"{evil.url}/good", "jwks_uri": f"{evil.url}/keys"}
    evil.pages[f"{METADATA}/good"], evil.pages["/keys"] = Paper(good), Paper(world.keys)
    world.inner.pages["/keys"] = Paper(world.keys)
    world.trust("good", *places)
    async with world.gate:
        assert (await world.send(world.of("good"))).status == 200, "it is asked"
        for name in places:
            assert (await world.send(world.of(name))).reason == "auth.unknown", name


async def test_ssrf_by_redirect(world: World) -> None:
    evil = world.evil
    for status in AWAY:
        evil.pages[f"{METADATA}/m{status}"] = world.redirect(status)
        document = {"issuer": f"{evil.url}/k{status}", "jwks_uri": f"{evil.url}/keys{status}"}
        evil.pages[f"{METADATA}/k{status}"] = Paper(document)
        evil.pages[f"/keys{status}"] = world.redirect(status, "/keys")
    world.inner.pages["/keys"] = Paper(world.keys)
    names = [f"{kind}{status}" for kind in "mk" for status in AWAY]
    world.trust(*names)
    async with world.gate:
        for name in names:
            assert (await world.send(world.of(name))).reason == "auth.unknown", name
    assert {one.path for one in evil.asked} >= {f"/keys{status}" for status in AWAY}


async def test_ssrf_by_redirect_of_a_question_about_a_token(world: World) -> None:
    """It would show somebody's token, and our secret, to whoever is there."""
    world.evil.pages["/introspect"] = world.redirect(307, "/introspect")
    active = {"active": True, "iss": f"{world.evil.url}/i", "sub": "alice", "aud": "x"}
    world.inner.pages["/introspect"] = Paper(active)
    asked = {"url": f"{world.evil.url}/introspect", "client": "gate", "secret": "env:SECRET"}
    world.gate.environment["SECRET"] = "s" * 40
    world.trust("i", introspection=asked)
    async with world.gate:
        assert (await world.send("opaque-token")).reason == "auth.unknown"
    assert [one.path for one in world.evil.asked] == ["/introspect"]


async def test_ssrf_by_an_upstream_that_wants_a_token(world: World) -> None:
    """In its challenge, in its metadata, as the token endpoint of its authorization server, and by
    redirects at each step."""
    evil, inner = world.evil, world.inner.url
    challenge = {"www-authenticate": f'Bearer resource_metadata="{inner}/resource"'}
    evil.pages["/challenge"] = Paper(status=401, headers=challenge)
    for name, server in (("server", inner), ("endpoint", f"{evil.url}/as")):
        document = {"resource": f"{evil.url}/{name}", "authorization_servers": [server]}
        evil.pages[f"/{name}"] = Paper(status=401)
        evil.pages[f"{RESOURCE}/{name}"] = Paper(document)
    evil.pages["/.well-known/oauth-authorization-server/as"] = Paper(
        {"issuer": f"{evil.url}/as", "token_endpoint": f"{inner}/token",
         "token_endpoint_auth_methods_supported": ["client_secret_basic"]}
    )  # fmt: skip
    evil.pages["/away"] = world.redirect(307)
    evil.pages[f"{RESOURCE}/away"] = world.redirect(302)
    credential = {"mode": "client_credentials", "client": {"id": "gate", "secret": "env:SECRET"}}
    world.gate.environment["SECRET"] = "s" * 40
    names = ("challenge", "server", "endpoint", "away")
    world.gate.write_config(
        fetch={"internal": [evil.url]},
        upstreams={one: {"url": f"{evil.url}/{one}", "credential": credential} for one in names},
    )
    async with world.gate:
        for name in names:
            said = await world.send(world.token(), f"/{name}")
            assert said.reason == "upstream.credential", said.text
    assert {one.path for one in evil.asked} >= {f"/{name}" for name in names}
