import msgspec

from lockgate.control_plane.console.upstreams import MOST_TOOLS
from lockgate.control_plane.services.upstream_rows import ToolRow
from support.console_desk import ConsoleDesk
from support.console_rooms import BROKEN, MAIL

PATH = "/console/upstreams"


async def test_each_upstream_is_listed_with_how_it_is(desk: ConsoleDesk) -> None:
    desk.upstreams = (MAIL, BROKEN)
    page = (await (await desk.holding("reader")).get(PATH)).text
    for text in ("mail", "internal", "eu", "letters", "account", "1 held", "2 open, 1 busy",
                 "ledger", "failing", "upstream.crashed", "untrusted"):  # fmt: skip
        assert text in page


async def test_one_upstream_with_its_tools(desk: ConsoleDesk) -> None:
    desk.upstreams = (MAIL, BROKEN)
    reader = await desk.holding("reader")
    page = (await reader.get(f"{PATH}/mail")).text
    for text in ("send", "Sends a letter.", "data-owner", ">a1b2c3d4e5f6<", "2026-07-28",
                 "one for each person", "/mcp/mail"):  # fmt: skip
        assert text in page
    other = (await reader.get(f"{PATH}/ledger")).text
    assert "Nobody listed its tools lately" in other
    assert 'role="alert"' in other
    assert (await reader.get(f"{PATH}/none")).status == 404


async def test_many_tools_do_not_make_a_page_large(desk: ConsoleDesk) -> None:
    tools = tuple(ToolRow(f"tool{n}", "x" * 300, "a" * 64, "") for n in range(2 * MOST_TOOLS))
    desk.upstreams = (msgspec.structs.replace(MAIL, tools=tools),)
    page = (await (await desk.holding("reader")).get(f"{PATH}/mail")).text
    assert f"And {MOST_TOOLS} more" in page
    assert len(page) < 100_000


async def test_without_any_the_page_says_so(desk: ConsoleDesk) -> None:
    assert "There are no upstreams" in (await (await desk.holding("reader")).get(PATH)).text
