"""The pages of whoever is signed in: their roles, and the requests of others."""

import asyncio
from collections.abc import Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from lockgate.control_plane.console.backing import (
    Backing,
    SignedOut,
    Visitor,
    sent,
    visitor_of,
)
from lockgate.control_plane.console.pages import go, page
from lockgate.control_plane.services.privileges import MINUTE_MS, Privileges, state_of
from lockgate.control_plane.services.refused import Refused
from lockgate.model.privilege import ADMIN_ROLES, RECOVERY, AdminRole, Privilege

_FORMS = ("request", "grant", "deny", "revoke", "sign-out")


class Home(msgspec.Struct, frozen=True):
    """What the first page shows."""

    held: tuple[Privilege, ...]
    asked: tuple[Privilege, ...]
    waiting: tuple[Privilege, ...]
    """Requests of others that the visitor may answer."""


class RolePages:
    def __init__(self, backing: Backing) -> None:
        self._backing = backing

    async def home(self, request: Request) -> Response:
        try:
            visitor = await visitor_of(request, self._backing)
        except SignedOut:
            return page("hello.html", title="Lockgate")
        seen = await asyncio.to_thread(self._home, visitor)
        sessions, owner = self._backing.sessions, visitor.session.hash
        response = page(
            "home.html", title="Who may change the gateway", session=visitor.session,
            held=seen.held, asked=seen.asked, waiting=seen.waiting, roles=ADMIN_ROLES,
            longest=self._backing.rules().longest // MINUTE_MS,
            may_ask=visitor.session.identity != RECOVERY,
            tokens={one: sessions.form_token(owner, f"/console/{one}") for one in _FORMS},
        )  # fmt: skip
        return visitor.keep(response)

    async def ask(self, request: Request) -> Response:
        visitor, fields = await sent(request, self._backing)
        service = self._backing.privileges_of(visitor.actor)
        lasts = _minutes(fields.get("minutes", "")) * MINUTE_MS
        role, reason = _role(fields.get("role", "")), fields.get("reason", "")
        await asyncio.to_thread(service.request, role, reason, lasts)
        return visitor.keep(go())

    async def grant(self, request: Request) -> Response:
        return await self._step(request, Privileges.grant)

    async def deny(self, request: Request) -> Response:
        return await self._step(request, Privileges.deny)

    async def revoke(self, request: Request) -> Response:
        return await self._step(request, Privileges.revoke)

    async def _step(
        self, request: Request, step: Callable[[Privileges, str], Privilege]
    ) -> Response:
        visitor, fields = await sent(request, self._backing)
        service = self._backing.privileges_of(visitor.actor)
        await asyncio.to_thread(step, service, fields.get("id", ""))
        return visitor.keep(go())

    def _home(self, visitor: Visitor) -> Home:
        mine, rules = visitor.session.identity, self._backing.rules()
        now = self._backing.sessions.now_ms()
        found = [(p, state_of(p, now)) for p in self._backing.privileges_of(visitor.actor).list()]
        waiting = tuple(p for p, state in found if state == "waiting")
        return Home(
            held=tuple(p for p, state in found if state == "active" and p.holder == mine),
            asked=tuple(p for p in waiting if p.holder == mine),
            waiting=tuple(
                p for p in waiting if p.holder != mine and rules.may_grant(mine, p.role)
            ),
        )  # fmt: skip


def _minutes(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5):
        raise Refused("That is no number of minutes.", "Write for instance 60.")
    return int(text)


def _role(text: str) -> AdminRole:
    found = next((role for role in ADMIN_ROLES if role == text), None)
    if found is None:
        raise Refused("There is no such role.")
    return found
