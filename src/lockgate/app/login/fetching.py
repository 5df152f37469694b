"""Requests to the gateway's and the authorization server's own addresses, for a login."""

from collections.abc import Mapping
from datetime import timedelta

from pyreqwest.client import ClientBuilder
from pyreqwest.exceptions import PyreqwestError

from lockgate.app.login.addresses import checked, is_loopback
from lockgate.control_plane.services.refused import Refused
from lockgate.model.fetch import Fetched, FetchFailed

MOST_BYTES = 2**20
"""Of one answer."""
_CONNECT, _WHOLE = timedelta(seconds=10), timedelta(seconds=30)


async def fetch(
    verb: str, url: str, headers: Mapping[str, str] = {}, body: bytes = b""
) -> Fetched:  # fmt: skip
    """A ``Fetch``. Follows no redirect: a token request would be repeated elsewhere. The system's
    proxy is used, but never to reach this machine itself."""
    try:
        address = checked(url, "An address of the login")
    except Refused as refused:
        raise FetchFailed(refused.why) from None
    builder = ClientBuilder().follow_redirects(False).connect_timeout(_CONNECT).timeout(_WHOLE)
    if is_loopback(address):
        builder = builder.no_proxy()
    host = address.host_str
    try:
        async with builder.build() as client:
            request = client.request(verb, address).headers(dict(headers))
            if body:
                request = request.body_bytes(body)
            async with request.build_streamed() as response:
                said = b""
                while chunk := await response.body_reader.read_chunk():
                    said += bytes(chunk)
                    if len(said) > MOST_BYTES:
                        raise FetchFailed(f"{host} answered with more than 1 MiB")
                found = {k.lower(): v for k, v in reversed(list(response.headers.items()))}
                return Fetched(int(response.status), said, found)
    except PyreqwestError as error:
        raise FetchFailed(f"{host} cannot be reached ({type(error).__name__})") from None
