"""One visit to a page or a form of the console: who comes, what that takes, how it is framed.

The roles of a page count also where ``admin.enforced`` is off: whoever types commands has an
account on the machine, but anybody of the company can sign in to the console.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lockgate.control_plane.console.backing import Backing, Visitor, sent, visitor_of
from lockgate.control_plane.console.changes import written
from lockgate.control_plane.console.pages import page
from lockgate.control_plane.console.rooms import ROOMS, Room, room_at
from lockgate.control_plane.services.acting import Acting
from lockgate.control_plane.services.acting import Actor as Account
from lockgate.control_plane.services.duties import PAGES, Duty
from lockgate.control_plane.services.refused import Refused


class Frame(msgspec.Struct, frozen=True):
    """What is around a page of whoever is signed in."""

    name: str
    identity: str
    roles: tuple[str, ...]
    rooms: tuple[Room, ...]
    """Those that the visitor may come into."""
    here: str
    """Path of the room that the page belongs to."""
    sign_out: str
    """Token of that form."""
    address: str
    """Path and query of this very page."""
    since: str = ""
    """How far what it shows goes; empty for a page that stays as it is."""
    pace: int = 1
    """See ``Room``."""


class Visit(msgspec.Struct, frozen=True):
    request: Request
    backing: Backing
    visitor: Visitor
    duty: Duty
    fields: Mapping[str, str] = {}
    """Of the form that was sent."""

    @property
    def now(self) -> int:
        return self.backing.sessions.now_ms()

    @property
    def sees_contents(self) -> bool:
        """Arguments, answers and other personal data."""
        return bool(self.visitor.roles.intersection(self.duty.contents))

    @property
    def acting(self) -> Acting:
        """For what the visitor changes."""
        sessions, who = self.backing.sessions, self.visitor.session.identity
        account = Account(who, "console")
        return Acting(account, self.backing.events, sessions.now_ms, sessions.random_bytes)

    def may(self, path: str) -> bool:
        """Whether the visitor may come to that page too."""
        roles = PAGES[path].roles
        return not roles or bool(self.visitor.roles.intersection(roles))

    def token(self, path: str) -> str:
        """For the form that is sent there."""
        return self.backing.sessions.form_token(self.visitor.session.hash, path)

    def page(self, template: str, title: str, **values: Any) -> Response:
        return page(template, title=title, frame=self.request.state.frame, now=self.now, **values)


Answerer = Callable[[Visit], Awaitable[Response]]


def shown(backing: Backing, path: str, answer: Answerer) -> Route:
    """A page of a room."""
    duty = PAGES[path]

    async def enter(request: Request) -> Response:
        visitor = await visitor_of(request, backing)
        await frame(request, backing, visitor)
        check(visitor, duty)
        return visitor.keep(await answer(Visit(request, backing, visitor, duty)))

    return Route(path, enter)


def taken(backing: Backing, path: str, answer: Answerer) -> Route:
    """A form of a room."""
    duty = PAGES[path]

    async def enter(request: Request) -> Response:
        visitor, fields = await sent(request, backing)
        await frame(request, backing, visitor)
        check(visitor, duty)
        return visitor.keep(await answer(Visit(request, backing, visitor, duty, fields)))

    return Route(path, enter, methods=["POST"])


def check(visitor: Visitor, duty: Duty) -> None:
    """Raises ``Refused``."""
    if duty.roles and not visitor.roles.intersection(duty.roles):
        raise Refused(
            f"This takes the admin role {' or '.join(duty.roles)}, which you do not hold now.",
            "Ask for it under Roles.",
        )


async def frame(request: Request, backing: Backing, visitor: Visitor) -> None:
    """Put what is around the page where also pages that say what went wrong find it. Raises
    ``StoreDown``."""
    request.state.visitor = visitor
    url, session, room = request.url, visitor.session, room_at(request.url.path)
    topics: frozenset[str] = frozenset()
    if room and request.method == "GET":
        topics = room.told_to(visitor.roles)
    since = await backing.changes.now(topics) if topics else {}
    request.state.frame = Frame(
        name=session.name,
        identity=session.identity,
        roles=tuple(sorted(visitor.roles)),
        rooms=tuple(one for one in ROOMS if one.open_to(visitor.roles)),
        here=room.path if room else "",
        sign_out=backing.sessions.form_token(session.hash, "/console/sign-out"),
        address=f"{quote(url.path)}?{url.query}" if url.query else quote(url.path),
        since=written(since),
        pace=room.pace if room else 1,
    )
