"""The room Approvals: what waits for whom, and the page on which one person decides.

Nothing is decided by a GET, so that whoever fetches links ahead decides nothing. What a model wrote
is shown as what it is: raw arguments, never as a reason.
"""

import asyncio
import secrets
from collections.abc import Mapping
from functools import partial
from itertools import islice

import msgspec
from starlette.responses import Response

from lockgate.approval.preview import NoPreview, plan_facts
from lockgate.control_plane.console.backing import Backing
from lockgate.control_plane.console.pages import go
from lockgate.control_plane.console.rooms import APPROVALS
from lockgate.control_plane.console.sign_in import SignInPages
from lockgate.control_plane.console.visit import Visit
from lockgate.control_plane.services.approval_history import History
from lockgate.control_plane.services.approval_statistics import Statistics, statistics
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
LATELY_MS = 30 * 86_400_000
FIGURES_MS = 60_000
"""Figures are of many questions, and the room is asked for again whenever one of them changes."""
MOST, MOST_PAST = 100, 30
LONGEST = 65_536
"""Bytes of what will be sent that a page shows. What is longer nobody reads there, and to render it
would hold up all other requests."""
_ANSWERS: Mapping[str, Answer] = {"yes": "yes", "no": "no", "veto": "veto"}


class Facts(msgspec.Struct, frozen=True):
    """One question, as its page tells it."""

    seen: Shown
    raw: str = ""
    """As they will be sent."""
    too_long: int = 0
    """How many bytes it has, where that is more than a page shows: then it is not decided there."""
    withheld: bool = False
    grave: bool = False
    """It takes a fresh sign-in and a pause."""
    fresh: bool = False
    """The visitor has one."""
    before: History = History()
    """What the same person and agent asked before."""


class ApprovalPages:
    def __init__(self, backing: Backing, signing: SignInPages) -> None:
        self._backing = backing
        self._signing = signing
        self._figured: Statistics | None = None
        self._figured_at = 0

    async def room(self, visit: Visit) -> Response:
        waiting, past, figures = await asyncio.gather(
            asyncio.to_thread(_waiting, visit),
            asyncio.to_thread(questions_of, visit, "past", MOST_PAST),
            asyncio.to_thread(self._figures, visit),
        )
        for_me, others = waiting
        return visit.page(
            "approvals.html", "Approvals", mine=for_me, past=past, base=APPROVALS,
            others=others, figures=figures,
        )  # fmt: skip

    async def one(self, visit: Visit) -> Response:
        facts = await asyncio.to_thread(facts_of, visit, _id(visit))
        one, call = facts.seen.asked.inquiry, facts.seen.call
        shown = call.exact if call and not (facts.withheld or facts.too_long) else None
        return visit.page(
            "approval.html", one.title, facts=facts, one=one, arguments=shown,
            votes=facts.seen.asked.votes,
            live=one.state in LIVE, preview=self._offered(visit, facts), base=APPROVALS,
            pause=_pause(visit, facts), before=facts.before, longest=LONGEST,
            said_yes=_said_yes(visit, facts.seen),
            tokens={way: visit.token(f"{APPROVALS}/{way}") for way in ("answer", "withdraw")},
        )  # fmt: skip

    async def preview(self, visit: Visit) -> Response:
        """What it would do, where its upstream can say. A part of the question's page."""
        facts = await asyncio.to_thread(facts_of, visit, _id(visit))
        said, why = "", ""
        try:
            if facts.seen.call is None or facts.withheld:
                raise NoPreview("the arguments are not shown to you, or kept no more")
            if not _previews(visit, facts):
                raise NoPreview("it is for whoever is asked, as long as the question waits")
            asked = facts.seen.asked.inquiry.created
            said = await self._backing.previews.preview(facts.seen.call, asked)
        except NoPreview as none:
            why = str(none)
        return visit.page(
            "preview.html", "Preview", said=said, why=why, plan=plan_facts(said), base=APPROVALS,
            one=facts.seen.asked.inquiry,
        )  # fmt: skip

    async def sign_in(self, visit: Visit) -> Response:
        """To prove anew who one is, and back to the question."""
        seen = await asyncio.to_thread(service_of(visit).show, _id(visit))
        onward = f"{APPROVALS}/{seen.asked.inquiry.id}"
        return await self._signing.begin_for(onward, anew=True)

    async def answer(self, visit: Visit) -> Response:
        fields = visit.fields
        if fields.get("answer") == "yes":
            await asyncio.to_thread(_check_shown, visit, fields.get("id", ""))
        await asyncio.to_thread(
            answered, visit, fields.get("id", ""), fields.get("digest", ""),
            fields.get("answer", ""), fields.get("note", ""), fields.get("pause", ""),
        )  # fmt: skip
        return go(f"{APPROVALS}/{fields.get('id', '')}")

    async def withdraw(self, visit: Visit) -> Response:
        service, id = service_of(visit), visit.fields.get("id", "")
        await asyncio.to_thread(service.withdraw, id)
        return go(f"{APPROVALS}/{id}")

    def _figures(self, visit: Visit) -> Statistics | None:
        """Of the last 30 days, for whoever looks at everything. Raises ``StoreDown``."""
        if not visit.visitor.roles & LOOKERS:
            return None
        backing, now = self._backing, visit.now
        if self._figured is None or not 0 <= now - self._figured_at < FIGURES_MS:
            rules = backing.approvers.rules
            self._figured = statistics(backing.inquiries, rules, now - LATELY_MS, now)
            self._figured_at = now
        return self._figured

    def _offered(self, visit: Visit, facts: Facts) -> bool:
        call = facts.seen.call
        if call is None or not _previews(visit, facts):
            return False
        return self._backing.previews.offered(call.upstream.name, call.target)


