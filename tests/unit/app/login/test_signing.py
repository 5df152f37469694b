from pathlib import Path

import msgspec
import pytest
from pyreqwest.http import Url

from lockgate.app.login.fetching import fetch
from lockgate.app.login.grant import Grant, GrantRefused, Wanted
from lockgate.app.login.signing import Order, sign_in, sign_out, state_of
from lockgate.app.login.store import InsecureFile
from lockgate.control_plane.services.refused import Refused
from lockgate.model.fetch import FetchFailed
from support.authorization_server import Scripted, scripted


def described(server: Scripted, scopes: tuple[str, ...] = ()) -> Order:
    server.describe(scopes_supported=list(scopes))
    server.documents["/.well-known/oauth-protected-resource/mcp"] = {
        "resource": f"{server.base}/mcp", "authorization_servers": [server.base],
        "scopes_supported": ["mcp:tools"],
    }  # fmt: skip
    return Order(Url(f"{server.base}/mcp/clinic"), "cli")


async def test_what_is_granted_is_kept_under_the_gateway(tmp_path: Path) -> None:
    asked: list[Wanted] = []
    async with scripted() as server:

        async def flow(wanted: Wanted) -> Grant:
            asked.append(wanted)
            return server.grant()

        store = InsecureFile(tmp_path / "login.json")
        order = described(server, ("openid", "offline_access", "email"))
        assert await sign_in(order, flow, store, fetch) == server.grant()
        assert store.get(f"{server.base}/mcp") == server.grant()
        await sign_in(Order(order.url), flow, store, fetch)
    assert [w.client_id for w in asked] == ["cli", "cli"], "the last one's, if none is given"
    assert asked[0].scope == "openid offline_access mcp:tools"
    assert asked[0].gateway == f"{server.base}/mcp"


async def test_what_goes_wrong_is_one_sentence_and_keeps_nothing(tmp_path: Path) -> None:
    store = InsecureFile(tmp_path / "login.json")
    async with scripted() as server:
        order = described(server)

        def raising(error: Exception) -> None:
            async def flow(wanted: Wanted) -> Grant:
                raise error

            flows.append(flow)

        flows: list[object] = []
        for error in (GrantRefused("invalid_client"), FetchFailed("it is down")):
            raising(error)
        for flow, why in zip(flows, ("invalid_client", "it is down"), strict=True):
            with pytest.raises(Refused, match=why):
                await sign_in(order, flow, store, fetch)  # type: ignore[arg-type]
        with pytest.raises(Refused, match="No client id"):
            await sign_in(Order(order.url), flows[0], store, fetch)  # type: ignore[arg-type]
        assert store.get(f"{server.base}/mcp") is None


async def test_signing_out_revokes_and_forgets_in_any_case(tmp_path: Path) -> None:
    store = InsecureFile(tmp_path / "login.json")
    async with scripted() as server:
        name = f"{server.base}/mcp"
        assert await sign_out(name, store, fetch) is None
        for status, revoked in ((200, True), (503, False)):
            server.answer("/revoke", status, {})
            store.put(server.grant())
            done = await sign_out(name, store, fetch)
            assert done == (server.grant(), revoked)
            assert store.get(name) is None
        grant = server.grant()
        store.put(grant)
    assert await sign_out(name, store, fetch) == (grant, False), "nobody answers"
    assert store.get(name) is None


def test_what_a_login_is_worth() -> None:
    grant = Scripted().grant()
    assert state_of(grant, 99.0) == "active"
    assert state_of(grant, 100.0) == "renewable"
    assert state_of(msgspec.structs.replace(grant, refresh_token=""), 100.0) == "expired"
    assert state_of(msgspec.structs.replace(grant, expires=0.0), 1e9) == "active"
