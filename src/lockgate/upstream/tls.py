"""The gateway's own certificate, shown to an upstream that asks for one (RFC 8446, 4.4.2)."""

import ssl

from lockgate.model import SendFailed
from lockgate.upstream.target import Tls


def context_of(tls: Tls) -> ssl.SSLContext | None:
    """None where nothing is configured. Raises ``SendFailed`` for files that cannot be used, which
    it does not repeat."""
    if tls == Tls():
        return None
    try:
        context = ssl.create_default_context(cafile=tls.authorities or None)
        if tls.certificate:
            # Without a password nobody is asked for one: a locked key cannot be used.
            context.load_cert_chain(tls.certificate, tls.key or None, password="")
    except (OSError, ValueError) as failure:
        kind = type(failure).__name__
        raise SendFailed("upstream.credential", f"its TLS files cannot be used: {kind}") from None
    return context