def questions_of(visit: Visit, state: str, most: int) -> tuple[Shown, ...]:
    """``state``: ``waiting``, ``mine`` or ``past``; those that are the visitor's to see. Blocks;
    raises ``StoreDown``."""
    service = service_of(visit)
    if state == "past":
        return service.past(most, partial(looks_at, visit))
    found = mine(service.waiting()) if state == "mine" else service.waiting()
    return tuple(seen for seen in found if looks_at(visit, seen))[:most]


def _waiting(visit: Visit) -> tuple[tuple[Shown, ...], tuple[Shown, ...]]:
    """For the visitor to answer, and for others. Each is cut by itself: what is theirs must not get
    lost behind what is not."""
    found = service_of(visit).waiting()
    for_me = mine(found)
    ids = {seen.asked.inquiry.id for seen in for_me}
    others = (s for s in found if s.asked.inquiry.id not in ids and looks_at(visit, s))
    return for_me[:MOST], tuple(islice(others, MOST))


def facts_of(visit: Visit, id: str) -> Facts:
    """Blocks. Raises ``Refused`` and ``StoreDown``."""
    service = service_of(visit)
    seen = service.show(id)
    if not looks_at(visit, seen):
        raise Refused("This question is not for you to see.", "Ask whoever sent you the link.")
    contents = bool(seen.voice.factors) or seen.voice.own or visit.sees_contents
    call = seen.call if contents else None
    return Facts(
        seen=seen,
        too_long=len(call.params) if call and len(call.params) > LONGEST else 0,
        raw=call.params.decode() if call else "",
        withheld=not contents,
        grave=_grave(visit, seen),
        fresh=_fresh(visit),
        before=service.history(seen) if call else History(),
    )


def answered(
    visit: Visit, id: str, digest: str, said: str, note: str = "", pause: str = ""
) -> None:
    """``pause``: what the page sealed, of a grave question. Blocks; raises ``Refused`` and
    ``StoreDown``."""
    answer, service = _ANSWERS.get(said), service_of(visit)
    if answer is None:
        raise Refused("That is no answer.", "Go back to the question.")
    seen = service.show(id)
    if answer == "yes" and _grave(visit, seen):
        _check_grave(visit, seen, pause)
    service.answer(seen.asked.inquiry.id, digest, answer, note)


def service_of(visit: Visit) -> Approvals:
    return visit.backing.approvals_of(visit.visitor.actor)


def _previews(visit: Visit, facts: Facts) -> bool:
    """Whoever only asked sees what they sent, not what Lockgate may ask the upstream for."""
    seen = facts.seen
    decides = bool(seen.voice.factors) or visit.sees_contents
    return decides and not facts.withheld and seen.asked.inquiry.state == "pending"


def _check_shown(visit: Visit, id: str) -> None:
    if facts_of(visit, id).too_long:
        raise Refused("It is longer than its page shows, so nobody has read all of it there.",
                      f"`lockgate approvals show {id}` shows it whole.")  # fmt: skip


def _check_grave(visit: Visit, seen: Shown, pause: str) -> None:
    if not _fresh(visit):
        raise Refused("This answer takes a fresh sign-in.", "Sign in again on the question's page.")
    opened = visit.backing.sessions.sealer.open(_purpose(visit, seen), pause)
    if opened is None or visit.now < int(opened):
        raise Refused("That was too fast to have been read.", "Look at the question's page again.")


def _pause(visit: Visit, facts: Facts) -> str:
    """Says, sealed, from when on a yes is taken."""
    if not facts.grave:
        return ""
    until = visit.now + secrets.choice(PAUSE_MS)
    sealer = visit.backing.sessions.sealer
    return sealer.seal(_purpose(visit, facts.seen), str(until).encode())


def _said_yes(visit: Visit, seen: Shown) -> bool:
    mine = visit.visitor.session.identity
    return any(vote.voter == mine and vote.answer == "yes" for vote in seen.asked.votes)


def _grave(visit: Visit, seen: Shown) -> bool:
    rules = visit.backing.approvers.rules
    return any(rules.of(need.factor).step_up for need in seen.asked.inquiry.needs)


def _fresh(visit: Visit) -> bool:
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
