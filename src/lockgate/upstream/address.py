"""Where an endpoint is, how a request to it begins, and why it cannot be reached."""

import re
import ssl
from base64 import b64encode
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote, unquote, urlsplit

import msgspec

from lockgate.model import SendFailed

_HOST = re.compile("[!-~]+")
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\U0010ffff]*")
_SHORT = 512
"""Characters up to which a header is remembered. Some mirror what is in a call (MCP 2026-07-28,
``Mcp-Param-``), and that may be long."""
_SAFE = "/?:@!$&'()*+,;=-._~%[]"


class Address(msgspec.Struct, frozen=True):
    """What a URL says. Its text is never repeated: it may hold a secret."""

    host: str
    port: int
    secure: bool
    target: str
    credential: str = ""
    """``Authorization`` made of user and password in the URL."""

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"

    def head(self, verb: str, headers: Mapping[str, str], body: bytes) -> bytes:
        """Of a request (RFC 9112, section 2.1): ``body`` follows it.

        Raises ``SendFailed("upstream.unreachable")`` for a header that cannot be sent.
        """
        said = {"host": self.authority, "user-agent": "lockgate"}
        if self.credential:
            said["authorization"] = self.credential
        # Later names win over earlier ones that differ only in case.
        said |= {name.lower(): value for name, value in headers.items()}
        if body or verb == "POST":
            said["content-length"] = str(len(body))
        lines = [_line(name, value) for name, value in said.items()]
        return "\r\n".join((f"{verb} {self.target} HTTP/1.1", *lines, "", "")).encode()

    @classmethod
    def of(cls, url: str) -> "Address":
        """Raises ``SendFailed("upstream.unreachable")`` for what is no HTTP URL."""
        try:
            parts = urlsplit(url)
            host = (parts.hostname or "").encode("idna").decode()
            port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        except (ValueError, KeyError):
            host, port = "", 0
        if not _HOST.fullmatch(host):
            raise SendFailed("upstream.unreachable", "its URL is not valid") from None
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        said = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        credential = f"Basic {b64encode(said.encode()).decode()}" if parts.username else ""
        secure = parts.scheme == "https"
        return cls(host, port, secure, quote(target, safe=_SAFE), credential)


def _line(name: str, value: str) -> str:
    return (_known_line if len(name) + len(value) <= _SHORT else _checked)(name, value)


def _checked(name: str, value: str) -> str:
    if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
        # Neither is repeated: they may be secret.
        raise SendFailed("upstream.unreachable", "a configured header is not valid")
    return f"{name}: {value.strip()}"


_known_line = lru_cache(1024)(_checked)


def cause(failure: Exception) -> str:
    """Without what the other side said, such as the names in its certificate."""
    if isinstance(failure, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {failure.verify_message.partition(',')[0]}"
    if isinstance(failure, ssl.SSLError):
        return f"TLS: {failure.reason}"
    return (failure.strerror if isinstance(failure, OSError) else None) or type(failure).__name__
