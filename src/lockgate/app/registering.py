"""Settings of an upstream, its secrets read, as the catalogue registers it."""

import hashlib

import msgspec

from lockgate.app.secret_places import Read, read_local
from lockgate.app.settings import Settings, UpstreamSettings
from lockgate.app.upstream_identity import credential_of, tls_of
from lockgate.model import Upstream
from lockgate.model.reference import ReferenceBroken, resolve_reference
from lockgate.model.secret import SecretUnavailable
from lockgate.upstream.target import (
    Bounds,
    HttpTarget,
    Registered,
    StdioTarget,
    Target,
    WithheldTarget,
)


def register(
    name: str,
    one: UpstreamSettings,
    settings: Settings,
    read: Read = read_local,
    withhold: type[ReferenceBroken] = SecretUnavailable,
) -> Registered:
    """Raises ``ReferenceBroken`` for a secret that cannot be had, unless it is of the kind for
    which the upstream is withheld."""
    reached: Target
    try:
        reached = target(one, read)
    except withhold as broken:
        reached = WithheldTarget(str(broken))
    upstream = Upstream(
        name,
        trust=one.trust,
        region=one.region,
        data_classes=one.data_classes,
        sharing=one.sharing,
        fingerprint=fingerprint(reached),
    )
    bounds = Bounds(
        call_seconds=one.timeout_seconds or settings.limits.call_seconds,
        reply_bytes=settings.limits.reply_bytes,
        list_bytes=settings.limits.reply_bytes,
    )
    return Registered(upstream, reached, bounds)


def fingerprint(reached: Target) -> str:
    """Of everything that says which server is reached, and as whom. A hash: it holds secrets."""
    return hashlib.sha256(msgspec.json.encode(reached, order="deterministic")).hexdigest()


def target(one: UpstreamSettings, read: Read = read_local) -> Target:
    """Raises ``ReferenceBroken``."""
    if one.url is not None:
        headers = {name: resolved(value, read) for name, value in one.headers.items()}
        credential = credential_of(one.credential, lambda text: resolved(text, read))
        return HttpTarget(resolved(one.url, read), headers, credential, tls_of(one.tls))
    return StdioTarget(one.argv, {k: resolved(v, read) for k, v in one.env.items()}, one.cwd)


def resolved(text: str, read: Read = read_local) -> str:
    """A secret by reference, as ``read`` has it now. Raises ``ReferenceBroken``."""
    return resolve_reference(text, read)
