"""What the console's pages stand on, and who is visiting."""

import asyncio
import hashlib
from collections.abc import Callable
from typing import Protocol
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from lockgate.approval.approvers import Approvers
from lockgate.approval.payload import StoredCall
from lockgate.approval.ports import InquiryStore
from lockgate.audit.ports import EventStore
from lockgate.control_plane.console.changes import Changes
from lockgate.control_plane.console.pages import SESSION, put_cookie
from lockgate.control_plane.console.provider import Provider
from lockgate.control_plane.console.sessions import Sessions
from lockgate.control_plane.services.acting import Actor
from lockgate.control_plane.services.approvals import Approvals
from lockgate.control_plane.services.calls import CallStore
from lockgate.control_plane.services.key_rows import PeopleRead
from lockgate.control_plane.services.keys import KeyStore
from lockgate.control_plane.services.logouts import Logouts
from lockgate.control_plane.services.privileges import Privileges, Rules
from lockgate.control_plane.services.recovery import Recovery, RecoveryStore
from lockgate.control_plane.services.upstream_rows import UpstreamRow
from lockgate.model.console import ConsoleSession
from lockgate.model.privilege import RECOVERY, AdminRole

_MOST_FIELDS = 16


class FormRejected(Exception):
    """It was not sent from one of our pages, or not by this session's."""


class SignedOut(Exception):
    """Nobody is signed in (any more)."""


class Previews(Protocol):
    """What held calls would do."""

    def offered(self, upstream: str, tool: str) -> bool: ...

    async def preview(self, held: StoredCall, asked: int) -> str:
        """``asked``: when, in milliseconds since the Unix epoch. Raises
        ``approval.preview.NoPreview``."""
        ...


class Backing(msgspec.Struct, frozen=True):
    provider: Provider
    sessions: Sessions
    recovery: RecoveryStore
    events: EventStore
    rules: Callable[[], Rules]
    """As the settings are now."""
    logouts: Logouts
    pepper: bytes
    refused: Callable[[str, str], None]
    """Told reason and peer of what nobody signed in for."""
    changes: Changes
    inquiries: InquiryStore
    approvers: Approvers
    previews: Previews
    calls: CallStore
    keys: KeyStore
    people: PeopleRead
    upstreams: Callable[[], tuple[UpstreamRow, ...]]
    """As this worker knows them. In memory: asked in the loop."""

    def privileges_of(self, actor: Actor) -> Privileges:
        return Privileges(self.approvals_of(actor), self.rules())

    def approvals_of(self, actor: Actor) -> Approvals:
        return Approvals(self.inquiries, self.events, self.approvers, actor,
                         self.sessions.now_ms, self.sessions.random_bytes)  # fmt: skip

    def recovery_of(self, actor: Actor) -> Recovery:
        return Recovery(self.recovery, self.events, self.pepper, actor,
                        self.sessions.now_ms, self.sessions.random_bytes)  # fmt: skip


class Visitor(msgspec.Struct, frozen=True):
    session: ConsoleSession
    cookie: str = ""
    """A new id that the browser must be given."""
    roles: frozenset[AdminRole] = frozenset()
    """Held now."""
    subject: str = ""
    """What policy calls them; empty for who is no person there."""

    @property
    def actor(self) -> Actor:
        return Actor(self.session.identity, "console", self.session.name, self.subject)

    def keep(self, response: Response) -> Response:
        if self.cookie:
            put_cookie(response, SESSION, self.cookie)
        return response


class NewId(Exception):
    """A form came with an id that is not good any more; the visitor has another one now."""

    def __init__(self, visitor: Visitor) -> None:
        super().__init__("the session has a new id")
        self.visitor = visitor


async def visitor_of(request: Request, backing: Backing, *, touch: bool = True) -> Visitor:
    """Raises ``SignedOut``. Whoever holds other roles than when their session got its id gets a new
    one: what was caught of the old is worth nothing to whoever waits for more. ``touch``: it is a
    request of the person; without it nothing changes, and whoever is due a new id is signed out.
    What a page asks for by itself (htmx says so) is none: an open page must not keep a session."""
    touch = touch and "hx-request" not in request.headers
    cookie = request.cookies.get(SESSION, "")
    found = await asyncio.to_thread(_recognise, cookie, backing, touch) if cookie else None
    if found is None:
        raise SignedOut
    return found


def _recognise(cookie: str, backing: Backing, touch: bool) -> Visitor | None:
    session = backing.sessions.recognise(cookie, touch=touch)
    if session is None or session.identity == RECOVERY:
        return Visitor(session) if session else None
    held = backing.privileges_of(Visitor(session).actor).held()
    ids = ",".join(sorted(one.id for one in held))
    roles = frozenset(one.role for one in held)
    subject = backing.sessions.subject_in(cookie)
    if ids == session.roles:
        return Visitor(session, roles=roles, subject=subject)
    renewed = backing.sessions.renew(session, ids, subject) if touch else None
    return Visitor(renewed[1], renewed[0], roles, subject) if renewed else None


async def sent(request: Request, backing: Backing) -> tuple[Visitor, dict[str, str]]:
    """Who sent a form, and its fields. Raises ``SignedOut``, ``FormRejected`` and ``NewId``."""
    visitor = await visitor_of(request, backing)
    if visitor.cookie:
        raise NewId(visitor)
    return visitor, await form_of(request, backing, visitor.session.hash)


async def form_of(request: Request, backing: Backing, owner: str) -> dict[str, str]:
    """The fields of a form that one of our pages put into this very session. ``owner``: hash of the
    session. Raises ``FormRejected``."""
    fields = await fields_of(request)
    if not backing.sessions.fits(owner, request.url.path, fields.get("token", "")):
        raise FormRejected("the form's token is missing, or of another session or form")
    return fields


async def fields_of(request: Request) -> dict[str, str]:
    """Each at most once. Raises ``FormRejected``."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise FormRejected("not a form")
    try:
        text = (await request.body()).decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text),
                          max_num_fields=_MOST_FIELDS, errors="strict")  # fmt: skip
    except ValueError as error:
        raise FormRejected("the form cannot be read") from error
    found = dict(pairs)
    if len(found) != len(pairs):
        raise FormRejected("a field is there twice")
    if any("\0" in value for value in found.values()):
        raise FormRejected("a field holds NUL, which no store takes")
    return found


def mark_of(cookie: str) -> str:
    """Stands for a cookie where its form is bound to it."""
    return hashlib.sha256(cookie.encode()).hexdigest()
