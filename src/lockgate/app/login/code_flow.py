"""Signing in through the person's browser: authorization code with PKCE (RFC 7636, RFC 8252)."""

import base64
import hashlib
from collections.abc import Callable
from urllib.parse import urlencode

import msgspec

from lockgate.app.login.grant import Grant, Wanted, obtain, printable
from lockgate.app.login.loopback import DEFAULT, Answer, listening_for
from lockgate.control_plane.services.refused import Refused
from lockgate.model.fetch import Fetch

WAIT_SECONDS = 300.0
"""For the person."""


class Means(msgspec.Struct, frozen=True):
    """What a flow uses of its surroundings."""

    fetch: Fetch
    now: Callable[[], float]
    """Seconds since 1970."""
    secret: Callable[[], str]
    """43 URL-safe characters or more nobody can guess, other ones each time."""
    show: Callable[[str], None]
    """Brings the person to an address: opens a browser, or prints it."""


async def by_code(wanted: Wanted, means: Means, redirect: str = DEFAULT) -> Grant:
    """Raises ``Refused``, ``GrantRefused``, ``FetchFailed``."""
    server = wanted.server
    if not server.authorization_endpoint:
        raise Refused(f"{server.issuer} signs nobody in through a browser.", "Try --device.")
    if "S256" not in server.code_challenge_methods_supported:
        # MCP 2026-07-28, Authorization Code Protection: must not go on.
        raise Refused(
            f"{server.issuer} does not say that it checks PKCE (S256).",
            "Codes could be stolen on this machine. Ask the operator, or try --device.",
        )
    state, verifier = means.secret(), means.secret()
    async with listening_for(redirect, state) as callback:
        means.show(_address(wanted, callback.redirect_uri, state, verifier))
        try:
            said = await callback.answer(WAIT_SECONDS)
        except TimeoutError:
            raise Refused("Nobody signed in within five minutes.") from None
    code = _code(said, wanted)
    return await obtain(wanted, {
        "grant_type": "authorization_code", "code": code, "code_verifier": verifier,
        "redirect_uri": callback.redirect_uri,
    }, means.fetch, means.now())  # fmt: skip


def _address(wanted: Wanted, redirect_uri: str, state: str, verifier: str) -> str:
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
    query = {
        "response_type": "code", "client_id": wanted.client_id, "redirect_uri": redirect_uri,
        "scope": wanted.scope, "resource": wanted.resource, "state": state,
        "code_challenge": challenge.decode().rstrip("="), "code_challenge_method": "S256",
    }  # fmt: skip
    if "offline_access" in wanted.scope.split():
        query["prompt"] = "consent"  # OpenID Connect Core, section 11
    endpoint = wanted.server.authorization_endpoint
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"


def _code(said: Answer, wanted: Wanted) -> str:
    """The code, if it is of the server that was asked. An answer of another is a mix-up: nothing of
    it is used or shown, its error neither (RFC 9207 section 2.4)."""
    issuer = said.get("iss")
    expected = wanted.server.authorization_response_iss_parameter_supported
    if issuer != wanted.server.issuer and (issuer is not None or expected):
        raise Refused(
            f"The answer did not come from {wanted.server.issuer}.",
            "Nothing of it was used. Somebody may be attacking this sign-in.",
        )
    if "error" in said:
        raise Refused(f"{wanted.server.issuer} did not let you in ({printable(said['error'])}).")
    code = said.get("code")
    if not code:
        raise Refused(f"{wanted.server.issuer} answered without a code.")
    return code
