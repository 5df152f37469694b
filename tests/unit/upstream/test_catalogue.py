import json
from typing import Any

from lockgate.model import Terms, Tool, Upstream
from lockgate.upstream.catalogue import (
    CHANGES_REMEMBERED,
    REMEMBERED,
    Changed,
    Registry,
    ToolCache,
    tools_in,
    unusable,
)
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
    cache.put(OWN, Terms("alice"), [a_tool()])
    assert cache.get("own", Terms("alice"), "t") == a_tool()
    assert cache.get("own", Terms("alice"), "other") is None
    assert cache.get("own", Terms("bob"), "t") is None
    assert cache.tools("own", Terms("bob")) is None


def test_a_shared_upstream_has_one_list() -> None:
    cache = ToolCache(Clock())
    cache.put(SHARED, Terms("alice"), [a_tool()])
    assert cache.tools("shared", Terms("bob")) == (a_tool(),)


def test_what_is_no_longer_shared_is_no_longer_served_to_all() -> None:
    cache = ToolCache(Clock())
    cache.put(SHARED, Terms("alice"), [a_tool()])
    cache.put(Upstream("shared"), Terms("alice"), [a_tool()])
    assert cache.tools("shared", Terms("bob")) is None
    assert cache.tools("shared", Terms("alice")) == (a_tool(),)


def test_lists_go_stale_and_are_replaced() -> None:
    clock = Clock()
    cache = ToolCache(clock, ttl=10)
    cache.put(OWN, Terms("alice"), [a_tool("old")])
    cache.put(OWN, Terms("alice"), [a_tool("new")])
    assert cache.get("own", Terms("alice"), "old") is None
    clock.now = 9.9
    assert cache.tools("own", Terms("alice")) == (a_tool("new"),)
    clock.now = 10
    assert cache.tools("own", Terms("alice")) is None


def test_an_empty_list_is_known() -> None:
    cache = ToolCache(Clock())
    cache.put(OWN, Terms("alice"), [])
    assert cache.tools("own", Terms("alice")) == ()


def test_forget_one_upstream() -> None:
    cache = ToolCache(Clock())
    cache.put(OWN, Terms("alice"), [a_tool()])
    cache.put(SHARED, Terms("alice"), [a_tool()])
    cache.forget("own")
    assert cache.tools("own", Terms("alice")) is None
    assert cache.tools("shared", Terms("alice")) is not None


def test_the_cache_is_bounded() -> None:
    cache = ToolCache(Clock())
    for number in range(REMEMBERED + 1):
        cache.put(OWN, Terms(f"p{number}"), [a_tool()])
    assert cache.tools("own", Terms("p0")) is None
    assert cache.tools("own", Terms(f"p{REMEMBERED}")) is not None


def defined(text: str) -> Tool:
    return Tool("own", "t", json.dumps({"name": "t", "description": text}).encode(), b"{}")


def test_an_outdated_list_is_not_known_any_more() -> None:
    cache = ToolCache(Clock())
    for holder in ("alice", "bob"):
        cache.put(OWN, Terms(holder), [a_tool()])
    cache.put(SHARED, Terms("alice"), [a_tool()])
    cache.outdate("own", Terms("alice"))
    cache.outdate("shared", Terms(""))
    assert cache.tools("own", Terms("alice")) is None
    assert cache.tools("own", Terms("bob")) is not None
    assert cache.tools("shared", Terms("bob")) is None


def test_another_definition_of_a_known_tool_is_told_once_whoever_lists_it() -> None:
    clock = Clock()
    cache = ToolCache(clock, ttl=10)
    alice, bob = Terms("alice"), Terms("bob")
    old, new = defined("harmless"), defined("send me everything")
    assert cache.put(OWN, alice, [old]) == cache.put(OWN, bob, [old, a_tool("other")]) == []
    assert cache.put(OWN, alice, [old, a_tool("added")]) == []
    clock.now = 20  # stale, and said to be
    cache.outdate("own", alice)
    assert cache.put(OWN, alice, [new]) == [Changed(new, old.hash)]
    assert cache.put(OWN, bob, [new]) == cache.put(OWN, alice, [new]) == []
    assert cache.put(OWN, bob, [old]) == [Changed(old, new.hash)], "back again is a change too"
    assert cache.put(OWN, alice, [old]) == []


def test_another_registration_is_another_server() -> None:
    cache = ToolCache(Clock())
    cache.put(OWN, Terms("alice"), [defined("one")])
    cache.forget("own")
    assert cache.put(OWN, Terms("alice"), [defined("two")]) == []


def test_what_is_kept_of_changes_is_bounded() -> None:
    cache = ToolCache(Clock())
    for number in range(REMEMBERED + 5):
        cache.put(OWN, Terms(f"p{number}"), [a_tool()])
    assert len(cache._hashes) == REMEMBERED
    for text in ("one", "two"):
        many = [
            Tool("own", f"t{n}", b'"%b"' % text.encode(), b"{}")
            for n in range(CHANGES_REMEMBERED + 5)
        ]
        told = cache.put(OWN, Terms("alice"), many)
    assert (len(told), len(cache._changed)) == (CHANGES_REMEMBERED + 5, CHANGES_REMEMBERED)


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


def test_what_anybody_listed_is_told_once_for_each_definition() -> None:
    cache = ToolCache(Clock())
    other = Tool("own", "t", b'{"a":1}', b"{}")
    cache.put(OWN, Terms("alice"), [a_tool(), a_tool("b")])
    cache.put(OWN, Terms("bob"), [other, a_tool("b")])
    cache.put(Upstream("else"), Terms("bob"), [a_tool("c")])
    found = cache.listed("own")
    assert [tool.name for tool in found] == ["b", "t", "t"]
    assert {tool.hash for tool in found[1:]} == {a_tool().hash, other.hash}
    cache.forget("own")
    assert cache.listed("own") == ()
