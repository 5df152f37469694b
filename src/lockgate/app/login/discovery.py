"""From a gateway's URL to the authorization server that its people sign in at."""

from typing import Any

import msgspec
import orjson
from pyreqwest.http import Url

from lockgate.app.login.addresses import (
    authorization_server_places,
    checked,
    covers,
    protected_resource_places,
)
from lockgate.control_plane.services.refused import Refused
from lockgate.model.fetch import Fetch, FetchFailed

_JSON = {"accept": "application/json"}
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "device_authorization_endpoint",
              "revocation_endpoint")  # fmt: skip


class Resource(msgspec.Struct, frozen=True):
    """RFC 9728 section 2, what of it a login needs."""

    resource: str
    authorization_servers: tuple[str, ...] = ()
    scopes_supported: tuple[str, ...] = ()


class Server(msgspec.Struct, frozen=True):
    """RFC 8414 section 2, what of it a login needs. Addresses are empty where there are none, and
    else are ones that may be asked."""

    issuer: str
    token_endpoint: str
    authorization_endpoint: str = ""
    device_authorization_endpoint: str = ""
    revocation_endpoint: str = ""
    scopes_supported: tuple[str, ...] = ()
    code_challenge_methods_supported: tuple[str, ...] = ()
    authorization_response_iss_parameter_supported: bool = False


async def resource_of(url: Url, fetch: Fetch) -> Resource:
    """What the gateway says of itself. Raises ``Refused``.

    Metadata for something else are refused (RFC 9728 section 3.3): a token for it is none of ours.
    """
    for place in protected_resource_places(url):
        said = await _document(place, fetch, "The gateway")
        if said is None:
            continue
        try:
            found = msgspec.convert(said, Resource)
        except msgspec.ValidationError as error:
            raise Refused(f"The gateway's metadata are not valid: {error}.") from None
        if not covers(found.resource, url):
            raise Refused(f"The gateway says that it is {found.resource}, not {url}.",
                          "Give that address with --url, or ask the operator.")  # fmt: skip
        if not found.authorization_servers:
            break
        return found
    raise Refused(
        f"The gateway at {url.origin_ascii} names no authorization server.",
        "Ask the operator whether people sign in there; a key works without.",
    )


def issuer_of(resource: Resource, wanted: str) -> str:
    """Where several are named, ``wanted`` says which. Raises ``Refused``."""
    named = resource.authorization_servers
    if wanted and wanted not in named:
        raise Refused(f"The gateway does not trust {wanted}.", f"It names: {', '.join(named)}")
    if not wanted and len(named) > 1:
        raise Refused("The gateway names several authorization servers.",
                      f"Choose one with --issuer: {', '.join(named)}")  # fmt: skip
    return wanted or named[0]


async def server_of(issuer: str, fetch: Fetch) -> Server:
    """Its metadata. Raises ``Refused``.

    A document that names another issuer is refused: it is what a mix-up begins with (RFC 8414
    section 3.3).
    """
    for place in authorization_server_places(checked(issuer, "The authorization server")):
        said = await _document(place, fetch, "The authorization server")
        if said is None:
            continue
        if said.get("issuer") != issuer:
            raise Refused(f"What {place} says is not of {issuer}.", "Ask the operator.")
        try:
            found = msgspec.convert(said, Server)
        except msgspec.ValidationError as error:
            raise Refused(f"The metadata of {issuer} are not valid: {error}.") from None
        for name in _ENDPOINTS:
            if address := getattr(found, name):
                checked(address, f"The {name} of {issuer}")
        return found
    raise Refused(f"{issuer} publishes no metadata.", "Ask the operator.")


async def _document(place: str, fetch: Fetch, whose: str) -> dict[str, Any] | None:
    """None where there is none at this place."""
    try:
        got = await fetch("GET", place, _JSON)
    except FetchFailed as failed:
        raise Refused(f"{whose} does not answer: {failed}.") from None
    if 400 <= got.status < 500:
        return None
    if got.status != 200:
        raise Refused(f"{whose} answered {got.status} at {place}.")
    try:
        said = orjson.loads(got.body)
    except orjson.JSONDecodeError:
        return None  # a page for people, as some servers show everywhere
    return said if isinstance(said, dict) else None
