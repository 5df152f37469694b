"""Style, scripts and pictures: ours, out of the package, under names that change with what is in
them. So a browser may keep each for good, and a newer page is never shown in an older style."""

import hashlib
from collections.abc import Mapping
from importlib.resources import files

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

PATH = "/console/static/{name}"
FOR_GOOD = "public, max-age=31536000, immutable"
_KINDS = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class Asset(msgspec.Struct, frozen=True):
    href: str
    kind: str
    body: bytes


def href(name: str) -> str:
    """Where a browser finds it. Raises ``KeyError``."""
    return ASSETS[name].href


async def answer(request: Request) -> Response:
    found = _BY_PATH.get(request.url.path)
    if found is None:
        raise HTTPException(404)
    return Response(found.body, headers={"content-type": found.kind, "cache-control": FOR_GOOD})


def _found() -> Mapping[str, Asset]:
    assets = {}
    for place in files("lockgate.control_plane.console").joinpath("static").iterdir():
        stem, dot, ending = place.name.rpartition(".")
        if dot + ending in _KINDS:
            body = place.read_bytes()
            mark = hashlib.sha256(body).hexdigest()[:16]
            there = PATH.format(name=f"{stem}.{mark}{dot}{ending}")
            assets[place.name] = Asset(there, _KINDS[dot + ending], body)
    return assets


ASSETS = _found()
"""By file name."""
_BY_PATH = {one.href: one for one in ASSETS.values()}
