"""Questions in a console's store, and a browser that answers one."""

from typing import Any

from lockgate.approval.payload import stored
from lockgate.approval.rules import ApprovalRules, FactorRule
from lockgate.model import Call, binding_of
from lockgate.model.inquiry import Inquiry
from support.browser import Answer, Browser
from support.console_desk import ConsoleDesk
from support.inquiries import inquiry
from worlds import call

ROOM, ANSWER = "/console/approvals", "/console/approvals/answer"
RULES = ApprovalRules({
    "owner": FactorRule(people=frozenset({"oidc:dora", "oidc:erin"})),
    "grave": FactorRule(people=frozenset({"oidc:dora"}), step_up=True),
    "acting": FactorRule(confirm=True),
}, frozenset({"oidc:vera"}))  # fmt: skip
HELD = call("delete_patient", patient_id="p-1", note="<script>alert(1)</script>\u202etxt.exe")


def ask(desk: ConsoleDesk, id: str = "q1", asked: Call = HELD, **changes: Any) -> Inquiry:
    """Alice's agent wants to delete a patient; an owner must say yes."""
    desk.approvers.rules = RULES
    now = desk.now_ms()
    question = binding_of(asked, {"approval.gate": id})
    times = {"created": now, "expires": now + 900_000, "kept_until": now + 10**7}
    one = inquiry(id, **{"binding": question, "digest": question.digest, "holder": "person:alice",
                         **times, **changes})  # fmt: skip
    return desk.inquiries.add(one, stored(asked))


async def say(browser: Browser, id: str, answer: str, **more: str) -> Answer:
    """Look at the page, and press a button."""
    page = await browser.get(f"{ROOM}/{id}")
    return await browser.submit(page, ANSWER, answer=answer, **more)


def state(desk: ConsoleDesk, id: str = "q1") -> str:
    found = desk.inquiries.get(id)
    assert found is not None
    return found.inquiry.state
