"""``wire.edit``, against an own reading of the same text: what is not named keeps its bytes."""

from collections.abc import Callable

from fuzz.parts import LIMITS, cut, is_json, text
from fuzz.targets.document import Node, Shape, read, shape, shape_of
from lockgate.wire import edit
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.strict_json import check


def raw_edits(data: bytes) -> None:
    """Parts: lines of ``how <tab> where <tab> value``, and the document. Each edit is made of the
    document as it was."""
    said, raw = cut(data, 2)
    if not _is_taken(raw):
        return
    _reads(raw)
    for line in said.split(b"\n")[:6]:
        how, where, value = [*line.split(b"\t"), b"", b""][:3]
        test = _EDITS.get(text(how))
        if test is None or (not _is_taken(value) and text(how) in ("put", "merge", "change")):
            continue
        try:
            path = edit.tokens(text(where))
        except ValueError:
            continue
        assert edit.tokens(edit.pointer(*path)) == path
        test(raw, path, value)


def _is_taken(raw: bytes) -> bool:
    try:
        check(raw, LIMITS)
    except WireRefusal:
        return False
    return True


def _reads(raw: bytes) -> None:
    root = read(raw)
    assert edit.is_object(raw) == (root.kind == "{")
    assert edit.is_array(raw) == (root.kind == "[")
    members = edit.members(raw)
    if root.kind == "{":
        assert list(members) == root.keys
        assert list(members.values()) == [n.text(raw) for n in root.inside]
    else:
        assert members == {}


def _at(raw: bytes, path: tuple[str, ...]) -> Node | None:
    node: Node | None = read(raw)
    for token in path:
        node = node.child(token) if node is not None else None
    return node


def _get(raw: bytes, path: tuple[str, ...], _value: bytes) -> None:
    node = _at(raw, path)
    found = edit.find(raw, path)
    assert found == edit.get(raw, edit.pointer(*path))
    if not path:
        assert found == raw
    else:
        assert found == (node.text(raw) if node is not None else None)


def _put(raw: bytes, path: tuple[str, ...], value: bytes) -> None:
    try:
        out = edit.put(raw, edit.pointer(*path), value)
    except LookupError:
        assert _nowhere(raw, path)
        return
    assert not _nowhere(raw, path)
    node = _at(raw, path)
    if not path:
        assert out == value
    elif node is not None:
        assert out == raw[: node.start] + value + raw[node.end :]
    else:
        _check_added(raw, path, value, out)
    assert is_json(out)


def _nowhere(raw: bytes, path: tuple[str, ...]) -> bool:
    """Whether nothing can be put there: the path meets a scalar, or no element."""
    node: Node | None = read(raw)
    for number, token in enumerate(path):
        if node is None:
            return False  # objects are made from here on
        if not node.kind:
            return True
        below = node.child(token)
        if below is None and node.kind == "[":
            return token != "-"  # noqa: S105 - RFC 6901's word for "behind the last"
        node = below
        if node is None and number == len(path) - 1:
            return False
    return False


def _check_added(raw: bytes, path: tuple[str, ...], value: bytes, out: bytes) -> None:
    """One holder has one part more at its end; every text that was there still is, in order."""
    depth = 0
    node = read(raw)
    while (below := node.child(path[depth])) is not None:
        node, depth = below, depth + 1
    new = value
    for token in reversed(path[depth + 1 :]):
        new = edit.put(b"{}", edit.pointer(token), new)
    holder = _at(out, path[:depth])
    assert holder is not None
    assert [n.text(out) for n in holder.inside[:-1]] == [n.text(raw) for n in node.inside]
    assert shape(holder.inside[-1].text(out)) == shape(new)
    assert out.startswith(raw[: node.end - 1].rstrip(b" \t\n\r"))
    assert out.endswith(raw[node.end :])


def _drop(raw: bytes, path: tuple[str, ...], _value: bytes) -> None:
    if not path:
        return
    out = edit.drop(raw, edit.pointer(*path))
    node, holder = _at(raw, path), _at(raw, path[:-1])
    if node is None or holder is None:
        assert out == raw
        return
    _check_without(raw, path[:-1], [n is not node and n.start != node.start for n in holder.inside],
                   out)  # fmt: skip


def _check_without(raw: bytes, path: tuple[str, ...], stays: list[bool], out: bytes) -> None:
    """The holder at ``path`` keeps the parts that ``stays`` says, their bytes, and all around."""
    before, after = _at(raw, path), _at(out, path)
    assert before is not None
    assert after is not None
    kept = [n for n, stay in zip(before.inside, stays, strict=True) if stay]
    assert [n.text(out) for n in after.inside] == [n.text(raw) for n in kept]
    if before.keys:
        names = [k for k, stay in zip(before.keys, stays, strict=True) if stay]
        assert after.keys == names
    assert out[: after.start] == raw[: before.start]
    assert out[after.end :] == raw[before.end :]
    assert is_json(out)


def _items(raw: bytes, path: tuple[str, ...], value: bytes) -> None:
    gone = {int(n) for n in value.split(b",") if n.isdigit() and len(n) < 6}
    out = edit.drop_items(raw, edit.pointer(*path), gone)
    node = _at(raw, path)
    if node is None or node.kind != "[":
        assert out == raw
        return
    _check_without(raw, path, [i not in gone for i in range(len(node.inside))], out)


def _merge(raw: bytes, path: tuple[str, ...], value: bytes) -> None:
    """``path`` names members: those with a ``~`` go, the others are set."""
    changes = {key: None if "~" in key else value for key in path}
    root = read(raw)
    try:
        out = edit.merge(raw, changes)
    except LookupError:
        assert root.kind != "{"
        return
    assert root.kind == "{"
    wanted = {
        key: changes.get(key, node.text(raw))
        for key, node in zip(root.keys, root.inside, strict=True)
    }
    wanted |= {key: new for key, new in changes.items() if key not in wanted}
    assert is_json(out)
    found = edit.members(out)
    left = {key: new for key, new in wanted.items() if new is not None}
    # What is put last may carry the white space around it.
    assert {k: shape(v) for k, v in found.items()} == {k: shape(v) for k, v in left.items()}
    assert list(found) == list(left)
    assert all(found[k] == left[k] for k in left if k not in changes)


def _change(raw: bytes, path: tuple[str, ...], value: bytes) -> None:
    out = edit.change(raw, path, lambda _: value)
    assert is_json(out)
    assert shape(out) == _changed(raw, read(raw), path, shape(value))
    assert edit.change(raw, path, lambda old: old) == raw


def _changed(raw: bytes, node: Node, path: tuple[str, ...], new: Shape) -> Shape:
    if not path:
        return new
    if path[0] == "*":
        if node.kind != "[":
            return shape(raw, node)
        return shape_of(node, [_changed(raw, n, path[1:], new) for n in node.inside])
    if node.child(path[0]) is None:
        return shape(raw, node)
    names = node.keys if node.kind == "{" else [str(i) for i in range(len(node.inside))]
    parts = [
        _changed(raw, n, path[1:], new) if name == path[0] else shape(raw, n)
        for name, n in zip(names, node.inside, strict=True)
    ]
    return shape_of(node, parts)


_EDITS: dict[str, Callable[[bytes, tuple[str, ...], bytes], None]] = {
    "get": _get,
    "put": _put,
    "drop": _drop,
    "items": _items,
    "merge": _merge,
    "change": _change,
}
