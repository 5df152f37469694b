"""What the service says of itself (RFC 7644, 4)."""

from collections.abc import Callable
from typing import Any

from scim2_models import (
    Context,
    ListResponse,
    NotFoundException,
    Resource,
    ResourceType,
    Schema,
)
from starlette.responses import Response

from lockgate.control_plane.scim.call import Call, NoSuchMethod, whole
from lockgate.control_plane.scim.resources import CONFIG, PROVIDER


def _config(call: Call) -> Response:
    return _told(call, CONFIG)


def _resource_types(call: Call) -> Response:
    return _told_all(call, ResourceType, PROVIDER.resource_types)


def _resource_type(call: Call) -> Response:
    return _told(call, next((t for t in PROVIDER.resource_types if t.id == call.id), None))


def _schemas(call: Call) -> Response:
    return _told_all(call, Schema, PROVIDER.schemas)


def _schema(call: Call) -> Response:
    return _told(call, next((s for s in PROVIDER.schemas if s.id == call.id), None))


def _nothing(_: Call) -> Response:
    raise NotFoundException(detail="There is no such resource")


ANSWERS: dict[str, Callable[[Call], Response]] = {
    "/ServiceProviderConfig": _config,
    "/ResourceTypes": _resource_types,
    "/ResourceTypes/{id}": _resource_type,
    "/Schemas": _schemas,
    "/Schemas/{id}": _schema,
    "/{rest:path}": _nothing,
}
"""In this order: the last takes everything."""


def _told(call: Call, shown: Resource[Any] | None) -> Response:
    if call.method != "GET":
        raise NoSuchMethod
    if shown is None:
        raise NotFoundException(detail="There is nothing of this id")
    return whole(shown, Context.RESOURCE_QUERY_RESPONSE)


def _told_all(call: Call, model: type[Any], shown: tuple[Any, ...]) -> Response:
    if call.method != "GET":
        raise NoSuchMethod
    listed: ListResponse[Any] = ListResponse[model](  # type: ignore[valid-type]
        total_results=len(shown), start_index=1, items_per_page=len(shown), resources=list(shown)
    )
    return whole(listed, Context.RESOURCE_QUERY_RESPONSE)
