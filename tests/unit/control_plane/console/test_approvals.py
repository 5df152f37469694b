from lockgate.control_plane.console.approvals import FIGURES_MS, FRESH_MS, MOST, MOST_PAST
from lockgate.model.inquiry import Need
from support.asked import ANSWER, HELD, ROOM, ask, say, state
from support.console_desk import ROLES, ConsoleDesk


async def test_who_is_asked_sees_it_and_decides(desk: ConsoleDesk) -> None:
    ask(desk)
    dora = await desk.signed_in("dora")
    assert "Look and decide" in (await dora.get(ROOM)).text
    page = await dora.get(f"{ROOM}/q1")
    for shown in ("person:alice", "desk-agent", "clinic/delete_patient", "patient_id", "p-1",
                  "You speak for owner", "exactly once"):  # fmt: skip
        assert shown in page.text, shown
    said = await say(dora, "q1", "yes", note="seen")
    assert (said.status, said.header("location")) == (303, f"{ROOM}/q1")
    assert state(desk) == "approved"
    after = (await dora.get(f"{ROOM}/q1")).text
    assert "oidc:dora" in after
    assert "Take my yes back" in after


async def test_a_no_ends_it(desk: ConsoleDesk) -> None:
    ask(desk)
    erin = await desk.signed_in("erin")
    await say(erin, "q1", "no")
    assert state(desk) == "denied"
    assert "Nothing waits for you." in (await erin.get(ROOM)).text


async def test_who_asked_sees_it_wait_and_takes_it_back(desk: ConsoleDesk) -> None:
    ask(desk)
    alice = await desk.signed_in("alice")
    page = await alice.get(f"{ROOM}/q1")
    assert "somebody else answers" in page.text
    assert (await alice.submit(page, f"{ROOM}/withdraw", id="q1")).status == 303
    assert state(desk) == "cancelled"


async def test_a_stranger_sees_nothing(desk: ConsoleDesk) -> None:
    ask(desk)
    eve = await desk.signed_in("eve")
    assert "clinic/delete_patient" not in (await eve.get(ROOM)).text
    page = await eve.get(f"{ROOM}/q1")
    assert (page.status, "p-1" in page.text) == (403, False)
    assert (await eve.get(f"{ROOM}/none")).status == 403


async def test_who_may_stop_anything_sees_no_arguments(desk: ConsoleDesk) -> None:
    ask(desk)
    vera = await desk.signed_in("vera")
    page = await vera.get(f"{ROOM}/q1")
    assert ("Not shown to you." in page.text, "patient_id" in page.text) == (True, False)
    await say(vera, "q1", "veto")
    assert state(desk) == "vetoed"


async def test_who_else_must_agree_is_said(desk: ConsoleDesk) -> None:
    ask(desk, needs=(Need("owner", 2),))
    dora = await desk.signed_in("dora")
    assert "once the others agree too" in (await dora.get(f"{ROOM}/q1")).text
    await say(dora, "q1", "yes")
    page = (await dora.get(f"{ROOM}/q1")).text
    assert ("1 yes for" in page, state(desk)) == (True, "pending")


async def test_a_grave_yes_takes_a_fresh_sign_in_and_a_pause(desk: ConsoleDesk) -> None:
    ask(desk, needs=(Need("grave"),))
    dora = await desk.signed_in("dora")
    page = await dora.get(f"{ROOM}/q1")
    assert "Sign in again to say yes" in page.text
    assert "Approve" not in page.text
    refused = await say(dora, "q1", "yes")
    assert (refused.status, "fresh sign-in" in refused.text) == (403, True)
    begun = await dora.get(f"{ROOM}/q1/sign-in")
    assert "max_age=0" in begun.header("location")
    back = await desk.back(dora, desk.issuer.authorize(begun.header("location"), "dora"))
    assert back.header("location") == f"{ROOM}/q1"
    hasty = await say(dora, "q1", "yes")
    assert (hasty.status, "too fast" in hasty.text) == (403, True)
    page = await dora.get(f"{ROOM}/q1")
    desk.later += 6_000
    assert (await dora.submit(page, ANSWER, answer="yes")).status == 303
    assert state(desk) == "approved"


