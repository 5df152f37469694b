import pytest

from lockgate.control_plane.console.calls import PAGE, place_in
from lockgate.control_plane.services.refused import Refused
from support.console_desk import ConsoleDesk
from support.console_rooms import put_call

CALLS = "/console/calls"


async def test_calls_are_listed_with_who_what_and_why(desk: ConsoleDesk) -> None:
    put_call(desk, "c-first", outcome="policy.permitted", agent="desk-agent")
    put_call(desk, "c-held", "hold", "approval.needed", who="bob")
    put_call(desk, "c-late", outcome="upstream.timeout")
    page = (await (await desk.holding("reader")).get(CALLS)).text
    for text in ("alice", "by desk-agent", "bob", "send", "at mail", "approval.needed", "120 ms",
                 "upstream.timeout", "permitted", "held", "refused"):  # fmt: skip
        assert text in page
    assert page.index("c-late") < page.index("c-held") < page.index("c-first")
    assert page.count("<time datetime=") == 3


@pytest.mark.parametrize(
    ("query", "found"),
    [("principal=bob", {"c2"}), ("decision=deny", {"c3"}), ("reason=upstream.timeout", {"c3"}),
     ("upstream=mail&tool=send", {"c1", "c2", "c3"}), ("tool=none", set()), ("decision=", None),
     ("principal=%20bob%20&decision=hold", {"c2"})],
)  # fmt: skip
async def test_calls_are_found_by_wish(
    desk: ConsoleDesk, query: str, found: set[str] | None
) -> None:
    put_call(desk, "c1", outcome="policy.permitted")
    put_call(desk, "c2", "hold", "approval.needed", who="bob")
    put_call(desk, "c3", outcome="upstream.timeout")
    page = (await (await desk.holding("reader")).get(f"{CALLS}?{query}")).text
    shown = {call for call in ("c1", "c2", "c3") if f"{CALLS}/{call}" in page}
    assert shown == ({"c1", "c2", "c3"} if found is None else found)


async def test_pages_keep_the_wish_and_end(desk: ConsoleDesk) -> None:
    for number in range(PAGE + 3):
        put_call(desk, f"c{number}", who="bob & co")
    reader = await desk.holding("reader")
    first = (await reader.get(f"{CALLS}?principal=bob+%26+co")).text
    assert first.count(f'href="{CALLS}/c') == PAGE
    older = first.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0]
    assert "principal=bob" in older
    second = (await reader.get(older.replace("&amp;", "&"))).text
    assert second.count(f'href="{CALLS}/c') == 3
    assert 'rel="next"' not in second
    assert "Newest" in second


async def test_a_wish_that_cannot_be_one_is_refused(desk: ConsoleDesk) -> None:
    reader = await desk.holding("reader")
    for query in ("decision=maybe", "before=-1", "before=x", f"tool={'x' * 300}", "tool=%00"):
        assert (await reader.get(f"{CALLS}?{query}")).status == 403
    assert place_in("") == 0
    with pytest.raises(Refused):
        place_in("²")


async def test_without_any_the_page_says_so(desk: ConsoleDesk) -> None:
    assert "No calls here" in (await (await desk.holding("reader")).get(CALLS)).text


async def test_one_call_with_all_that_was_said_about_it(desk: ConsoleDesk) -> None:
    put_call(desk, "c1", "hold", "approval.needed", args={"to": "SECRET"})
    reader = await desk.holding("reader")
    page = (await reader.get(f"{CALLS}/c1")).text
    for text in ("policy.cedar", "clock.now", "approval.needed", "alice", "call.intent", "held",
                 "withheld: takes privacy_officer"):  # fmt: skip
        assert text in page
    assert "SECRET" not in page
    assert "192.0.2.9" not in page
    assert (await reader.get(f"{CALLS}/none")).status == 404
    assert (await reader.get(f"{CALLS}/%00")).status == 404
    officer = await desk.holding("privacy_officer", who="olga")
    page = (await officer.get(f"{CALLS}/c1")).text
    assert "SECRET" in page
    assert "withheld" not in page
