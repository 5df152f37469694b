"""What a person has granted, and the requests to a token endpoint that get, renew and end it."""

import base64
from typing import Any
from urllib.parse import urlencode

import msgspec
import orjson

from lockgate.app.login.discovery import Server
from lockgate.model.fetch import Fetch, FetchFailed

_FORM = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
_TOLD, _NAME = 60, 200
"""Characters of an error code and of a person's name that are kept."""


class GrantRefused(Exception):
    """The authorization server said no: its error code (RFC 6749 section 5.2)."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


class Grant(msgspec.Struct, frozen=True):
    """All that is kept of a login, as it is kept: it holds secrets. Times are in seconds since
    1970."""

    gateway: str
    resource: str
    issuer: str
    client_id: str
    token_endpoint: str
    revocation_endpoint: str
    access_token: str
    refresh_token: str = ""
    obtained: float = 0.0
    expires: float = 0.0
    """Zero where the server did not say."""
    scope: str = ""
    subject: str = ""
    """Of the ID token, to show; the gateway reads its own from the access token."""
    name: str = ""

    def __repr__(self) -> str:
        return f"Grant({self.gateway!r})"  # never a token in a traceback or a log


class Wanted(msgspec.Struct, frozen=True):
    """Who asks whom for what."""

    gateway: str
    resource: str
    server: Server
    client_id: str
    scope: str


async def obtain(wanted: Wanted, form: dict[str, str], fetch: Fetch, now: float) -> Grant:
    """Exchange a code or device code. Raises ``GrantRefused``, ``FetchFailed``."""
    asked = {"client_id": wanted.client_id, "resource": wanted.resource, **form}
    said = await _ask(wanted.server.token_endpoint, asked, fetch)
    subject, name = _person(said.get("id_token"), wanted)
    return Grant(
        wanted.gateway, wanted.resource, wanted.server.issuer, wanted.client_id,
        wanted.server.token_endpoint, wanted.server.revocation_endpoint, said["access_token"],
        _text(said, "refresh_token"), now, _expiry(said, now),
        _text(said, "scope") or wanted.scope, subject, name,
    )  # fmt: skip


async def renew(grant: Grant, fetch: Fetch, now: float) -> Grant:
    """RFC 6749 section 6; the server may rotate the refresh token, and may send none for it to
    stay. Raises ``GrantRefused``, ``FetchFailed``."""
    said = await _ask(grant.token_endpoint, {
        "grant_type": "refresh_token", "refresh_token": grant.refresh_token,
        "client_id": grant.client_id, "resource": grant.resource,
    }, fetch)  # fmt: skip
    return msgspec.structs.replace(
        grant, access_token=said["access_token"], obtained=now, expires=_expiry(said, now),
        refresh_token=_text(said, "refresh_token") or grant.refresh_token,
        scope=_text(said, "scope") or grant.scope,
    )  # fmt: skip


async def revoke(grant: Grant, fetch: Fetch) -> bool:
    """RFC 7009. Whether the server has taken back all that was given. Raises ``FetchFailed``."""
    if not grant.revocation_endpoint:
        return False
    kinds = {"refresh_token": grant.refresh_token, "access_token": grant.access_token}
    done = []
    for kind, token in kinds.items():
        if token:
            form = {"token": token, "token_type_hint": kind, "client_id": grant.client_id}
            got = await fetch("POST", grant.revocation_endpoint, _FORM, urlencode(form).encode())
            done.append(got.status == 200)
    # Servers may not revoke self-contained access tokens; what renews them is what counts.
    return done[0]


async def _ask(url: str, form: dict[str, str], fetch: Fetch) -> dict[str, Any]:
    said = await post_form(url, form, fetch)
    token, kind = said.get("access_token"), said.get("token_type")
    if not isinstance(token, str) or not _is_token(token):
        raise FetchFailed("the token endpoint answered without a usable access token")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise FetchFailed("the token endpoint answered with a token that is not a bearer token")
    return said


async def post_form(url: str, form: dict[str, str], fetch: Fetch) -> dict[str, Any]:
    """The JSON object that comes back. Raises ``GrantRefused``, ``FetchFailed``."""
    got = await fetch("POST", url, _FORM, urlencode(form).encode())
    try:
        said = orjson.loads(got.body)
    except orjson.JSONDecodeError:
        said = None
    error = said.get("error") if isinstance(said, dict) else None
    if 400 <= got.status < 500 and isinstance(error, str):
        raise GrantRefused(printable(error))
    if got.status != 200 or not isinstance(said, dict):
        raise FetchFailed(f"the authorization server answered {got.status}")
    return said


def printable(text: str) -> str:
    """The beginning of an error code, fit for a terminal and a log."""
    return "".join(c for c in text[:_TOLD] if c.isascii() and c.isprintable())


def _person(id_token: object, wanted: Wanted) -> tuple[str, str]:
    """Subject and name, to show. It came straight from the token endpoint, so TLS vouches for it
    (OpenID Connect Core 3.1.3.7, step 6); nothing is decided by it."""
    try:
        part = str(id_token).split(".")[1]
        said = orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        audience = said["aud"] if isinstance(said["aud"], list) else [said["aud"]]
        ours = said["iss"] == wanted.server.issuer and wanted.client_id in audience
    except (IndexError, KeyError, TypeError, ValueError):
        return "", ""
    names = [said.get(k) for k in ("preferred_username", "email", "name")]
    subject = said.get("sub")
    if not ours or not isinstance(subject, str):
        return "", ""
    return subject[:_NAME], next((n[:_NAME] for n in names if isinstance(n, str)), "")


def _expiry(said: dict[str, Any], now: float) -> float:
    seconds = said.get("expires_in")
    known = isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds > 0
    return now + seconds if known else 0.0  # type: ignore[operator]


def _text(said: dict[str, Any], name: str) -> str:
    value = said.get(name)
    return value if isinstance(value, str) else ""


def _is_token(text: str) -> bool:
    """What an Authorization header can carry (RFC 6750 section 2.1)."""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text