async def test_a_fresh_sign_in_does_not_stay_fresh(desk: ConsoleDesk) -> None:
    ask(desk, needs=(Need("grave"),))
    dora = await desk.signed_in("dora")
    begun = await dora.get(f"{ROOM}/q1/sign-in")
    await desk.back(dora, desk.issuer.authorize(begun.header("location"), "dora"))
    desk.later += FRESH_MS
    assert "Sign in again" in (await dora.get(f"{ROOM}/q1")).text
    denied = await say(dora, "q1", "no")
    assert (denied.status, state(desk)) == (303, "denied"), "a no takes nothing"


async def test_the_acting_person_confirms(desk: ConsoleDesk) -> None:
    ask(desk, needs=(Need("acting"),))
    dora, alice = await desk.signed_in("dora"), await desk.signed_in("alice")
    assert (await dora.get(f"{ROOM}/q1")).status == 403
    await say(alice, "q1", "yes")
    assert state(desk) == "approved"


async def test_what_strangers_wrote_is_shown_and_does_nothing(desk: ConsoleDesk) -> None:
    ask(desk)
    dora = await desk.signed_in("dora")
    page = (await dora.get(f"{ROOM}/q1")).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
    assert "\u202e" not in page
    assert "\\u{202e}" in page
    assert HELD.arguments["note"].endswith("txt.exe")


async def test_an_answer_that_is_none_is_refused(desk: ConsoleDesk) -> None:
    ask(desk)
    dora = await desk.signed_in("dora")
    assert (await say(dora, "q1", "perhaps")).status == 403
    assert state(desk) == "pending"


async def test_a_provider_that_did_not_ask_anew_is_not_believed(desk: ConsoleDesk) -> None:
    ask(desk, needs=(Need("grave"),))
    dora = await desk.signed_in("dora")
    desk.issuer.remembers = True
    begun = await dora.get(f"{ROOM}/q1/sign-in")
    back = await desk.back(dora, desk.issuer.authorize(begun.header("location"), "dora"))
    assert back.status == 400
    assert "Sign in again" in (await dora.get(f"{ROOM}/q1")).text


async def test_what_it_would_do_is_shown_where_the_upstream_can_say(desk: ConsoleDesk) -> None:
    ask(desk)
    dora, vera = await desk.signed_in("dora"), await desk.signed_in("vera")
    place = f"{ROOM}/q1/preview"
    assert place not in (await dora.get(f"{ROOM}/q1")).text
    desk.preview_says = "SCAN patient\n\x1b[31m"
    assert place in (await dora.get(f"{ROOM}/q1")).text
    page = (await dora.get(place)).text
    assert "SCAN patient" in page
    assert "\\u{001b}" in page
    assert "unknown rows" in page
    assert "not shown to you" in (await vera.get(place)).text
    desk.preview_says = "none"
    assert "this tool has none" in (await dora.get(place)).text
    assert (await (await desk.signed_in("eve")).get(place)).status == 403


async def test_what_came_before_is_said(desk: ConsoleDesk) -> None:
    ask(desk, "q0", state="denied", created=desk.now_ms() - 60_000)
    ask(desk, parent="q0")
    dora = await desk.signed_in("dora")
    page = (await dora.get(f"{ROOM}/q1")).text
    assert "asked for this tool 1 times lately" in page
    assert f"{ROOM}/q0" in page
    assert "were edited by somebody" in page


async def test_figures_are_for_whoever_looks_at_everything(desk: ConsoleDesk) -> None:
    ask(desk)
    assert "The last 30 days" not in (await (await desk.signed_in("dora")).get(ROOM)).text
    reader = await desk.holding("reader", who="rita")
    page = (await reader.get(ROOM)).text
    assert "The last 30 days" in page
    assert "Waiting for others" in page


