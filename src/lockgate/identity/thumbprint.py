"""The name of a certificate that no other has."""

import hashlib
from base64 import urlsafe_b64encode


def thumbprint(certificate: bytes) -> str:
    """RFC 8705, 3.1: ``x5t#S256`` of DER; empty for none."""
    if not certificate:
        return ""
    return urlsafe_b64encode(hashlib.sha256(certificate).digest()).rstrip(b"=").decode()
