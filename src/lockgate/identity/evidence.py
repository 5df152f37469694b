"""What a request shows of who sends it. Nothing of it is believed yet."""

import msgspec


class Evidence(msgspec.Struct, frozen=True):
    authorization: tuple[str, ...]
    """The values of all ``Authorization`` headers, as received."""
    peer: str = ""
    """Network address of the client, as far as a configured proxy or the socket says."""
    certificate: bytes = b""
    """DER of the client certificate whose key the client proved to hold, in the TLS handshake with
    us or with a proxy that is trusted to say so; empty where there was none."""
    dpop: tuple[str, ...] = ()
    """The values of all ``DPoP`` headers (RFC 9449, 4.1)."""
    key: tuple[str, ...] = ()
    """The values of all ``Lockgate-Key`` headers: an API key beside an access token."""
    method: str = "POST"
    url: str = ""
    """Where the request was sent to, without query and fragment (RFC 9449, 4.2: ``htu``)."""
