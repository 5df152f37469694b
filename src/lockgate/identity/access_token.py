"""What the claims of an access token mean: whose it is, for which resource, and bound to what.

RFC 9068 (JWT access tokens) and RFC 7662 (introspection) use the same claims, so both end here.
"""

import msgspec

from lockgate.identity.issuer import Claims, Client, Issuer, claim, first_text, words
from lockgate.identity.jwt import NotAccepted, Unverified
from lockgate.identity.profiles import groups_left_out
from lockgate.model import Json, Principal

DEEPEST_ACT = 8
_LONGEST_NAME = 256
_SEVERAL_FACTORS = frozenset({"mfa", "otp", "hwk", "swk", "sc", "fpt", "face", "iris"})
"""Authentication methods (RFC 8176) that come on top of a password, or are several."""


class Accepted(msgspec.Struct, frozen=True):
    """A token its issuer stands for. It still has to be meant for us, and sent by its owner."""

    principal: Principal
    issuer: str
    """Its URL."""
    subject: str
    """As the issuer says it."""
    audiences: frozenset[str]
    expires: int
    """Seconds since the Unix epoch, leeway included."""
    issued: int
    """Likewise; 0 where it does not say."""
    token_id: str
    session: str
    """``sid`` (OpenID Connect Back-Channel Logout 1.0); empty where there is none."""
    certificate: str = ""
    """``x5t#S256`` of the only certificate that may send it (RFC 8705, 3.1)."""
    key: str = ""
    """``jkt`` of the only key that may send it (RFC 9449, 6.1)."""
    workload: str = ""
    """The only workload that may send it."""

    @property
    def bound(self) -> bool:
        """Worth nothing in anybody else's hands."""
        return bool(self.certificate or self.key or self.workload)


def check_kind(token: Unverified, issuer: Issuer) -> None:
    """An access token, no ID token or anything else this issuer signs. Raises ``NotAccepted``."""
    if issuer.profile.opaque or token.type not in issuer.profile.types:
        raise NotAccepted(f"an access token of {issuer.name} has no type {token.type[:32]!r}")
    if token.type != "at+jwt" and not issuer.profile.is_access_token(token.claims):
        raise NotAccepted("it is no access token")


def accept(claims: Claims, issuer: Issuer, expires: int) -> Accepted:
    """``expires``: seconds since the Unix epoch. Raises ``NotAccepted`` for claims that do not say
    what they must."""
    subject = _name(first_text(claims, issuer.profile.subject) or first_text(claims, ("sub",)))
    client_id = first_text(claims, issuer.profile.client)
    if issuer.only_known_clients and client_id not in issuer.clients:
        raise NotAccepted("its client is not registered here")
    if groups_left_out(claims):
        raise NotAccepted("it leaves groups out, so it cannot be said what this person may not do")
    client = issuer.clients.get(client_id, Client())
    audiences = words(claims, ("aud",))
    confirmed = claim(claims, "cnf")
    issued = claim(claims, "iat")
    return Accepted(
        principal=_principal(claims, issuer, subject, client_id),
        issuer=issuer.url, subject=subject, audiences=audiences, expires=expires,
        issued=int(issued) if isinstance(issued, int | float) else 0,
        token_id=first_text(claims, issuer.profile.token_id), session=first_text(claims, ("sid",)),
        certificate=_bound(confirmed, "x5t#S256"), key=_bound(confirmed, "jkt"),
        workload=client.workload,
    )  # fmt: skip


def _principal(claims: Claims, issuer: Issuer, subject: str, client_id: str) -> Principal:
    client = issuer.clients.get(client_id, Client())
    program = subject == client_id or issuer.profile.is_application(claims)
    named = f"{issuer.namespace}{subject}"
    roles = words(claims, issuer.profile.roles)
    auth_time = claim(claims, "auth_time")
    return Principal(
        kind="service" if program else "person",
        subject=named,
        roles=frozenset(issuer.roles.get(role, role) for role in roles),
        agent=client.agent or client_id[:_LONGEST_NAME],
        owner=client.owner if program else named,
        authn=frozenset({"oauth", "mfa"} if _is_mfa(claims, issuer) else {"oauth"}),
        credential=f"{issuer.name}:{first_text(claims, issuer.profile.token_id)[:_LONGEST_NAME]}",
        actors=tuple(f"{issuer.namespace}{actor}" for actor in _actors(claims)),
        scopes=issuer.granted(words(claims, issuer.profile.scopes)),
        acr=first_text(claims, ("acr",))[:_LONGEST_NAME],
        auth_time=int(auth_time) if isinstance(auth_time, int | float) else 0,
        login=first_text(claims, ("sid",))[:_LONGEST_NAME],
    )


def _is_mfa(claims: Claims, issuer: Issuer) -> bool:
    methods = words(claims, ("amr",))
    return first_text(claims, ("acr",)) in issuer.mfa or "mfa" in methods or (
        len(methods) > 1 and bool(methods & _SEVERAL_FACTORS)
    )  # fmt: skip


def _actors(claims: Claims) -> tuple[str, ...]:
    """RFC 8693, 4.1: the outermost ``act`` is the one who acts now. Raises ``NotAccepted``."""
    found: list[str] = []
    act = claims.get("act")
    while act is not None:
        if not isinstance(act, dict) or len(found) == DEEPEST_ACT:
            raise NotAccepted("its chain of actors is no chain")
        found.append(_name(first_text(act, ("sub", "client_id"))))
        act = act.get("act")
    return tuple(found)


def _name(text: str) -> str:
    if not text or len(text) > _LONGEST_NAME or not text.isprintable() or text != text.strip():
        raise NotAccepted("it does not name its subject in plain text")
    return text


def _bound(confirmed: Json, how: str) -> str:
    """RFC 7800, 3.1. A binding that is not understood binds to nothing we could check."""
    if confirmed is None:
        return ""
    known = isinstance(confirmed, dict) and set(confirmed) <= {"x5t#S256", "jkt"}
    if not isinstance(confirmed, dict) or not known:
        raise NotAccepted("it is bound to something that cannot be checked here")
    found = confirmed.get(how, "")
    if not isinstance(found, str):
        raise NotAccepted("it is bound to something that cannot be checked here")
    return found
