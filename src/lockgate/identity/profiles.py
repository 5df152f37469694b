"""What is peculiar to each kind of identity provider. One entry a kind, nothing elsewhere.

An ID token says to a client that somebody signed in; it permits nothing (OpenID Connect Core, 2).
Where the provider marks access tokens by ``typ: at+jwt`` (RFC 9068) that mark is demanded; where it
does not, the claims that only its access tokens have.
"""

from lockgate.identity.issuer import Claims, Profile, ProfileName, claim, first_text

_AT = frozenset({"at+jwt"})
_JWT = frozenset({"", "jwt"})
_ID_TOKEN = ("nonce", "at_hash", "c_hash", "s_hash")
"""Claims that only ID tokens have (OpenID Connect Core, 2, 3.1.3.6 and 3.3.2.11)."""


def _never(_: Claims) -> bool:
    return False


def _no_id_token(claims: Claims) -> bool:
    return not any(mark in claims for mark in _ID_TOKEN)


def _entra(claims: Claims) -> bool:
    # Its ID tokens have the same typ and may have the same aud, but say neither whom they were
    # given to (azp, appid) nor what for (scp, or roles of an application).
    given_to = bool(first_text(claims, ("azp", "appid")))
    return _no_id_token(claims) and given_to and ("scp" in claims or _entra_application(claims))


def _entra_application(claims: Claims) -> bool:
    # idtyp is an optional claim. Without it: no scp, and the subject is the application itself.
    if "idtyp" in claims:
        return claims["idtyp"] == "app"
    return "scp" not in claims and claims.get("oid") == claims.get("sub")


def _okta(claims: Claims) -> bool:
    marked = first_text(claims, ("jti",)).startswith("AT.")
    return _no_id_token(claims) and marked and "cid" in claims


def _okta_application(claims: Claims) -> bool:
    return "uid" not in claims


def _ping(claims: Claims) -> bool:
    return _no_id_token(claims) and "client_id" in claims and ("scope" in claims or "scp" in claims)


def _keycloak(claims: Claims) -> bool:
    return _no_id_token(claims) and claims.get("typ") == "Bearer" and "azp" in claims


def _keycloak_application(claims: Claims) -> bool:
    return first_text(claims, ("preferred_username",)).startswith("service-account-")


PROFILES: dict[ProfileName, Profile] = {
    one.name: one
    for one in (
        Profile("generic", _AT, _never),
        Profile(
            "entra-v2", _JWT, _entra, subject=("oid",), scopes=("scp",), client=("azp",),
            token_id=("uti", "jti"), is_application=_entra_application,
            registration="by hand: there is no dynamic registration",
            remark="`aud` is the application's GUID: list it under audiences. `sub` differs from "
            "application to application, so people are known by `oid`.",
        ),
        Profile(
            "entra-v1", _JWT, _entra, subject=("oid",), scopes=("scp",), client=("appid",),
            token_id=("uti", "jti"), is_application=_entra_application,
            registration="by hand: there is no dynamic registration",
            remark="`aud` is the application ID URI or its GUID, `iss` is sts.windows.net: write "
            "both exactly.",
        ),
        Profile(
            "okta", _AT | _JWT | {"application/okta-internal-at+jwt"}, _okta, scopes=("scp",),
            client=("cid",), is_application=_okta_application,
            remark="Tokens of its organisation server are not for others: use a custom "
            "authorization server, whose `aud` is configured there.",
        ),
        Profile(
            "ping", _AT | _JWT, _ping,
            registration="by hand, or dynamic registration where it is switched on",
            remark="`aud` is what the resource is called there: list it under audiences.",
        ),
        Profile(
            "keycloak", _AT | _JWT, _keycloak,
            roles=("realm_access.roles", "groups"), client=("azp", "client_id"),
            is_application=_keycloak_application,
            remark="`aud` holds this gateway only with an audience mapper on a client scope.",
        ),
        Profile(
            "google", frozenset(), _never, client=("azp",), roles=(), opaque=True,
            registration="by hand: there is no dynamic registration",
            remark="Its access tokens are opaque and name no resource: `aud` is the OAuth client; "
            "list it under audiences, and set introspection.",
        ),
    )
}  # fmt: skip


def groups_left_out(claims: Claims) -> bool:
    """Whether the provider left groups out because there are too many (Entra: group overage). Then
    nobody can say which roles this person lacks, and a policy that forbids by group would not."""
    sources = claim(claims, "_claim_names")
    named = isinstance(sources, dict) and ("groups" in sources or "roles" in sources)
    return named or claims.get("hasgroups") in (True, "true")