async def test_a_role_that_is_asked_for_is_a_question_too(desk: ConsoleDesk) -> None:
    bob, carol = await desk.signed_in("bob"), await desk.signed_in("carol")
    await bob.submit(await bob.get(ROLES), "/console/request", role="operator",
                     reason="to rotate a key", minutes="30")  # fmt: skip
    (asked,) = desk.inquiries.listed()
    page = await carol.get(f"{ROOM}/{asked.inquiry.id}")
    assert "to rotate a key" in page.text
    assert ("takes effect" in page.text, "exactly once" in page.text) == (True, False)
    await carol.submit(page, ANSWER, answer="yes")
    assert desk.privileges.list()[0].granted


async def test_what_is_ones_own_to_answer_is_not_lost_behind_what_is_not(desk: ConsoleDesk) -> None:
    """Newer than all that fits of what waits for others."""
    now = desk.now_ms()
    for number in range(MOST):
        ask(desk, f"a{number}", needs=(Need("acting"),), created=now - 1_000)
    ask(desk, "zz")
    rita = await desk.holding("reader", who="dora")
    assert "Look and decide" in (await rita.get(ROOM)).text


async def test_what_one_had_to_do_with_is_not_lost_behind_what_others_had(
    desk: ConsoleDesk,
) -> None:
    now = desk.now_ms()
    ask(desk, "q0", state="denied", created=now - 60_000)
    for number in range(MOST_PAST):
        ask(desk, f"a{number}", needs=(Need("acting"),), state="denied")
    assert f"{ROOM}/q0" in (await (await desk.signed_in("dora")).get(ROOM)).text


async def test_who_only_asked_gets_no_preview(desk: ConsoleDesk) -> None:
    """It is Lockgate's call, by its own rights: an agent could have it made at will."""
    ask(desk)
    desk.preview_says = "SCAN patient"
    alice, dora = await desk.signed_in("alice"), await desk.signed_in("dora")
    assert "preview" not in (await alice.get(f"{ROOM}/q1")).text
    page = await alice.get(f"{ROOM}/q1/preview")
    assert ("for whoever is asked" in page.text, "SCAN" in page.text) == (True, False)
    await say(dora, "q1", "no")
    assert "SCAN" not in (await dora.get(f"{ROOM}/q1/preview")).text


async def test_figures_are_not_counted_again_with_every_look(desk: ConsoleDesk) -> None:
    reader = await desk.holding("reader", who="rita")
    assert "<b>1</b><span>questions" in (await reader.get(ROOM)).text
    ask(desk)
    assert "<b>1</b><span>questions" in (await reader.get(ROOM)).text
    desk.later += FIGURES_MS
    assert "<b>2</b><span>questions" in (await reader.get(ROOM)).text


async def test_a_title_hides_and_turns_nothing(desk: ConsoleDesk) -> None:
    """A tool's name is its server's."""
    ask(desk, title="clinic/\u202edelete\u200b\u3164")
    page = (await (await desk.signed_in("dora")).get(f"{ROOM}/q1")).text
    assert not set(page) & set("\u202e\u200b\u3164")


async def test_what_holds_for_many_calls_is_not_promised_to_run_once(desk: ConsoleDesk) -> None:
    ask(desk, kind="grant", uses=50, window=3_600_000)
    page = (await (await desk.signed_in("dora")).get(f"{ROOM}/q1")).text
    assert "at most 50, for 60 min" in page
    assert "exactly" not in page


async def test_only_who_said_yes_to_a_call_is_asked_whether_to_take_it_back(
    desk: ConsoleDesk,
) -> None:
    ask(desk)
    dora, erin = await desk.signed_in("dora"), await desk.signed_in("erin")
    await say(dora, "q1", "yes")
    assert "Take my yes back" in (await dora.get(f"{ROOM}/q1")).text
    assert "Take my yes back" not in (await erin.get(f"{ROOM}/q1")).text
