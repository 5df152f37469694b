"""Names of one upstream's things among those of all: injective, reversible, deterministic."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from urllib.parse import quote, unquote_to_bytes

CLIENT_PREFIX = "mcp__lockgate__"
"""What a client puts before our names (Claude Code's form): its 64 characters hold both."""
LIMIT = 64 - len(CLIENT_PREFIX)

_FORBIDDEN = re.compile(r"[^A-Za-z0-9_-]")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_HEX = 8
_LONGEST = 40
_SCHEME = "lockgate+"
_UI = "ui://lockgate/"


def join(upstream: str, name: str) -> str:
    """``<upstream>__<name>``, or a shortened form that ends in a hash where that does not fit.

    Two plain forms are never equal: the first ``__`` in one ends the upstream's name.
    """
    plain = f"{upstream}__{name}"
    return plain if _is_plain(upstream, plain) else _hashed(upstream, name, _HEX)


class NameTable:
    """Outer names for all ``(upstream, name)`` pairs together, and back.

    Where a hashed form meets another name, it takes more of the hash; a plain one never moves. The
    order of ``pairs`` does not matter.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        todo = set(pairs)
        plain = {p: join(*p) for p in todo if _is_plain(p[0], f"{p[0]}__{p[1]}")}
        self._outer: dict[tuple[str, str], str] = plain
        self._inner = {outer: pair for pair, outer in plain.items()}
        todo -= plain.keys()
        for digits in range(_HEX, _LONGEST + 1, 8):
            tried = {p: _hashed(*p, digits) for p in todo}
            often = Counter(tried.values())
            won = {p: o for p, o in tried.items() if often[o] == 1 and o not in self._inner}
            self._outer |= won
            self._inner |= {outer: pair for pair, outer in won.items()}
            todo -= won.keys()

    def outer(self, upstream: str, name: str) -> str:
        """Raises ``KeyError`` for a pair that is not in the table."""
        return self._outer[upstream, name]

    def inner(self, outer: str) -> tuple[str, str] | None:
        return self._inner.get(outer)


def wrap_uri(upstream: str, uri: str) -> str:
    """``lockgate+<upstream>:<uri>``; for ``ui:`` URIs, whose scheme hosts look for,
    ``ui://lockgate/<upstream>/<percent-encoded uri>``."""
    if _is_ui(uri):
        return f"{_UI}{_label(upstream)}/{quote(uri, safe='')}"
    return f"{_SCHEME}{_label(upstream)}:{uri}"


def wrap_template(upstream: str, template: str) -> str:
    """The same for URI templates (RFC 6570): only a prefix, so that they still expand."""
    if _is_ui(template):
        return f"{_UI}{_label(upstream)}/{template}"
    return f"{_SCHEME}{_label(upstream)}:{template}"


def unwrap_uri(outer: str) -> tuple[str, str] | None:
    """``(upstream, uri)`` of a wrapped URI or template or an expanded one; None if it is none."""
    if outer[: len(_UI)].lower() == _UI:
        label, slash, rest = outer[len(_UI) :].partition("/")
        uri = rest if _is_ui(rest) else _unquote(rest)
        slash = slash if uri is not None and _is_ui(uri) else ""
    elif outer[: len(_SCHEME)].lower() == _SCHEME:
        label, slash, uri = outer[len(_SCHEME) :].partition(":")
    else:
        return None
    upstream = _unlabel(label.lower())
    return (upstream, uri) if slash and uri is not None and upstream is not None else None


def _is_plain(upstream: str, plain: str) -> bool:
    clean = "__" not in upstream and not upstream.endswith("_") and upstream != ""
    return clean and len(plain) <= LIMIT and not _FORBIDDEN.search(plain)


def _hashed(upstream: str, name: str, digits: int) -> str:
    # The separator cannot be forged: both lengths are fixed by what is hashed before it.
    body = f"{len(upstream)}:{upstream}{name}".encode(errors="surrogatepass")
    tail = hashlib.sha256(body).hexdigest()[:digits]
    head = _FORBIDDEN.sub("_", f"{upstream}__{name}")[: LIMIT - 1 - digits]
    return f"{head}_{tail}"


def _label(upstream: str) -> str:
    """``upstream`` in letters that a scheme may have and that no client folds; reversible."""
    return upstream if _LABEL.fullmatch(upstream) else "x." + upstream.encode().hex()


def _unlabel(label: str) -> str | None:
    if not label.startswith("x."):
        return label if _LABEL.fullmatch(label) else None
    try:
        return bytes.fromhex(label[2:]).decode()
    except ValueError:
        return None


def _is_ui(uri: str) -> bool:
    return uri[:3].lower() == "ui:"


def _unquote(text: str) -> str | None:
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        return None
