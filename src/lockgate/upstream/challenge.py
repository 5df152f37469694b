"""What a server asks for with HTTP 401 or 403: ``WWW-Authenticate`` (RFC 9110, section 11.6.1)."""

import re
from collections.abc import Mapping

_PARAMETER = re.compile(r'([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_MOST = 8_192
"""Characters that are looked at."""


def challenge_of(header: str) -> Mapping[str, str]:
    """The parameters of its ``Bearer`` challenge (RFC 6750, section 3); none where it has none."""
    found = re.search(r"(?:^|,\s*)Bearer(?:\s+|$)", header[:_MOST], re.IGNORECASE)
    if found is None:
        return {}
    said: dict[str, str] = {}
    for name, quoted, plain in _PARAMETER.findall(header[found.end() : _MOST]):
        said.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted) or plain)
    return said
