"""An API key beside an access token in one request: one principal, or none.

Whoever has both could send either, so the two together must never give more than each alone: roles
and scopes are those that both give. Whom they name, and through which agent, must be the same. Both
are facts of how it was proved.
"""

import msgspec

from lockgate.identity.refusal import AuthRefusal
from lockgate.model import Principal


def agreed(token: Principal, key: Principal) -> Principal | AuthRefusal:
    """``token``, ``key``: what each of them proves by itself."""
    differing = _difference(token, key)
    if differing:
        return AuthRefusal("auth.mismatch", f"{differing} of key {key.credential} and token differ")
    scopes = _scopes(token.scopes, key.scopes)
    if scopes is None:
        return AuthRefusal(
            "auth.mismatch", f"key {key.credential} and the token have no scope in common"
        )
    return msgspec.structs.replace(
        token,
        agent=token.agent or key.agent,
        roles=token.roles & key.roles,
        scopes=scopes,
        authn=token.authn | key.authn,
        credential=f"{key.credential} {token.credential}",  # an id of a key has no space in it
    )


def _difference(token: Principal, key: Principal) -> str:
    """The first thing in which they do not name the same; empty for none.

    A key that names an agent was issued for that agent alone.
    """
    if (token.kind, token.subject) != (key.kind, key.subject):
        return "the subjects"
    if token.owner != key.owner:
        return "the owners"
    if token.agent and key.agent and token.agent != key.agent:
        return "the agents"
    return ""


def _scopes(token: frozenset[str], key: frozenset[str]) -> frozenset[str] | None:
    """What both were issued for; None where that is nothing: policy may take a caller without any
    scope for one that is not narrowed.

    A key without scopes narrows nothing (docs/keys.md). A token without scopes gets none from a
    key, nor does it free the key of its own.
    """
    if not key:
        return token
    return token & key or None
