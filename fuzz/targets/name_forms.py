"""Names and URIs of upstreams among those of all: no two alike, and back again."""

import re

from fuzz.parts import cut, is_json, json_in, text
from fuzz.targets.document import read
from lockgate.wire import edit, names, rewrite
from lockgate.wire.keys import folded, respelt
from lockgate.wire.refusal import WireRefusal

_OUTER = re.compile(rf"[A-Za-z0-9_-]{{1,{names.LIMIT}}}")


def tool_names(data: bytes) -> None:
    """Lines of ``upstream <tab> name``."""
    pairs = []
    for line in data.split(b"\n")[:12]:
        upstream, found, name = text(line).partition("\t")
        if found:
            pairs.append((upstream, name))
    table = names.NameTable(pairs)
    outer = {pair: table.outer(*pair) for pair in set(pairs)}
    assert len(set(outer.values())) == len(outer), "two tools share a name"
    for pair, name in outer.items():
        assert _OUTER.fullmatch(name), name
        assert table.inner(name) == pair
        # What fits is the same alone as among others.
        assert names.join(*pair) == name or len(name) == names.LIMIT or "__" in name
        plain = f"{pair[0]}__{pair[1]}"
        assert (name == plain) == (names.join(*pair) == plain)
    again = names.NameTable([*reversed(pairs)])
    assert {pair: again.outer(*pair) for pair in outer} == outer


def uris(data: bytes) -> None:
    """Parts: the upstream's name; a URI. Also the whole as a URI that a client says."""
    upstream, uri = map(text, cut(data, 2))
    names.unwrap_uri(text(data))
    names.unwrap_uri("lockgate+" + text(data))
    names.unwrap_uri("ui://lockgate/" + text(data))
    for wrap in (names.wrap_uri, names.wrap_template):
        outer = wrap(upstream, uri)
        if wrap is names.wrap_uri or "%" not in uri:
            assert names.unwrap_uri(outer) == (upstream, uri), outer
        # Hosts fold the scheme and the authority, never what follows.
        label = outer.partition(":")[0]
        folded_outer = label.upper() + outer[len(label) :]
        if wrap is names.wrap_uri:
            assert names.unwrap_uri(folded_outer) == (upstream, uri), folded_outer


def results(data: bytes) -> None:
    """Parts: method; a result or error. Inner names and URIs become outer ones and nothing else
    changes."""
    method, raw = cut(data, 2)
    try:
        json_in(raw)
    except WireRefusal:
        return
    if not edit.is_object(raw):
        return
    # The empty rename and an upstream that cannot be: what differs is what was rewritten.
    out = rewrite.rewrite_result(text(method), raw, "up", lambda name: f"up__{name}")
    _check_pieces(raw, out)
    _check_pieces(raw, rewrite.rewrite_error(raw, "up"))
    same = rewrite.rewrite_result(text(method), raw, "up", _unknown)
    assert is_json(same)
    params = rewrite.rewrite_params(text(method), raw, "inner") if _reachable(raw) else raw
    assert is_json(params)


def _reachable(raw: bytes) -> bool:
    # A request's target is put where it was read, so a string is there.
    ref = edit.get(raw, "/ref")
    return ref is None or edit.is_object(ref)


def _unknown(name: str) -> str:
    raise KeyError(name)


def _check_pieces(raw: bytes, out: bytes) -> None:
    """The same tree, but for strings that were wrapped; every other byte stays."""
    assert is_json(out)
    before, after = read(raw), read(out)
    todo = [(before, after)]
    changed = []
    while todo:
        one, other = todo.pop()
        assert (one.kind, one.keys, len(one.inside)) == (other.kind, other.keys, len(other.inside))
        if not one.kind and one.text(raw) != other.text(out):
            changed.append((one, other))
        todo += zip(one.inside, other.inside, strict=True)
    at = moved = 0
    for one, other in sorted(changed, key=lambda pair: pair[0].start):
        assert raw[at : one.start] == out[moved : other.start]
        at, moved = one.end, other.end
        _check_wrapped(one.text(raw), other.text(out))
    assert raw[at:] == out[moved:]


def _check_wrapped(inner: bytes, outer: bytes) -> None:
    said, shown = str(json_in(inner)), str(json_in(outer))
    assert shown == f"up__{said}" or names.unwrap_uri(shown) == ("up", said), shown


def spellings(data: bytes) -> None:
    """Lines: keys. What some parser takes for one key is found, whichever comes first."""
    keys = [text(line) for line in data.split(b"\n")[:20]]
    half = len(keys) // 2
    known, sent = keys[:half], keys[half:]
    found = respelt(sent, known)
    assert found is None or found in known
    # Two known names that fold alike hide each other, which no table of ours has.
    if len({folded(k) for k in known}) == len(set(known)):
        wanted = {folded(k) for k in set(sent) - set(known)} & {folded(k) for k in known}
        assert (found is None) == (not wanted)
    for key in keys:
        assert folded(folded(key)) == folded(key)
        assert folded(key.upper()) == folded(key) or not key.isascii()
