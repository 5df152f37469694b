"""Surgical edits of raw JSON by pointer (RFC 6901).

Every byte that an edit does not name stays as it was: white space, number tokens, key escapes,
unknown members. What comes in must have passed ``strict_json``; a value put in must be JSON.
"""

import re
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

import msgspec
import orjson

from lockgate.wire.refusal import WireRefusal

_SPACE = rb"[ \t\n\r]*"
_COMMA = re.compile(_SPACE + rb",?" + _SPACE)
_KEY = re.compile(
    _SPACE + rb",?" + _SPACE + rb'("[^"\\]*+(?:\\.[^"\\]*+)*+")' + _SPACE + rb":" + _SPACE,
    re.DOTALL,
)
_INDEX = re.compile(r"0|[1-9][0-9]*")

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])


class _Part(NamedTuple):
    """A member or an element, and where it stands: ``lead`` is where its key begins."""

    key: str
    lead: int
    start: int
    end: int


def tokens(pointer: str) -> tuple[str, ...]:
    """The unescaped reference tokens. Raises ``ValueError`` for what is not a pointer."""
    if not pointer:
        return ()
    if not pointer.startswith("/"):
        raise ValueError("a JSON pointer starts with /")
    return tuple(t.replace("~1", "/").replace("~0", "~") for t in pointer[1:].split("/"))


def pointer(*path: str) -> str:
    return "".join("/" + t.replace("~", "~0").replace("/", "~1") for t in path)


def is_object(raw: bytes) -> bool:
    return raw.startswith(b"{") or _opens(raw) == b"{"


def is_array(raw: bytes) -> bool:
    return _opens(raw) == b"["


def members(raw: bytes) -> dict[str, bytes]:
    """An object's members, their values undecoded; empty for anything else."""
    # Copies, because msgspec.Raw only looks like bytes to the type checker.
    return {k: bytes(v) for k, v in _OBJECT.decode(raw).items()} if is_object(raw) else {}


def get(raw: bytes, pointer: str) -> bytes | None:
    """The bytes of the value at ``pointer``, or None where there is none."""
    return find(raw, tokens(pointer))


def find(raw: bytes, path: tuple[str, ...]) -> bytes | None:
    """``get`` with unescaped reference tokens."""
    at = raw
    for token in path:
        found = _child(at, token)
        if found is None:
            return None
        at = found
    return at


def put(raw: bytes, pointer: str, value: bytes) -> bytes:
    """Set the value at ``pointer``; ``-`` appends to an array. Objects missing on the way are made.

    Raises ``LookupError`` where the path meets a scalar or an element that is not there.
    """
    return _put(raw, tokens(pointer), value)


def drop(raw: bytes, pointer: str) -> bytes:
    """Remove what ``pointer`` names. Nothing there: nothing changes.

    Raises ``LookupError`` for the whole document.
    """
    path = tokens(pointer)
    if not path:
        raise LookupError("the document itself cannot be dropped")
    return _at(raw, path[:-1], lambda holder: _without(holder, path[-1]))


def drop_items(raw: bytes, array_pointer: str, indexes: Collection[int]) -> bytes:
    """Remove elements of one array. Indexes that are not there change nothing."""
    gone = frozenset(indexes)

    def sieve(array: bytes) -> bytes:
        parts = _elements(array)
        return _rebuild(array, parts, [None if i in gone else _text(array, p)
                                       for i, p in enumerate(parts)])  # fmt: skip

    return _at(raw, tokens(array_pointer), sieve)


def merge(raw: bytes, changes: Mapping[str, bytes | None]) -> bytes:
    """Set and (with None) remove several members of one object in one pass.

    Raises ``LookupError`` when ``raw`` is not an object.
    """
    if not is_object(raw):
        raise LookupError("not an object")
    found = _OBJECT.decode(raw)
    known = found.keys()
    extra = [orjson.dumps(k) + b":" + v for k, v in changes.items() if v and k not in known]
    if known.isdisjoint(changes):
        at = raw.rindex(b"}")
        more = b",".join(extra)
        return raw[:at] + (b"," if known and extra else b"") + more + raw[at:]
    parts = _placed(raw, found)
    texts: list[bytes | None] = []
    for part in parts:
        new = changes.get(part.key, b"")
        if new == b"":
            texts.append(_text(raw, part))
        else:
            texts.append(None if new is None else raw[part.lead : part.start] + new)
    return _rebuild(raw, parts, texts, extra)


