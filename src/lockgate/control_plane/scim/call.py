"""One SCIM request, read, and what is answered to it."""

from collections.abc import Mapping
from typing import Any

from scim2_models import (
    BaseModel,
    Context,
    Error,
    InvalidSyntaxException,
    InvalidValueException,
    ResponseParameters,
    SCIMException,
)
from starlette.requests import Request
from starlette.responses import Response

from lockgate.model import Json
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.strict_json import Limits, check

PREFIX = "/scim/v2"
MEDIA_TYPE = "application/scim+json"
LONGEST_EXPRESSION = 2_000
"""Characters of a filter or a path. Reading one takes longer the longer it is."""
MOST_OPERATIONS = 1_000
"""In one PATCH."""
_SHALLOW = Limits(depth=16)
_EXPRESSIONS = ("filter", "path", "sortby", "attributes", "excludedattributes")


class NoSuchMethod(SCIMException):
    status = 405
    _default_detail = "This resource does not take this method"


class Call:
    """One request, read. Blocks: for a thread that may wait."""

    def __init__(self, request: Request, body: bytes) -> None:
        self.method = request.method
        self.id: str = request.path_params.get("id", "")
        self.base = f"{request.url.scheme}://{request.headers['host']}{PREFIX}"
        self.query: Mapping[str, str] = request.query_params
        self._body = body

    def json(self) -> Json:
        try:
            return bounded(check(self._body, _SHALLOW))
        except WireRefusal as refused:
            raise InvalidSyntaxException(detail=str(refused.reason)) from refused

    def asked(self, *names: str) -> dict[str, Json]:
        """Those query parameters, in whatever case they are spelled (RFC 7644, 3.4.2)."""
        wanted = {name.lower(): name for name in names}
        sent = {wanted.get(name.lower(), ""): value for name, value in self.query.items()}
        found: dict[str, Json] = {name: value for name, value in sent.items() if name}
        bounded(found)
        return found


def bounded(said: Json) -> Json:
    """``said``, where nothing in it takes long to read. Raises ``InvalidValueException``."""
    if isinstance(said, list):
        for one in said:
            bounded(one)
    if isinstance(said, dict):
        for name, value in said.items():
            _check_length(name.lower(), value)
            bounded(value)
    return said


def _check_length(name: str, value: Json) -> None:
    if name in _EXPRESSIONS and isinstance(value, str) and len(value) > LONGEST_EXPRESSION:
        raise InvalidValueException(detail=f"{name} is longer than {LONGEST_EXPRESSION} characters")
    if name == "operations" and isinstance(value, list) and len(value) > MOST_OPERATIONS:
        raise InvalidValueException(detail=f"more than {MOST_OPERATIONS} operations")


def whole(
    shown: BaseModel, ctx: Context, chosen: ResponseParameters[Any] | None = None, status: int = 200
) -> Response:
    text = shown.model_dump_json(scim_ctx=ctx, response_parameters=chosen)
    return Response(text, status, media_type=MEDIA_TYPE)


def failed(error: Error) -> Response:
    """RFC 7644, 3.12."""
    return Response(error.model_dump_json(), error.status or 500, media_type=MEDIA_TYPE)
