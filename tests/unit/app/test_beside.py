"""The paths beside ``/mcp`` are served by a whole gateway; what each says is its own test's."""

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lockgate.app.beside import logouts_of, stands_of
from lockgate.app.identities import issuers_of, reach_of
from lockgate.app.logout import PATH as LOGOUT
from lockgate.app.protected_resource import WELL_KNOWN
from lockgate.app.server import opened
from lockgate.app.settings import Settings
from lockgate.app.settings_file import load
from lockgate.app.stamps import now_ms
from lockgate.app.stores import open_stores
from lockgate.app.wiring import Plant
from lockgate.approval.payload import read_stored, stored
from lockgate.identity.logout_token import EVENT
from lockgate.model.console import ConsoleSession
from lockgate.model.key import KeyRecord
from lockgate.store.console_sessions import StoredConsoleSessions
from support.asgi import Visit
from support.house import EDGE, HOST, House
from support.staged import PERMIT_ALL
from support.tokens import OwnIssuer
from worlds import call

BOUND = "127.0.0.1:8765"


async def test_each_has_its_path(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "a.cedar").write_text(PERMIT_ALL)
    place = tmp_path / "lockgate.yaml"
    place.write_text("issuers: {corp: {url: 'https://issuer.example'}}\n")
    async with opened(place, load(place), BOUND) as running:
        told = []
        for verb, path in (("GET", WELL_KNOWN), ("GET", f"{WELL_KNOWN}/mcp"), ("POST", LOGOUT)):
            visit = Visit(verb, path, {"host": BOUND}, b"")
            await running.ingress(visit.scope, visit.receive, visit.send)
            told.append(visit.status)
    assert told == [200, 200, 400]


async def test_pages_for_browsers_are_no_way_around_bounds_and_proxies() -> None:
    async def pages(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": (await receive())["body"]})

    house = House(msgspec.structs.replace(EDGE, console="https://console.example"))
    house.ingress.pages = pages
    for headers, body, status in (
        ({"host": HOST}, b"a=1", 200),
        ({"host": "console.example"}, b"a=1", 200),
        ({"host": "evil.example"}, b"", 421),
        ({"host": HOST, "x-forwarded-client-cert": 'Cert="x"'}, b"", 400),
        ({"host": HOST}, b"x" * 70_000, 413),
    ):
        visit = Visit("POST", "/connect/consent", headers, body)
        assert (await house.take(visit)).status == status


@pytest.mark.parametrize("listed", [True, False])
async def test_a_logout_ends_browser_sessions_and_tokens_where_they_are_of_one_issuer(
    tmp_path: Path, listed: bool
) -> None:
    """``listed``: whether access tokens of the console's issuer count at all."""
    async with OwnIssuer().serving() as own:
        console = {"issuer": own.url, "origin": "https://gate.example"}
        issuers = {"corp": {"url": own.url}} if listed else {}
        settings = Settings.model_validate({"console": console, "issuers": issuers})
        plant = Plant(open_stores(tmp_path / "data"), settings)
        try:
            plant.identities.replace(issuers_of(settings, str), reach_of(settings))
            sessions, now = StoredConsoleSessions(plant.stores.engine), int(time.time())
            later = 1_000 * (now + 60)
            sessions.put(ConsoleSession("h", "oidc:alice", "Alice", "", "", 0, 0, later), 0)
            token = own.token({"typ": "logout+jwt"}, aud="lockgate", events={EVENT: {}}, iat=now)
            await logouts_of(plant, own.url).take(token, "192.0.2.1")
            assert sessions.find("h") is None
            assert (plant.revocations.find("subject", own.url, "alice") is not None) is listed
        finally:
            await plant.close()
            plant.stores.engine.dispose()


async def test_whoever_asked_must_be_let_in_still(tmp_path: Path) -> None:
    plant, asked = Plant(open_stores(tmp_path / "data"), Settings()), now_ms()
    held = read_stored(stored(call("delete_patient")))
    key = KeyRecord("k1", "personal", "alice", "alice", frozenset(), "desk", "h" * 64, asked,
                    asked + 60_000)  # fmt: skip
    try:
        plant.stores.keys.add(key)
        plant.refresh(now_ms())
        assert stands_of(plant)(held, asked)
        plant.stores.keys.revoke("k1", now_ms())
        plant.refresh(now_ms())
        assert not stands_of(plant)(held, asked)
    finally:
        await plant.close()
        plant.stores.engine.dispose()
