"""Certificates, and the headers in which proxies pass them on."""

from typing import get_args

from fuzz.parts import cut, text
from lockgate.identity.certificate import (
    Certificate,
    CertificateInvalid,
    read_certificate,
    spiffe_problem,
)
from lockgate.identity.forwarded import HEADERS, Form, ForwardedInvalid, read_forwarded
from lockgate.wire.headers import Headers

_FORMS: tuple[Form, ...] = get_args(Form)


def forwarded_certificates(data: bytes) -> None:
    """Parts: values of a form's headers. In every form, since none may mistake another."""
    values = cut(data, 2)
    for form in _FORMS:
        pairs = [(n.encode(), v) for n, v in zip(HEADERS[form], values, strict=False) if v]
        try:
            found = read_forwarded(form, Headers(pairs).all)
        except ForwardedInvalid:
            continue
        assert bool(found.certificate) == bool(pairs)
        for der in (found.certificate, *found.chain):
            _read(der)


def certificates(data: bytes) -> None:
    """DER as it came in a handshake."""
    read = _read(data)
    assert spiffe_problem(text(data)) or data.startswith(b"spiffe://")
    if read is not None:
        assert read.der == data


def _read(der: bytes) -> Certificate | None:
    try:
        read = read_certificate(der)
    except CertificateInvalid:
        return None
    assert len(read.thumbprint) == 43
    named = read.names
    if read.spiffe:
        assert spiffe_problem(read.spiffe) == ""
        assert [one.value for one in named] == [read.spiffe]
    return read
