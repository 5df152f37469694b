"""The room Approvals: what waits for whom, and the page on which one person decides.

Nothing is decided by a GET, so that whoever fetches links ahead decides nothing. What a model wrote
is shown as what it is: raw arguments, never as a reason.
"""

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

from lockgate.approval.preview import NoPreview, plan_facts
from lockgate.control_plane.console.backing import Backing
from lockgate.control_plane.console.pages import go
from lockgate.control_plane.console.rooms import APPROVALS
from lockgate.control_plane.console.sign_in import SignInPages
from lockgate.control_plane.console.visit import Visit
from lockgate.control_plane.services.approvals import Approvals, Shown, mine
from lockgate.control_plane.services.refused import Refused
from lockgate.model.inquiry import LIVE, Answer
from lockgate.model.privilege import AdminRole

FRESH_MS = 5 * 60_000
"""How long after proving who they are anew somebody may answer what takes that."""
PAUSE_MS = range(3_000, 6_000)
"""How long at least the page of a grave question is looked at before a yes: chosen anew each time,
so that nobody learns to click in time with it."""
LOOKERS: frozenset[AdminRole] = frozenset({"reader", "approver", "privacy_officer", "responder"})
_ANSWERS: Mapping[str, Answer] = {"yes": "yes", "no": "no", "veto": "veto"}


class Facts(msgspec.Struct, frozen=True):
    """One question, as its page tells it."""

    seen: Shown
    arguments: Any = None
    """Decoded; None where they are not for whoever looks, or kept no more."""
    raw: str = ""
    """As they will be sent."""
    withheld: bool = False
    grave: bool = False
    """It takes a fresh sign-in and a pause."""
    fresh: bool = False
    """The visitor has one."""


class ApprovalPages:
    def __init__(self, backing: Backing, signing: SignInPages) -> None:
        self._backing = backing
        self._signing = signing

    async def room(self, visit: Visit) -> Response:
        service = self._service(visit)
        waiting = await asyncio.to_thread(service.waiting)
        past = await asyncio.to_thread(service.past, 30)
        for_me = mine(waiting)
        others = [s for s in waiting if s not in for_me and looks_at(visit, s)]
        return visit.page(
            "approvals.html", "Approvals", mine=for_me, others=others,
            past=[s for s in past if looks_at(visit, s)], base=APPROVALS,
        )  # fmt: skip

    async def one(self, visit: Visit) -> Response:
        facts = await asyncio.to_thread(self._facts, visit)
        one = facts.seen.asked.inquiry
        pending = one.state == "pending"
        return visit.page(
            "approval.html", one.title, facts=facts, one=one, votes=facts.seen.asked.votes,
            live=one.state in LIVE, preview=pending and self._offered(facts), base=APPROVALS,
            pause=self._pause(visit, facts),
            tokens={way: visit.token(f"{APPROVALS}/{way}") for way in ("answer", "withdraw")},
        )  # fmt: skip

    async def preview(self, visit: Visit) -> Response:
        """What it would do, where its upstream can say. A part of the question's page."""
        facts = await asyncio.to_thread(self._facts, visit)
        said, why = "", ""
        try:
            if facts.seen.call is None or facts.withheld:
                raise NoPreview("the arguments are not shown to you, or kept no more")
            said = await self._backing.previews.preview(facts.seen.call)
        except NoPreview as none:
            why = str(none)
        return visit.page(
            "preview.html", "Preview", said=said, why=why, plan=plan_facts(said), base=APPROVALS,
            one=facts.seen.asked.inquiry,
        )  # fmt: skip

    async def sign_in(self, visit: Visit) -> Response:
        """To prove anew who one is, and back to the question."""
        seen = await asyncio.to_thread(self._service(visit).show, _id(visit))
        onward = f"{APPROVALS}/{seen.asked.inquiry.id}"
        return await self._signing.begin_for(onward, anew=True)

    async def answer(self, visit: Visit) -> Response:
        await asyncio.to_thread(self._answer, visit)
        return go(f"{APPROVALS}/{visit.fields.get('id', '')}")

    async def withdraw(self, visit: Visit) -> Response:
        service, id = self._service(visit), visit.fields.get("id", "")
        await asyncio.to_thread(service.withdraw, id)
        return go(f"{APPROVALS}/{id}")

    def _answer(self, visit: Visit) -> None:
        fields, service = visit.fields, self._service(visit)
        answer = _ANSWERS.get(fields.get("answer", ""))
        if answer is None:
            raise Refused("That is no answer.", "Go back to the question.")
        seen = service.show(fields.get("id", ""))
        if answer == "yes" and self._grave(seen):
            self._check_grave(visit, seen)
        service.answer(
            seen.asked.inquiry.id, fields.get("digest", ""), answer, fields.get("note", "")
        )

    def _check_grave(self, visit: Visit, seen: Shown) -> None:
        if not self._fresh(visit):
            raise Refused("This answer takes a fresh sign-in.", "Go back and sign in again there.")
        opened = self._backing.sessions.sealer.open(
            _purpose(visit, seen), visit.fields.get("pause", "")
        )
        if opened is None or visit.now < int(opened):
            raise Refused("That was too fast to have been read.", "Go back and look at it again.")

    def _pause(self, visit: Visit, facts: Facts) -> str:
        """Says, sealed, from when on a yes is taken."""
        if not facts.grave:
            return ""
        until = visit.now + secrets.choice(PAUSE_MS)
        sealer = self._backing.sessions.sealer
        return sealer.seal(_purpose(visit, facts.seen), str(until).encode())

    def _facts(self, visit: Visit) -> Facts:
        seen = self._service(visit).show(_id(visit))
        if not looks_at(visit, seen):
            raise Refused("This question is not for you to see.", "Ask whoever sent you the link.")
        contents = bool(seen.voice.factors) or seen.voice.own or visit.sees_contents
        call = seen.call if contents else None
        return Facts(
            seen=seen,
            arguments=call.arguments if call else None,
            raw=call.params.decode() if call else "",
            withheld=not contents,
            grave=self._grave(seen),
            fresh=self._fresh(visit),
        )

    def _offered(self, facts: Facts) -> bool:
        call = facts.seen.call
        if call is None or facts.withheld:
            return False
        return self._backing.previews.offered(call.upstream.name, call.target)

    def _service(self, visit: Visit) -> Approvals:
        return self._backing.approvals_of(visit.visitor.actor)

    def _grave(self, seen: Shown) -> bool:
        rules = self._backing.approvers.rules
        return any(rules.of(need.factor).step_up for need in seen.asked.inquiry.needs)

    def _fresh(self, visit: Visit) -> bool:
        return visit.now - visit.visitor.session.fresh < FRESH_MS


def looks_at(visit: Visit, seen: Shown) -> bool:
    """Whoever asks, may answer, has answered, or looks at everything."""
    voted = any(v.voter == visit.visitor.session.identity for v in seen.asked.votes)
    voice = seen.voice
    return bool(voice.factors or voice.own or voice.veto or voted or visit.visitor.roles & LOOKERS)


def _id(visit: Visit) -> str:
    return str(visit.request.path_params["id"])


def _purpose(visit: Visit, seen: Shown) -> str:
    return f"console/pause/{visit.visitor.session.hash}/{seen.asked.inquiry.id}"
