"""What somebody would try against the page on which people decide."""

import re
from time import process_time

import pytest

from lockgate.control_plane.console.pages import SESSION
from lockgate.model import Person
from support.asked import ANSWER, HELD, ROOM, ask, state
from support.browser import forms_of
from support.console_desk import ConsoleDesk
from worlds import call


@pytest.fixture
def desk() -> ConsoleDesk:
    return ConsoleDesk()


async def test_a_vote_by_a_second_account(desk: ConsoleDesk) -> None:
    """Alice has another account, which the directory knows by the same external id."""
    rows = desk.directory._rows
    rows.put([Person("p1", "scim", "alice", "e-7"), Person("p2", "ldap:hr", "dora", "e-7")])  # type: ignore[attr-defined]
    ask(desk)
    desk.look()
    dora = await desk.signed_in("dora")
    assert "somebody else answers" in (await dora.get(f"{ROOM}/q1")).text
    assert state(desk) == "pending"


async def test_a_vote_under_the_name_that_policy_uses(desk: ConsoleDesk) -> None:
    """The provider's ``sub`` is one name, what policy calls the person another."""
    ask(desk, excluded=("corp/dora",), holder="person:corp/dora")
    known = desk.sessions.subject_in((await desk.signed_in("dora")).jar[SESSION])
    ask(desk, "q2", excluded=(known,), holder=f"person:{known}")
    dora = await desk.signed_in("dora")
    assert "somebody else answers" in (await dora.get(f"{ROOM}/q2")).text


async def test_a_form_of_another_site(desk: ConsoleDesk) -> None:
    """CSRF: no token, an invented one, one for another form."""
    one = ask(desk)
    dora = await desk.signed_in("dora")
    known = desk.sessions.recognise(dora.jar[SESSION])
    assert known is not None
    other = desk.sessions.form_token(known.hash, f"{ROOM}/withdraw")
    for token in ("", "x", other):
        form = {"token": token, "id": "q1", "digest": one.digest, "answer": "yes"}
        assert (await dora.post(ANSWER, form)).status == 403
    assert state(desk) == "pending"


async def test_a_link_that_is_fetched_ahead(desk: ConsoleDesk) -> None:
    """Mail scanners and previews fetch every link they see; some follow what is on the page."""
    one = ask(desk)
    dora = await desk.signed_in("dora")
    page = await dora.get(f"{ROOM}/q1")
    for link in {*re.findall(r'href="([^"]+)"', page.text), ANSWER, f"{ROOM}/withdraw",
                 f"{ANSWER}?id=q1&digest={one.digest}&answer=yes"}:  # fmt: skip
        if link.startswith("/console") and "sign" not in link:
            await dora.get(link)
    assert state(desk) == "pending"


async def test_a_page_in_a_frame(desk: ConsoleDesk) -> None:
    """Clickjacking."""
    ask(desk)
    page = await (await desk.signed_in("dora")).get(f"{ROOM}/q1")
    assert "frame-ancestors 'none'" in page.header("content-security-policy")
    assert page.header("x-frame-options") == "DENY"


async def test_a_yes_to_something_else_than_was_shown(desk: ConsoleDesk) -> None:
    ask(desk)
    other = ask(desk, "q2")
    dora = await desk.signed_in("dora")
    (form,) = [f for f in forms_of((await dora.get(f"{ROOM}/q1")).text) if f.action == ANSWER]
    wrong = {**form.hidden, "digest": other.digest, "answer": "yes"}
    assert (await dora.post(ANSWER, wrong)).status == 403
    assert (await dora.post(ANSWER, {**form.hidden, "id": "q2", "answer": "yes"})).status == 403
    assert (state(desk), state(desk, "q2")) == ("pending", "pending")


async def test_an_approver_who_lost_the_role(desk: ConsoleDesk) -> None:
    ask(desk)
    dora = await desk.signed_in("dora")
    page = await dora.get(f"{ROOM}/q1")
    rules = desk.approvers.rules
    desk.approvers.rules = type(rules)({"owner": rules.of("nobody")})
    assert (await dora.submit(page, ANSWER, answer="yes")).status == 403
    assert state(desk) == "pending"


async def test_guessed_ids(desk: ConsoleDesk) -> None:
    """What is not there and what is not one's to see are told alike."""
    ask(desk)
    eve = await desk.signed_in("eve")
    for id in ("q1", "q2", "../q1", "0" * 32):
        found = await eve.get(f"{ROOM}/{id}")
        assert found.status in (403, 404), id
        assert "delete_patient" not in found.text


async def test_a_number_that_is_shown_as_another_than_is_sent(desk: ConsoleDesk) -> None:
    """It has more digits than a float: rounded, it would be another patient."""
    params = b'{"name":"delete_patient","arguments":{"patient_id":118059162071741130342499}}'
    ask(desk, asked=HELD.rewritten(params))
    page = (await (await desk.signed_in("dora")).get(f"{ROOM}/q1")).text
    assert "<pre>118059162071741130342499</pre>" in page
    assert "e+" not in page


async def test_arguments_so_long_that_their_page_would_hold_up_the_gateway(
    desk: ConsoleDesk,
) -> None:
    """An agent may send megabytes, and the page asks for them again with every change. Nobody
    approves there what is not shown there."""
    one = ask(desk, asked=call("delete_patient", patient_id="\u202e" * 1_000_000))
    dora = await desk.signed_in("dora")
    began = process_time()
    page = await dora.get(f"{ROOM}/q1")
    assert process_time() - began < 1
    assert (len(page.body) < 100_000, "too long to be read here" in page.text) == (True, True)
    assert "Approve" not in page.text
    (form,) = [f for f in forms_of(page.text) if f.action == ANSWER]
    said = await dora.post(ANSWER, {**form.hidden, "digest": one.digest, "answer": "yes"})
    assert (said.status, state(desk)) == (403, "pending")
    assert (await dora.post(ANSWER, {**form.hidden, "answer": "no"})).status == 303


async def test_a_name_that_no_store_takes(desk: ConsoleDesk) -> None:
    """PostgreSQL refuses NUL: it must not look as if the store were down."""
    dora = await desk.signed_in("dora")
    for path in (f"{ROOM}/a\0b", "/console/api/v1/approvals/a\0b"):
        page = await dora.get(path)
        assert (page.status, "There is no question" in page.text) == (403, True)
        assert "\0" not in page.text.replace("\\u0000", "")
