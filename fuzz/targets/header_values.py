"""Header values and the headers that repeat arguments."""

from typing import Any

import orjson

from fuzz.parts import cut, headers_in, object_in
from lockgate.wire import era_2026_07_headers as mirrored
from lockgate.wire.headers import Headers, decode_value, encode_value
from lockgate.wire.refusal import WireRefusal


def header_values(data: bytes) -> None:
    """As a header as it came, and as a text that has to become one."""
    said = data.decode("latin-1")
    decoded = decode_value(said)
    if decoded is not None and decoded != said:
        # Exactly one spelling of each value is read.
        assert encode_value(decoded) == said or decode_value(encode_value(decoded)) == decoded
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return
    sent = encode_value(text)
    assert sent.isascii()
    assert not set(sent) & set(map(chr, range(32)))
    assert sent == sent.strip()
    assert decode_value(sent) == text
    assert decode_value(Headers([(b"mcp-name", sent.encode())]).one("Mcp-Name") or "") == text


def header_lists(data: bytes) -> None:
    """Repeated and oddly cased names."""
    pairs = headers_in(data)
    found = Headers(pairs)
    for name in {name for name, _ in pairs}:
        spoken = name.decode("latin-1")
        if not spoken.isascii():
            continue
        values = [v.decode("latin-1").strip(" \t") for n, v in pairs if n == name]
        assert found.all(spoken.upper()) == values
        try:
            assert found.one(spoken) == values[0]
            assert len(values) == 1
        except WireRefusal as refusal:
            assert refusal.reason == "wire.header-mismatch"
            assert len(values) > 1
        assert spoken in found.named(spoken[:3])
    assert found.optional().required is False


def param_headers(data: bytes) -> None:
    """Parts: a tool's ``inputSchema``; arguments; a client's header lines."""
    schema, said, lines = cut(data, 3)
    if object_in(schema) is None or (arguments := object_in(said)) is None:
        return
    unusable = mirrored.invalid_annotations(schema)
    made = mirrored.param_headers(schema, arguments)
    assert not (unusable and made)
    sent = [(name.lower().encode(), value.encode()) for name, value in made.items()]
    if _has_fraction(arguments):
        return  # no integer, so refused by the schema; no header agrees with it
    # What we send passes what we check, and nothing else may be missing.
    mirrored.check_param_headers(Headers(sent), schema, arguments)
    for number, (name, value) in enumerate(sent):
        assert value.isascii()
        _must_refuse(sent[:number] + sent[number + 1 :], schema, arguments)
        _must_refuse([*sent, (name, value)], schema, arguments)
        _must_refuse([*sent[:number], (name, value + b"x"), *sent[number + 1 :]],
                     schema, arguments)  # fmt: skip
    _check_clients(headers_in(lines), schema, arguments)


def _has_fraction(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_fraction, value.values()))
    return isinstance(value, float) and not (value.is_integer() and abs(value) < 1e290)


def _must_refuse(sent: list[tuple[bytes, bytes]], schema: bytes, arguments: Any) -> None:
    try:
        mirrored.check_param_headers(Headers(sent), schema, arguments)
    except WireRefusal as refusal:
        assert refusal.reason == "wire.header-mismatch"
        return
    raise AssertionError("headers that do not agree were taken")


def _check_clients(sent: list[tuple[bytes, bytes]], schema: bytes, arguments: Any) -> None:
    """What is taken agrees, by each header's value, with what we would send upstream."""
    for headers in (Headers(sent), Headers(sent).optional()):
        try:
            mirrored.check_param_headers(headers, schema, arguments)
        except WireRefusal as refusal:
            assert refusal.reason == "wire.header-mismatch"
            continue
        for name, value in mirrored.param_headers(schema, arguments).items():
            said = headers.one(name)
            if said is None:
                assert not headers.required
            elif said != value:
                _check_number(decode_value(said) or "", decode_value(value) or "")
    assert orjson.dumps(mirrored.mentions(Headers(sent))) in (b"true", b"false")


def _check_number(said: str, ours: str) -> None:
    """Spelled otherwise: only numbers, and base64 where plain text would do."""
    assert said == ours or float(said) == float(ours), (said, ours)
