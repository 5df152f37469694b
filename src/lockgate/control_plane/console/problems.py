"""What went wrong, for programs (RFC 9457)."""

from http import HTTPStatus

import msgspec
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"


class Problem(msgspec.Struct, frozen=True):
    """RFC 9457. ``type`` is about:blank: the status says what kind of problem it is."""

    title: str
    """The status in words."""
    status: int
    detail: str = ""
    """What is wrong here, and what can be done."""
    type: str = "about:blank"


class BadRequest(Exception):
    """A request that cannot be understood; says why."""


def problem(status: int, *detail: str) -> Response:
    said = Problem(HTTPStatus(status).phrase, status, " ".join(filter(None, detail)))
    return Response(msgspec.json.encode(said), status, media_type=MEDIA_TYPE)
