"""Keys that another parser may take for one another.

RFC 8259 compares keys exactly. Many parsers do not: Go's ``encoding/json`` ignores case (and takes
the long s for ``s`` and the kelvin sign for ``k``), Swift compares text by canonical equivalence.
What is judged under one spelling must not be read from another.
"""

import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping

import orjson

from lockgate.model import Json
from lockgate.wire import edit, meta, methods
from lockgate.wire.refusal import WireRefusal

_REASON = "wire.ambiguous-key"
_PARAMS = frozenset({"_meta", "name", "arguments", "uri", "ref", "argument", "context", "cursor",
                     "level", "notifications", "taskId", *methods.NOT_CARRIED})  # fmt: skip
_REF = frozenset({"type", "name", "uri"})
_META = frozenset({meta.PROGRESS, meta.VERSION, meta.CAPABILITIES, meta.CLIENT})
_OWNED = meta.OWNED.lower()


def folded(key: str) -> str:
    """Equal for all spellings that some parser takes for the same key (Unicode NFKC_Casefold, but
    for characters that it ignores)."""
    if key.isascii():
        return key.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", key).casefold())


def respelt(keys: Iterable[str], known: Collection[str]) -> str | None:
    """One of ``known`` that one of ``keys`` spells otherwise, or None."""
    others = [key for key in keys if key not in known]
    if not others:
        return None
    names = {folded(name): name for name in known}
    return next((names[like] for key in others if (like := folded(key)) in names), None)


def check_params(params: bytes, fields: Mapping[str, bytes], declared: Mapping[str, bytes]) -> None:
    """Refuse params that hold two keys for one, or that spell a member we know otherwise.

    ``fields`` are the members of ``params``, ``declared`` those of its ``_meta``. Only for what
    clients send: the data that tools return may have such keys.

    Raises ``WireRefusal("wire.ambiguous-key")``.
    """
    plain = params.isascii() and b"\\u" not in params
    if _is_ambiguous(orjson.loads(params), str.lower if plain else folded):
        raise WireRefusal(_REASON)
    ref = edit.members(fields["ref"]) if "ref" in fields else {}
    for keys, known in ((fields, _PARAMS), (ref, _REF), (declared, _META)):
        name = None if keys.keys() <= known else respelt(keys, known)
        if name is not None:
            raise WireRefusal(_REASON, f"{name} is spelled otherwise")
    strange = declared.keys() - _META
    if any(folded(key).startswith(_OWNED) and not key.startswith(meta.OWNED) for key in strange):
        raise WireRefusal(_REASON, f"{meta.OWNED} is spelled otherwise")


def _is_ambiguous(tree: Json, fold: Callable[[str], str]) -> bool:
    known: set[tuple[str, ...]] = {()}  # rows of a table have the same keys: look once
    todo: list[object] = [tree]
    while todo:
        node = todo.pop()
        if type(node) is dict:
            names = tuple(node)
            if names not in known:
                if len(set(map(fold, names))) < len(names):
                    return True
                known.add(names)
            todo.extend(node.values())
        elif type(node) is list:
            todo.extend(node)
    return False
