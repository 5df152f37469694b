from support.console_desk import ROLES, ConsoleDesk

WHY = {"reason": "to rotate a key", "minutes": "30"}


async def test_a_role_is_asked_for_given_by_another_and_given_up(desk: ConsoleDesk) -> None:
    bob, carol = await desk.signed_in("bob"), await desk.signed_in("carol")
    asked = await bob.submit(await bob.get(ROLES), "/console/request", role="operator", **WHY)
    assert asked.status == 303
    (one,) = desk.privileges.list()
    assert (one.holder, one.role, one.lasts) == ("oidc:bob", "operator", 1_800_000)
    assert "You asked for operator" in (await bob.get(ROLES)).text
    given = await carol.submit(await carol.get(ROLES), "/console/grant", id=one.id)
    assert given.status == 303
    page = await bob.get(ROLES)
    assert "oidc:carol" in page.text
    assert (await bob.submit(page, "/console/revoke", id=one.id)).status == 303
    assert "None now." in (await bob.get(ROLES)).text
    actions = [e.header["action"] for e in desk.journal]
    assert actions[2:] == ["privilege.request", "privilege.grant", "privilege.revoke"]


async def test_a_dangerous_role_takes_two_people(desk: ConsoleDesk) -> None:
    bob = await desk.signed_in("bob")
    await bob.submit(await bob.get(ROLES), "/console/request", role="responder", **WHY)
    (one,) = desk.privileges.list()
    carol, dave = await desk.signed_in("carol"), await desk.signed_in("dave")
    await carol.submit(await carol.get(ROLES), "/console/grant", id=one.id)
    assert desk.privileges.list()[0].granted == 0
    again = await carol.submit(await carol.get(ROLES), "/console/grant", id=one.id)
    assert again.status == 403
    await dave.submit(await dave.get(ROLES), "/console/grant", id=one.id)
    assert desk.privileges.list()[0].granted > 0


async def test_who_may_not_give_a_role_sees_no_requests_and_is_refused(desk: ConsoleDesk) -> None:
    bob, eve = await desk.signed_in("bob"), await desk.signed_in("eve")
    await bob.submit(await bob.get(ROLES), "/console/request", role="operator", **WHY)
    (one,) = desk.privileges.list()
    page = await eve.get(ROLES)
    assert one.id not in page.text
    token = desk.sessions.form_token(session_of(desk, eve.jar), "/console/grant")
    found = await eve.post("/console/grant", {"token": token, "id": one.id})
    assert (found.status, "may not give" in found.text) == (403, True)
    assert desk.privileges.list()[0].granted == 0


async def test_a_request_is_withdrawn_or_denied(desk: ConsoleDesk) -> None:
    bob, carol = await desk.signed_in("bob"), await desk.signed_in("carol")
    for role in ("operator", "reader"):
        await bob.submit(await bob.get(ROLES), "/console/request", role=role, **WHY)
    one, other = desk.privileges.list()
    assert (await bob.submit(await bob.get(ROLES), "/console/deny", id=one.id)).status == 303
    assert (await carol.submit(await carol.get(ROLES), "/console/deny", id=other.id)).status == 303
    assert all(p.ended for p in desk.privileges.list())


async def test_bad_requests_are_told_so(desk: ConsoleDesk) -> None:
    bob = await desk.signed_in("bob")
    page = await bob.get(ROLES)
    for changed in (
        {"role": "king"}, {"minutes": "1e3"}, {"minutes": "99999"}, {"minutes": ""},
        {"reason": ""}, {"reason": "x" * 501},
    ):  # fmt: skip
        fields = {"role": "reader", **WHY, **changed}
        assert (await bob.submit(page, "/console/request", **fields)).status == 403
    assert desk.privileges.list() == ()


async def test_what_others_typed_is_only_text(desk: ConsoleDesk) -> None:
    bob, carol = await desk.signed_in("bob"), await desk.signed_in("carol")
    reason = '<script>alert(1)</script>"><img src=x>'
    page = await bob.get(ROLES)
    await bob.submit(page, "/console/request", role="reader", minutes="5", reason=reason)
    for browser in (bob, carol):
        text = (await browser.get(ROLES)).text
        assert "<script>" not in text
        assert "<img" not in text
        assert "&lt;script&gt;" in text


async def test_other_roles_mean_a_new_id_and_old_forms_are_void(desk: ConsoleDesk) -> None:
    bob, carol = await desk.signed_in("bob"), await desk.signed_in("carol")
    await bob.submit(await bob.get(ROLES), "/console/request", role="operator", **WHY)
    page, before = await bob.get(ROLES), dict(bob.jar)
    (one,) = desk.privileges.list()
    await carol.submit(await carol.get(ROLES), "/console/grant", id=one.id)
    late = await bob.submit(page, "/console/request", role="reader", **WHY)
    assert late.status == 409
    assert bob.jar != before
    assert len(desk.privileges.list()) == 1
    assert await desk.is_in(bob)
    bob.jar.update(before)
    assert not await desk.is_in(bob), "the old id is worth nothing"


def session_of(desk: ConsoleDesk, jar: dict[str, str]) -> str:
    found = desk.sessions.recognise(jar["__Host-lockgate"])
    assert found is not None
    return found.hash
