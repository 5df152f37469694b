import json
from typing import Any

from lockgate.model import Tool, Upstream
from lockgate.upstream.catalogue import REMEMBERED, Registry, ToolCache, tools_in, unusable
from lockgate.upstream.target import HttpTarget, Registered

OWN = Upstream("own")
SHARED = Upstream("shared", sharing="shared")


def listed(*tools: Any) -> bytes:
    return json.dumps({"tools": tools}).encode()


def named(name: Any, **rest: Any) -> dict[str, Any]:
    return {"name": name, "inputSchema": {"type": "object"}, **rest}


def annotated(header: str) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": {"type": "string", "x-mcp-header": header}}}


def a_tool(name: str = "t") -> Tool:
    return Tool("own", name, b"{}", b"{}")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_registry_is_replaced_as_a_whole() -> None:
    one, two = (Registered(Upstream(n), HttpTarget(f"http://{n}")) for n in ("one", "two"))
    registry = Registry([one])
    assert registry.get("one") is one
    registry.replace([two])
    assert registry.get("one") is None
    assert registry.all() == (two,)


def test_tools_keep_their_bytes_and_schema() -> None:
    raw = b'{"tools":[ {"name":"a", "x": 1.50, "inputSchema": { "type":"object" } } ]}'
    (tool,) = tools_in(OWN, raw)
    assert (tool.upstream, tool.name) == ("own", "a")
    assert tool.raw == b'{"name":"a", "x": 1.50, "inputSchema": { "type":"object" } }'
    assert tool.schema == b'{ "type":"object" }'


def test_what_cannot_be_used_is_dropped() -> None:
    raw = listed(
        named("good"),
        named(""),
        named(7),
        named("x" * 300),
        named("line\nend"),
        named(" space"),
        named("twice"),
        named("twice", title="other"),
        "no object",
        named("bad-header", inputSchema=annotated("not a token")),
        named("good-header", inputSchema=annotated("Region")),
        {"name": "no-schema"},
    )
    assert [tool.name for tool in tools_in(OWN, raw)] == ["good", "good-header", "no-schema"]
    assert unusable(raw) == frozenset(range(1, 10))


def test_an_escape_does_not_hide_a_bad_annotation() -> None:
    raw = listed(named("t", inputSchema=annotated("not a token")))
    assert tools_in(OWN, raw.replace(b"x-mcp-header", b"x-mcp-he\\u0061der")) == ()


def test_each_principal_has_its_own_list() -> None:
    cache = ToolCache(Clock())
    cache.put(OWN, "alice", [a_tool()])
    assert cache.get("own", "alice", "t") == a_tool()
    assert cache.get("own", "alice", "other") is None
    assert cache.get("own", "bob", "t") is None
    assert cache.tools("own", "bob") is None


def test_a_shared_upstream_has_one_list() -> None:
    cache = ToolCache(Clock())
    cache.put(SHARED, "alice", [a_tool()])
    assert cache.tools("shared", "bob") == (a_tool(),)


def test_what_is_no_longer_shared_is_no_longer_served_to_all() -> None:
    cache = ToolCache(Clock())
    cache.put(SHARED, "alice", [a_tool()])
    cache.put(Upstream("shared"), "alice", [a_tool()])
    assert cache.tools("shared", "bob") is None
    assert cache.tools("shared", "alice") == (a_tool(),)


def test_lists_go_stale_and_are_replaced() -> None:
    clock = Clock()
    cache = ToolCache(clock, ttl=10)
    cache.put(OWN, "alice", [a_tool("old")])
    cache.put(OWN, "alice", [a_tool("new")])
    assert cache.get("own", "alice", "old") is None
    clock.now = 9.9
    assert cache.tools("own", "alice") == (a_tool("new"),)
    clock.now = 10
    assert cache.tools("own", "alice") is None


def test_an_empty_list_is_known() -> None:
    cache = ToolCache(Clock())
    cache.put(OWN, "alice", [])
    assert cache.tools("own", "alice") == ()


def test_forget_one_upstream() -> None:
    cache = ToolCache(Clock())
    cache.put(OWN, "alice", [a_tool()])
    cache.put(SHARED, "alice", [a_tool()])
    cache.forget("own")
    assert cache.tools("own", "alice") is None
    assert cache.tools("shared", "alice") is not None


def test_the_cache_is_bounded() -> None:
    cache = ToolCache(Clock())
    for number in range(REMEMBERED + 1):
        cache.put(OWN, f"p{number}", [a_tool()])
    assert cache.tools("own", "p0") is None
    assert cache.tools("own", f"p{REMEMBERED}") is not None


def test_registry_says_which_a_replacement_would_change() -> None:
    one, two, other = (
        Registered(Upstream(name), HttpTarget(url))
        for name, url in (("one", "http://one"), ("two", "http://two"), ("two", "http://other"))
    )
    registry = Registry([one, two])
    assert registry.changed([one, two]) == frozenset()
    assert registry.changed([one, other]) == {"two"}
    assert registry.changed([two]) == {"one"}
    assert Registry().changed([one]) == frozenset(), "what is new has nothing to lose"
