"""The paths beside ``/mcp`` are served by a whole gateway; what each says is its own test's."""

from pathlib import Path
from typing import Any

from lockgate.app.logout import PATH as LOGOUT
from lockgate.app.protected_resource import WELL_KNOWN
from lockgate.app.server import opened
from lockgate.app.settings_file import load
from support.asgi import Visit
from support.house import HOST, House
from support.staged import PERMIT_ALL

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

    house = House()
    house.ingress.pages = pages
    for headers, body, status in (
        ({"host": HOST}, b"a=1", 200),
        ({"host": "evil.example"}, b"", 421),
        ({"host": HOST, "x-forwarded-client-cert": 'Cert="x"'}, b"", 400),
        ({"host": HOST}, b"x" * 70_000, 413),
    ):
        visit = Visit("POST", "/connect/consent", headers, body)
        assert (await house.take(visit)).status == status
