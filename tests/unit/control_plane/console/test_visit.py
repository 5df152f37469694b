from support.browser import forms_of
from support.console_desk import HOME, ROLES, ConsoleDesk


async def test_a_page_says_who_is_signed_in_where_one_is_and_how_to_leave(
    desk: ConsoleDesk,
) -> None:
    alice = await desk.signed_in()
    page = (await alice.get(ROLES)).text
    assert "<strong>alice</strong>" in page.lower()
    assert page.count('aria-current="page"') == 1
    assert f'href="{ROLES}" aria-current="page"' in page
    for part in ("<header", "<nav", '<main id="main"', 'href="#main"', '<html lang="en">'):
        assert part in page
    assert [form.action for form in forms_of(page)].count("/console/sign-out") == 1


async def test_roles_count_on_pages_also_where_they_are_not_enforced(desk: ConsoleDesk) -> None:
    """Anybody of the company can sign in."""
    assert not desk.rules.enforced
    page = (await (await desk.signed_in()).get(HOME)).text
    assert "No roles now" in page
    assert "/console/keys" not in page


async def test_what_went_wrong_is_told_in_the_visitors_own_frame(desk: ConsoleDesk) -> None:
    alice = await desk.signed_in()
    page = await alice.get(ROLES)
    found = await alice.submit(page, "/console/request", role="king", reason="x", minutes="5")
    assert (found.status, "Signed in as" in found.text) == (403, True)


async def test_a_page_that_nobody_is_signed_in_for_comes_back_after_the_sign_in(
    desk: ConsoleDesk,
) -> None:
    browser = desk.browser()
    begun = await browser.get(f"{ROLES}?x=1")
    assert begun.status == 303
    back = await desk.back(browser, desk.issuer.authorize(begun.header("location")))
    assert back.header("location") == f"{ROLES}?x=1"
    part = await desk.browser().get(ROLES, **{"hx-request": "true"})
    assert (part.status, part.header("hx-redirect")) == (401, "/console/"), (
        "nor signed in by itself"
    )


async def test_a_new_id_is_kept_also_where_the_page_is_refused(desk: ConsoleDesk) -> None:
    """Else whoever gets a role and then goes where they may not would be signed out."""
    alice = await desk.holding("policy_author")
    before = dict(alice.jar)
    assert (await alice.get("/console/keys")).status == 403
    assert alice.jar != before
    assert await desk.is_in(alice)


async def test_what_a_page_asks_for_by_itself_does_not_keep_a_session(desk: ConsoleDesk) -> None:
    """An open page that goes on changing must not stand in for somebody at the desk."""
    alice = await desk.signed_in()
    for minutes in (5, 10, 14):
        desk.later = minutes * 60_000
        assert (await alice.get(ROLES, **{"hx-request": "true"})).status == 200
    desk.later = 16 * 60_000
    assert (await alice.get(ROLES, **{"hx-request": "true"})).status == 401
    assert not await desk.is_in(alice)
