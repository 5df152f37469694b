from support.console_desk import HOME, ConsoleDesk


async def test_who_is_not_signed_in_sees_the_ways_in(desk: ConsoleDesk) -> None:
    page = await desk.browser().get(HOME)
    assert page.status == 200
    assert "/console/sign-in" in page.text
    assert "<form" not in page.text
    assert "<script" not in page.text


async def test_who_holds_no_role_is_told_where_one_is_asked_for(desk: ConsoleDesk) -> None:
    assert "Ask for one under Roles" in (await (await desk.signed_in()).get(HOME)).text
