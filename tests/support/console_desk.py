"""A console behind an ingress, without a socket: what browsers send, and what they see."""

import os
from collections.abc import Callable, Mapping
from typing import Protocol
from urllib.parse import urlencode

import msgspec

from lockgate.app.news import News
from lockgate.app.stamps import now_ms
from lockgate.approval.approvers import Approvers
from lockgate.approval.payload import StoredCall
from lockgate.approval.preview import NoPreview
from lockgate.approval.rules import ApprovalRules
from lockgate.control_plane.console.application import console
from lockgate.control_plane.console.backing import Backing
from lockgate.control_plane.console.ending import EndingStore, SessionsEnd
from lockgate.control_plane.console.provider import Client, Provider
from lockgate.control_plane.console.sessions import Sessions, SessionStore
from lockgate.control_plane.services.acting import Actor
from lockgate.control_plane.services.logouts import Logouts
from lockgate.control_plane.services.privileges import Privileges, Rules
from lockgate.control_plane.services.upstream_rows import UpstreamRow
from lockgate.identity.id_token import IdTokenCheck
from lockgate.identity.logout_token import LogoutCheck
from lockgate.model import AuditEvent
from lockgate.model.privilege import AdminRole
from lockgate.store.calls import StoredCalls
from lockgate.store.console_sessions import MemoryConsoleSessions
from lockgate.store.directory import Directory
from lockgate.store.events import StoredEvents
from lockgate.store.memory_inquiries import MemoryInquiries
from lockgate.store.memory_keys import MemoryKeys
from lockgate.store.memory_people import MemoryPeople
from lockgate.store.recovery import MemoryRecovery
from lockgate.store.relations import MemoryRelations
from lockgate.store.sealing import AesGcmSealer
from lockgate.store.standing import HeldStanding
from support.browser import Answer, Browser, to_application
from support.house import EDGE, House
from support.inquiries import role as held_role
from support.issuer import CLIENT, ISSUER, SECRET, Issuer
from support.scratch_database import scratch_database

ORIGIN = "https://gate.example:8765"
HOME, ROLES = "/console/", "/console/roles"


class DeskStore(SessionStore, EndingStore, Protocol):
    """All of a store of sessions."""


def provider_at(issuer: Issuer, now_ms: Callable[[], int]) -> Provider:
    """As the console sees it."""
    client = Client(ISSUER, CLIENT, f"{ORIGIN}/console/callback", SECRET)
    check = IdTokenCheck(lambda: issuer.known, CLIENT, issuer.keys)
    return Provider(issuer, client, issuer.described, check, now_ms)


class ConsoleDesk:
    """``now`` is ours alone: the issuer's clock is the real one, and both begin together."""

    def __init__(self, store: DeskStore | None = None) -> None:
        self.issuer = Issuer()
        self.store = store or MemoryConsoleSessions()
        self.inquiries = MemoryInquiries(self.now_ms)
        self.recovery = MemoryRecovery()
        self.engine = scratch_database()
        self.events = StoredEvents(self.engine)
        self.keys, self.people = MemoryKeys(), MemoryPeople()
        self.upstreams: tuple[UpstreamRow, ...] = ()
        self.rules = Rules(granters=frozenset({"oidc:carol", "oidc:dave", "oidc:alice"}))
        self.refused: list[tuple[str, str]] = []
        self.later = 0
        """Milliseconds by which our clock has gone on."""
        self.sessions = Sessions(self.store, AesGcmSealer(b"k" * 32), self.now_ms, self.random)
        ends = (SessionsEnd(ISSUER, self.store, self.events, self.now_ms, self.random),)
        check = LogoutCheck(lambda: {ISSUER: self.issuer.known}, self.issuer.keys)
        self.news = News(self, {})
        self.standing = HeldStanding(
            self.inquiries, MemoryRelations(), lambda: True, self.now_ms, 10**9
        )
        self.directory = Directory(MemoryPeople())
        roles = ApprovalRules(self.rules.factors)
        self.approvers = Approvers(roles, self.directory, self.standing)
        self.preview_says = ""
        self.look()
        self.backing = Backing(
            provider_at(self.issuer, self.now_ms), self.sessions, self.recovery, self.events,
            lambda: self.rules, Logouts(check, ends, self.now_ms), b"pepper",
            lambda reason, peer: self.refused.append((reason, peer)), self.news,
            self.inquiries, self.approvers, self,
            StoredCalls(self.engine), self.keys, self.people, lambda: self.upstreams,
        )  # fmt: skip
        self.application = console(self.backing)
        self._house: House | None = None

    @property
    def house(self) -> House:
        """Needs a running loop."""
        if self._house is None:
            self._house = House(msgspec.structs.replace(EDGE, console=ORIGIN))
            self._house.ingress.console = self.application
        return self._house

    def offered(self, upstream: str, tool: str) -> bool:
        """As of the previews."""
        return bool(self.preview_says)

    async def preview(self, held: StoredCall, asked: int) -> str:
        if self.preview_says == "none":
            raise NoPreview("this tool has none")
        return f"{self.preview_says} {held.target}"

    def look(self) -> None:
        """Know who holds which role now."""
        self.standing.refresh(self.now_ms())
        self.directory.refresh(self.now_ms())

    def hold(self, who: str, *roles: AdminRole) -> None:
        """``who`` has these roles from now on."""
        for role in roles:
            id = f"held-{len(self.inquiries.listed())}"
            held = held_role(f"oidc:{who}", role, self.now_ms(), id=id, digest=id)
            self.inquiries.add(held, b"")
        self.look()

    async def holding(self, *roles: AdminRole, who: str = "alice") -> Browser:
        """Signed in, with these roles."""
        self.hold(who, *roles)
        return await self.signed_in(who)

    def versions(self) -> Mapping[str, int]:
        """As of the feed."""
        asked = sum(a.inquiry.version for a in self.inquiries.listed())
        return {"journal": self.events.count(), "inquiry": asked}

    def now_ms(self) -> int:
        return now_ms() + self.later

    @staticmethod
    def random(count: int) -> bytes:
        return os.urandom(count)

    def browser(self) -> Browser:
        return Browser(to_application(self.house.ingress), ORIGIN)

    async def signed_in(self, who: str = "alice") -> Browser:
        browser = self.browser()
        answer = await self.sign_in(browser, who)
        assert (answer.status, answer.header("location")) == (303, HOME), answer.text
        return browser

    async def sign_in(self, browser: Browser, who: str = "alice") -> Answer:
        """The last answer of it."""
        begun = await browser.get("/console/sign-in")
        assert begun.status == 303, begun.text
        return await self.back(browser, self.issuer.authorize(begun.header("location"), who))

    async def back(self, browser: Browser, answer: Mapping[str, str]) -> Answer:
        return await browser.get(f"/console/callback?{urlencode(answer)}")

    async def is_in(self, browser: Browser) -> bool:
        return "Signed in as" in (await browser.get(HOME)).text

    @property
    def privileges(self) -> Privileges:
        return self.backing.privileges_of(Actor("os:test", "cli"))

    async def code(self) -> str:
        """A recovery code."""
        return self.backing.recovery_of(Actor("os:opal", "cli", "opal")).make()

    @property
    def journal(self) -> list[AuditEvent]:
        return [row.event for row in self.events.tail(100)]
