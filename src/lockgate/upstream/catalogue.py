"""What upstreams are registered, and which tools each offered to whom."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import msgspec
import orjson

from lockgate.model import Terms, Tool, Upstream
from lockgate.upstream.health import Clock
from lockgate.upstream.listing import elements
from lockgate.upstream.target import Registered, terms_of
from lockgate.wire import edit
from lockgate.wire.era_2026_07_headers import invalid_annotations

NAME_CHARACTERS = 256
TTL_SECONDS = 300.0
SHARED = Terms("")
REMEMBERED = 1000
"""Tool lists kept, over all principals."""
CHANGES_REMEMBERED = 10_000
"""Tools of which is known how they changed last."""


class Registry:
    """Registered upstreams by name. ``replace`` swaps all of them at once; what is underway goes
    on with what it holds."""

    def __init__(self, registered: Iterable[Registered] = ()) -> None:
        self._by_name: dict[str, Registered] = {}
        self.replace(registered)

    def replace(self, registered: Iterable[Registered]) -> None:
        self._by_name = {each.name: each for each in registered}

    def changed(self, registered: Iterable[Registered]) -> frozenset[str]:
        """Names that ``replace`` would take away or register otherwise."""
        new = {each.name: each for each in registered}
        return frozenset(n for n, one in self._by_name.items() if new.get(n) != one)

    def get(self, name: str) -> Registered | None:
        return self._by_name.get(name)

    def all(self) -> tuple[Registered, ...]:
        """In the order of registration."""
        return tuple(self._by_name.values())


def tools_in(upstream: Upstream, raw_result: bytes) -> tuple[Tool, ...]:
    """The tools of a whole ``tools/list`` result as ``read_list`` gives it, without those that
    cannot be used: see ``unusable``."""
    gone = unusable(raw_result)
    return tuple(
        Tool(upstream.name, name, raw, _schema(raw))
        for index, (name, raw) in enumerate(_entries(raw_result))
        if index not in gone
    )


def unusable(raw_result: bytes) -> frozenset[int]:
    """Which entries of a ``tools/list`` result nobody may see: without a name that can be used;
    with a name that another one has too, so that neither can be told apart; with an invalid
    ``x-mcp-header`` (clients MUST drop these, MCP 2026-07-28, "Tools")."""
    entries = list(_entries(raw_result))
    times = Counter(name for name, _ in entries)
    return frozenset(
        index
        for index, (name, raw) in enumerate(entries)
        if not _is_name(name) or times[name] > 1 or _badly_annotated(raw)
    )


class Changed(msgspec.Struct, frozen=True):
    tool: Tool
    before: str
    """Hash of its definition as it was."""


class ToolCache:
    """Tools as last listed, kept under (upstream, terms): a list may differ with who asks, and with
    what their client declared.

    One list serves everybody only where the upstream is registered as ``shared``. Lists go stale
    after ``ttl`` seconds; then there is nothing here until a newer one passes.
    """

    def __init__(self, clock: Clock = time.monotonic, ttl: float = TTL_SECONDS) -> None:
        self._clock = clock
        self._ttl = ttl
        self._lists: dict[tuple[str, Terms], _Listed] = {}
        self._hashes: dict[tuple[str, Terms], dict[str, str]] = {}
        """Of the tools in each list, also when it is stale."""
        self._changed: dict[tuple[str, str], str] = {}

    def put(self, upstream: Upstream, terms: Terms, tools: Iterable[Tool]) -> list[Changed]:
        """Replace what was known. ``terms``: of the call that listed them. Returns the tools whose
        definition was another when they were last listed on these terms; each change once, however
        many people list it."""
        key = (upstream.name, terms_of(upstream, terms))
        if key[1] != SHARED:
            self._lists.pop((upstream.name, SHARED), None)
        self._lists.pop(key, None)
        by_name = {tool.name: tool for tool in tools}
        self._lists[key] = _Listed(self._clock() + self._ttl, by_name)
        while len(self._lists) > REMEMBERED:
            del self._lists[next(iter(self._lists))]
        known = self._hashes.pop(key, {})
        self._hashes[key] = {tool.name: tool.hash for tool in by_name.values()}
        while len(self._hashes) > REMEMBERED:
            del self._hashes[next(iter(self._hashes))]
        return [
            Changed(tool, known[name])
            for name, tool in by_name.items()
            if known.get(name, tool.hash) != tool.hash and self._is_new(tool)
        ]

    def tools(self, upstream: str, terms: Terms) -> tuple[Tool, ...] | None:
        """All of them; None where no list is known, or none that is recent."""
        found = self._find(upstream, terms)
        return tuple(found.values()) if found is not None else None

    def get(self, upstream: str, terms: Terms, name: str) -> Tool | None:
        found = self._find(upstream, terms)
        return found.get(name) if found is not None else None

    def listed(self, upstream: str) -> tuple[Tool, ...]:
        """Each definition that is in any list that is kept, also in one that is stale."""
        lists = [one for key, one in self._lists.items() if key[0] == upstream]
        found = {(tool.name, tool.hash): tool for one in lists for tool in one.tools.values()}
        return tuple(found[key] for key in sorted(found))

    def outdate(self, upstream: str, terms: Terms) -> None:
        """Over the link held on these terms the upstream said that its tools changed."""
        self._lists.pop((upstream, terms), None)

    def forget(self, upstream: str) -> None:
        """Its registration changed."""
        for key in [key for key in self._lists if key[0] == upstream]:
            del self._lists[key]
        for key in [key for key in self._hashes if key[0] == upstream]:
            del self._hashes[key]

    def _is_new(self, tool: Tool) -> bool:
        """Nobody was told yet that it changed to this."""
        key = (tool.upstream, tool.name)
        if self._changed.pop(key, "") == tool.hash:
            self._changed[key] = tool.hash
            return False
        self._changed[key] = tool.hash
        if len(self._changed) > CHANGES_REMEMBERED:
            del self._changed[next(iter(self._changed))]
        return True

    def _find(self, upstream: str, terms: Terms) -> Mapping[str, Tool] | None:
        for key in ((upstream, SHARED), (upstream, terms)):
            listed = self._lists.get(key)
            if listed is None:
                continue
            if self._clock() < listed.expires:
                return listed.tools
            del self._lists[key]
        return None


class _Listed(msgspec.Struct, frozen=True):
    expires: float
    tools: Mapping[str, Tool]


def _entries(raw_result: bytes) -> Iterator[tuple[str, bytes]]:
    """Name (empty where there is none) and definition of each entry."""
    for entry in elements(edit.members(raw_result)["tools"]):
        name = orjson.loads(edit.members(entry).get("name", b"null"))
        yield name if isinstance(name, str) else "", entry


def _schema(tool: bytes) -> bytes:
    return edit.members(tool).get("inputSchema", b"null")


def _badly_annotated(tool: bytes) -> bool:
    # Most tools mention no header, and then nothing is walked. An escape may hide the name.
    suspect = b"x-mcp-header" in tool or b"\\" in tool
    return suspect and invalid_annotations(_schema(tool))


def _is_name(name: str) -> bool:
    return 0 < len(name) <= NAME_CHARACTERS and name.isprintable() and name == name.strip()
