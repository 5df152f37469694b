"""How proxies pass on the certificate that a client showed them: three forms, read strictly.

Whether the proxy may do that is said in ``proxies``.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Literal
from urllib.parse import unquote_to_bytes

import msgspec
from cryptography.hazmat.primitives.serialization import Encoding

from lockgate.identity.certificate import certificates_in

Form = Literal["xfcc", "client-cert", "nginx"]
HEADERS: Mapping[Form, tuple[str, ...]] = {
    "xfcc": ("x-forwarded-client-cert",),
    "client-cert": ("client-cert", "client-cert-chain"),
    "nginx": ("ssl-client-cert",),
}
"""What each form is sent in; nginx's variable has no header of its own, so this is ours."""

# Envoy, x-forwarded-client-cert: pairs of an element; a value with , ; = in it is quoted.
_PAIR = re.compile(r'([A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^",;=\\]*))(;|$)')
_ESCAPED = re.compile(r"\\(.)")
_REPEATABLE = frozenset({"uri", "dns"})
_BYTES = re.compile(r":([A-Za-z0-9+/]*={0,2}):")
"""A byte sequence of structured fields (RFC 9651, 3.3.5)."""


class ForwardedInvalid(Exception):
    """Not in the form that was agreed on."""


class Forwarded(msgspec.Struct, frozen=True):
    """DER, of the client's certificate and of what else came with it."""

    certificate: bytes = b""
    """Empty: the client showed none to the proxy."""
    chain: tuple[bytes, ...] = ()


def read_forwarded(form: Form, values: Callable[[str], list[str]]) -> Forwarded:
    """``values``: those of all headers of a name. Raises ``ForwardedInvalid``."""
    names = HEADERS[form]
    found = [values(name) for name in names]
    if not found[0]:
        if any(found):
            raise ForwardedInvalid(f"{names[1]} without {names[0]}")
        return Forwarded()
    if len(found[0]) > 1:
        raise ForwardedInvalid(f"more than one {names[0]}")
    return _READERS[form](found[0][0], ", ".join(found[-1]) if len(found) > 1 else "")


@lru_cache(maxsize=512)
def _xfcc(value: str, _: str) -> Forwarded:
    """The one element that the last hop wrote.

    Envoy writes URI and DNS names into it as they stand in the certificate, so that a name with a
    comma in it begins what looks like a further element. Nothing can be told from a value of more
    than one: it is refused, and the proxy must replace what it received (``SANITIZE_SET``).
    """
    said: dict[str, str] = {}
    at = 0
    while at < len(value):
        pair = _PAIR.match(value, at)
        if pair is None:
            raise ForwardedInvalid("x-forwarded-client-cert: not one element of pairs")
        name, quoted, plain, _end = pair.groups()
        if name.lower() in said and name.lower() not in _REPEATABLE:
            raise ForwardedInvalid("x-forwarded-client-cert: a key twice")
        said[name.lower()] = plain if quoted is None else _ESCAPED.sub(r"\1", quoted)
        at = pair.end()
    if not said.get("cert"):
        raise ForwardedInvalid("x-forwarded-client-cert: without Cert")
    (certificate,) = _escaped_pem(said["cert"], most=1)
    if said.get("hash", _hash(certificate)).lower() != _hash(certificate):
        raise ForwardedInvalid("x-forwarded-client-cert: Hash is not that of Cert")
    chain = _escaped_pem(said["chain"]) if said.get("chain") else ()
    return Forwarded(certificate, tuple(one for one in chain if one != certificate))


@lru_cache(maxsize=512)
def _client_cert(value: str, chain: str) -> Forwarded:
    """RFC 9440, 2.2 and 2.3."""
    return Forwarded(
        _byte_sequence(value), tuple(_byte_sequence(one) for one in _members(chain) if chain)
    )


@lru_cache(maxsize=512)
def _nginx(value: str, _: str) -> Forwarded:
    """``$ssl_client_escaped_cert``: PEM in percent-encoding."""
    (certificate,) = _escaped_pem(value, most=1)
    return Forwarded(certificate)


_READERS: Mapping[Form, Callable[[str, str], Forwarded]] = {
    "xfcc": _xfcc,
    "client-cert": _client_cert,
    "nginx": _nginx,
}


def _members(text: str) -> list[str]:
    return [member.strip(" \t") for member in text.split(",")]


def _byte_sequence(text: str) -> bytes:
    found = _BYTES.fullmatch(text)
    try:
        read = base64.b64decode(found[1], validate=True) if found else b""
    except binascii.Error:
        read = b""
    if not read:
        raise ForwardedInvalid("client-cert: not a byte sequence")
    return read


def _escaped_pem(text: str, most: int = 10) -> tuple[bytes, ...]:
    try:
        found = certificates_in(unquote_to_bytes(text))
    except ValueError as error:
        raise ForwardedInvalid("not PEM in percent-encoding") from error
    if not 0 < len(found) <= most:
        raise ForwardedInvalid("not as many certificates as belong there")
    return tuple(one.public_bytes(Encoding.DER) for one in found)


def _hash(der: bytes) -> str:
    return hashlib.sha256(der).hexdigest()
