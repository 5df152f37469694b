"""``Mcp-Param-*`` headers of MCP 2026-07-28: arguments repeated where a tool's ``inputSchema`` says
``x-mcp-header``. The body decides; headers only have to agree with it."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, cast

import orjson

from lockgate.wire.headers import PARAM, Headers, decode_value, encode_value
from lockgate.wire.refusal import WireRefusal

_MARK = "x-mcp-header"
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""RFC 9110, section 5.6.2."""
_TYPES = frozenset({"integer", "string", "boolean"})
_DECIMAL = re.compile(r"(-?[0-9]{1,300})(?:\.0+)?")
_ONE = ("items", "contains", "unevaluatedItems", "additionalProperties", "propertyNames",
        "unevaluatedProperties", "not", "if", "then", "else", "contentSchema")  # fmt: skip
_MANY = ("allOf", "anyOf", "oneOf", "prefixItems")
_NAMED = ("patternProperties", "dependentSchemas", "$defs", "definitions")
"""The places of JSON Schema 2020-12 where a schema can stand inside a schema."""


class _Mirror(NamedTuple):
    header: str
    path: tuple[str, ...]
    type: str


def invalid_annotations(schema: bytes) -> bool:
    """Whether a client must drop the tool from its list: an annotation that is no token, that is
    used twice, or that stands where no chain of ``properties`` leads to a plain scalar."""
    seen: set[str] = set()
    for path, node in _walk(schema):
        if _MARK not in node:
            continue
        mirror = _mirror(path, node)
        if mirror is None or mirror.header.lower() in seen:
            return True
        seen.add(mirror.header.lower())
    return False


def param_headers(tool_schema: bytes, arguments: Mapping[str, Any]) -> dict[str, str]:
    """The headers that repeat ``arguments``, for sending upstream. Absent and null: no header."""
    found = {}
    for mirror in _mirrors(tool_schema):
        text = _render(_value(arguments, mirror.path))
        if text is not None:
            found["Mcp-Param-" + mirror.header] = encode_value(text)
    return found


def check_param_headers(headers: Headers, tool_schema: bytes, arguments: Mapping[str, Any]) -> None:
    """Hold a client's headers against its arguments. Headers the schema does not name are free.

    Raises ``WireRefusal("wire.header-mismatch")`` for a header that is missing though required,
    sent twice, undecodable, different, or there while the argument is not.
    """
    for mirror in _mirrors(tool_schema):
        name = "Mcp-Param-" + mirror.header
        sent = headers.one(name)
        text = _render(value := _value(arguments, mirror.path))
        if sent is None and (text is None or not headers.required):
            continue
        said = decode_value(sent) if sent is not None else None
        if said is None or text is None or not _agree(said, text, value, mirror.type):
            raise WireRefusal("wire.header-mismatch", name)


def mentions(headers: Headers) -> bool:
    """Whether any ``Mcp-Param-*`` header was sent at all."""
    return bool(headers.named(PARAM))


def _mirrors(schema: bytes) -> list[_Mirror]:
    # Most schemas have none; then nothing is walked. The name may hide behind JSON escapes.
    if _MARK.encode() not in schema and b"\\" not in schema:
        return []
    if invalid_annotations(schema):
        # No conforming client can know this tool, so there is nothing to agree about.
        return []
    marked = ((path, node) for path, node in _walk(schema) if _MARK in node)
    return [m for m in (_mirror(path, node) for path, node in marked) if m is not None]


def _mirror(path: tuple[str, ...] | None, node: Mapping[str, Any]) -> _Mirror | None:
    header, kind = node[_MARK], node.get("type")
    if not path or not isinstance(header, str) or not _TOKEN.fullmatch(header):
        return None
    if not isinstance(kind, str) or kind not in _TYPES:
        return None
    return _Mirror(header, path, kind)


def _walk(schema: bytes) -> Iterator[tuple[tuple[str, ...] | None, dict[str, Any]]]:
    """Every schema inside the schema, with its chain of ``properties``; None: off such a chain.

    ``$ref`` is not followed, and values (``default``, ``enum`` ...) are not entered.
    """
    todo: list[tuple[tuple[str, ...] | None, Any]] = [((), orjson.loads(schema))]
    while todo:
        path, node = todo.pop()
        if not isinstance(node, dict):
            continue
        yield path, node
        found = node.get("properties")
        if isinstance(found, dict):
            todo += [(None if path is None else (*path, k), v) for k, v in found.items()]
        todo += [(None, sub) for sub in _inside(node)]


def _inside(node: Mapping[str, Any]) -> Iterator[Any]:
    yield from (node[k] for k in _ONE if k in node)
    for key in _MANY:
        if isinstance(node.get(key), list):
            yield from cast("list[Any]", node[key])
    for key in _NAMED:
        if isinstance(node.get(key), dict):
            yield from cast("dict[str, Any]", node[key]).values()


def _value(arguments: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    node: Any = arguments
    for key in path:
        if not isinstance(node, Mapping):
            return None
        node = node.get(key)
    return node


def _render(value: Any) -> str | None:
    """Header text of a scalar; None for what has none: null and containers."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return str(value) if isinstance(value, int | str) else None


def _agree(said: str, text: str, value: Any, kind: str) -> bool:
    if kind == "integer" and isinstance(value, int | float) and not isinstance(value, bool):
        # Integers compare as numbers: 42 is 42.0.
        match = _DECIMAL.fullmatch(said)
        return match is not None and int(match[1]) == value
    return said == text
