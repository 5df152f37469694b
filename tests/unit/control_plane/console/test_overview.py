from support.console_desk import HOME, ConsoleDesk
from support.console_rooms import BROKEN, MAIL, put_call


async def test_who_is_not_signed_in_sees_the_ways_in(desk: ConsoleDesk) -> None:
    page = await desk.browser().get(HOME)
    assert page.status == 200
    assert "/console/sign-in" in page.text
    assert "<form" not in page.text
    assert "<script" not in page.text


async def test_who_holds_no_role_is_told_where_one_is_asked_for(desk: ConsoleDesk) -> None:
    assert "Ask for one under Roles" in (await (await desk.signed_in()).get(HOME)).text


async def test_the_last_six_hours_as_a_picture_and_as_a_table(desk: ConsoleDesk) -> None:
    for number in range(5):
        put_call(desk, f"c{number}", outcome="policy.permitted")
    put_call(desk, "h1", "hold", "approval.needed")
    put_call(desk, "d1", "deny", "policy.denied")
    put_call(desk, "d2", "deny", "policy.denied")
    put_call(desk, "d3", outcome="upstream.timeout")
    put_call(desk, "old", "deny", "quota.exceeded", at=desk.now_ms() - 7 * 3_600_000)
    desk.upstreams = (MAIL, BROKEN)
    page = (await (await desk.holding("reader")).get(HOME)).text
    for text in ("<b>6</b>", "<b>1</b>", "<b>2</b>", "120 ms", "1 of 2", "ledger fails"):
        assert text in page
    assert 'role="img"' in page
    assert "<details>" in page
    assert page.index("reason=policy.denied") < page.index("reason=upstream.timeout")
    assert "quota.exceeded" not in page


async def test_each_sees_what_their_roles_show(desk: ConsoleDesk) -> None:
    put_call(desk, "c1")
    desk.upstreams = (BROKEN,)
    author = (await (await desk.holding("policy_author", who="ann")).get(HOME)).text
    assert ("ledger fails" in author, "Calls in five minutes" in author) == (False, False)
    officer = (await (await desk.holding("privacy_officer", who="olga")).get(HOME)).text
    assert ("Upstreams that fail" in officer, "Calls in five minutes" in officer) == (False, True)
    assert "No calls in the last six hours" not in officer
