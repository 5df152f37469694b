"""The API's description (OpenAPI 3.1), made from the same table and types as the API itself."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from lockgate.control_plane.console.api import API, OPERATIONS, TOKEN, Operation
from lockgate.control_plane.console.api_types import Nothing
from lockgate.control_plane.console.pages import SESSION
from lockgate.control_plane.console.problems import MEDIA_TYPE, Problem
from lockgate.control_plane.services.duties import PAGES

PATH = f"{API}/openapi.json"
_REF = "#/components/schemas/{name}"
_PROBLEMS = {
    400: "The request cannot be understood.",
    401: "Nobody is signed in.",
    403: "The visitor holds none of the roles that it takes, or it was refused.",
    404: "There is no such thing.",
    409: "The visitor's roles have changed, and with them the session's id: ask again.",
    503: "The gateway cannot answer now. Nothing was done.",
}


def document() -> dict[str, Any]:
    answers = [one.answer for one in OPERATIONS]
    bodies = [one.body for one in OPERATIONS]
    _, schemas = msgspec.json.schema_components(
        [*answers, *bodies, Problem, Nothing], ref_template=_REF
    )
    paths: dict[str, dict[str, Any]] = {}
    for one in OPERATIONS:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Lockgate's console", "version": "1",
            "description": "What the console's pages show, for programs. Times are in milliseconds "
            "since the Unix epoch.",
        },
        "servers": [{"url": API}],
        "security": [{"session": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": SESSION},
                "token": {"type": "apiKey", "in": "header", "name": TOKEN},
            },
        },
    }  # fmt: skip


async def answer(_: Request) -> Response:
    return Response(_DOCUMENT, media_type="application/json")


def _operation(one: Operation) -> dict[str, Any]:
    said: dict[str, Any] = {
        "operationId": one.work.__name__,
        "summary": one.summary,
        "x-lockgate-roles": list(PAGES[one.place].roles),
        "parameters": [*_in_path(one.path), *_in_query(one.query)],
        "responses": {"200": _answered("Done.", one.answer, "application/json"), **_problems()},
    }
    if one.method == "POST":
        said["security"] = [{"session": [], "token": []}]
        content = {"application/json": {"schema": _schema(one.body)}}
        said["requestBody"] = {"required": one.body is not Nothing, "content": content}
    return said


def _in_path(path: str) -> Iterator[dict[str, Any]]:
    for part in path.split("/"):
        if part.startswith("{"):
            name = part.strip("{}")
            yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _in_query(kind: type[Any]) -> Iterator[dict[str, Any]]:
    _, parts = msgspec.json.schema_components([kind], ref_template=_REF)
    properties: Mapping[str, Any] = parts[kind.__name__]["properties"]
    for name, schema in properties.items():
        plain = {key: value for key, value in schema.items() if key != "description"}
        yield {"name": name, "in": "query", "required": False,
               "description": schema.get("description", ""), "schema": plain}  # fmt: skip


def _problems() -> dict[str, Any]:
    return {str(code): _answered(text, Problem, MEDIA_TYPE) for code, text in _PROBLEMS.items()}


def _answered(text: str, kind: type[Any], media: str) -> dict[str, Any]:
    return {"description": text, "content": {media: {"schema": _schema(kind)}}}


def _schema(kind: type[Any]) -> dict[str, str]:
    return {"$ref": _REF.format(name=kind.__name__)}


_DOCUMENT = msgspec.json.encode(document())
