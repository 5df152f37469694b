"""The paths beside ``/mcp`` are served by a whole gateway; what each says is its own test's."""

from pathlib import Path

from lockgate.app.logout import PATH as LOGOUT
from lockgate.app.protected_resource import WELL_KNOWN
from lockgate.app.server import opened
from lockgate.app.settings_file import load
from support.asgi import Visit
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