def change(raw: bytes, pattern: tuple[str, ...], edit: Callable[[bytes], bytes]) -> bytes:
    """Edit each value that ``pattern`` names, in place. ``*`` stands for every element of an array.

    A path that is not there, or has another shape, changes nothing.
    """
    if not pattern:
        return edit(raw)
    if pattern[0] != "*":
        return _at(raw, pattern[:1], lambda found: change(found, pattern[1:], edit))
    parts = _elements(raw)
    new = [change(_text(raw, p), pattern[1:], edit) for p in parts]
    return _rebuild(raw, parts, list(new))


def _opens(raw: bytes) -> bytes:
    first = raw[:1]
    return raw.lstrip(b" \t\n\r")[:1] if first and first in b" \t\n\r" else first


def _child(raw: bytes, token: str) -> bytes | None:
    if is_object(raw):
        value = _OBJECT.decode(raw).get(token)
        return bytes(value) if value is not None else None
    found = _ARRAY.decode(raw) if is_array(raw) else []
    if _INDEX.fullmatch(token) and len(token) < 10 and int(token) < len(found):
        return bytes(found[int(token)])
    return None


def _parts(raw: bytes) -> list[_Part]:
    return _members(raw) if is_object(raw) else _elements(raw)


def _members(raw: bytes) -> list[_Part]:
    return _placed(raw, _OBJECT.decode(raw)) if is_object(raw) else []


def _placed(raw: bytes, found: Mapping[str, msgspec.Raw]) -> list[_Part]:
    """``found``: the members of the object ``raw``, in their order."""
    at = raw.index(b"{") + 1
    parts = []
    for key, value in found.items():
        match = _KEY.match(raw, at)
        if match is None:
            raise WireRefusal("wire.duplicate-key")
        at = match.end() + len(memoryview(value))
        parts.append(_Part(key, match.start(1), match.end(), at))
    _closes(raw, at, b"}")
    return parts


def _elements(raw: bytes) -> list[_Part]:
    if not is_array(raw):
        return []
    at = raw.index(b"[") + 1
    parts = []
    for i, value in enumerate(_ARRAY.decode(raw)):
        gap = _COMMA.match(raw, at)
        start = gap.end() if gap else at
        at = start + len(memoryview(value))
        parts.append(_Part(str(i), start, start, at))
    _closes(raw, at, b"]")
    return parts


def _closes(raw: bytes, at: int, bracket: bytes) -> None:
    # Text left over means the decoder merged members: the document never passed strict_json.
    if raw[at:].strip(b" \t\n\r") != bracket:
        raise WireRefusal("wire.duplicate-key")


def _text(raw: bytes, part: _Part) -> bytes:
    return raw[part.lead : part.end]


def _rebuild(
    raw: bytes,
    parts: list[_Part],
    texts: list[bytes | None],
    extra: Collection[bytes] = (),
) -> bytes:
    """The container with ``texts`` for its parts (None: gone) and ``extra`` behind them."""
    if not parts:
        if not extra:
            return raw
        at = raw.index(_opens(raw)) + 1
        return raw[:at] + b",".join(extra) + raw[at:]
    out = [raw[: parts[0].lead]]
    last = parts[0].lead
    kept = False
    for part, text in zip(parts, texts, strict=True):
        if text is not None:
            out += (raw[last : part.lead] if kept else b"", text)
            kept = True
        last = part.end
    for text in extra:
        out += (b"," if kept else b"", text)
        kept = True
    out.append(raw[last:])
    return b"".join(out)


def _at(raw: bytes, path: tuple[str, ...], edit: Callable[[bytes], bytes]) -> bytes:
    """Apply ``edit`` to the value at ``path``; nothing there: nothing changes."""
    if not path:
        return edit(raw)
    for part in _parts(raw):
        if part.key == path[0]:
            old = raw[part.start : part.end]
            return raw[: part.start] + _at(old, path[1:], edit) + raw[part.end :]
    return raw


def _put(raw: bytes, path: tuple[str, ...], value: bytes) -> bytes:
    if not path:
        return value
    parts = _parts(raw)
    for part in parts:
        if part.key == path[0]:
            new = _put(raw[part.start : part.end], path[1:], value)
            return raw[: part.start] + new + raw[part.end :]
    if is_array(raw) and path[0] == "-":
        return _rebuild(raw, parts, [_text(raw, p) for p in parts], [_put(b"{}", path[1:], value)])
    if not is_object(raw):
        raise LookupError("nothing can be put there")
    new = orjson.dumps(path[0]) + b":" + _put(b"{}", path[1:], value)
    return _rebuild(raw, parts, [_text(raw, p) for p in parts], [new])


def _without(holder: bytes, token: str) -> bytes:
    parts = _parts(holder)
    if not any(p.key == token for p in parts):
        return holder
    return _rebuild(holder, parts, [None if p.key == token else _text(holder, p) for p in parts])
