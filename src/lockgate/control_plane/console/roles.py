"""The room Roles: what the visitor holds, and the requests of others."""

import asyncio
from collections.abc import Callable

import msgspec
from starlette.responses import Response

from lockgate.control_plane.console.backing import Backing, Visitor
from lockgate.control_plane.console.pages import go
from lockgate.control_plane.console.rooms import ROLES
from lockgate.control_plane.console.visit import Visit
from lockgate.control_plane.services.privileges import MINUTE_MS, Privileges, state_of
from lockgate.control_plane.services.refused import Refused
from lockgate.model.privilege import ADMIN_ROLES, RECOVERY, AdminRole, Privilege

_FORMS = ("request", "grant", "deny", "revoke")


class Seen(msgspec.Struct, frozen=True):
    held: tuple[Privilege, ...]
    asked: tuple[Privilege, ...]
    waiting: tuple[Privilege, ...]
    """Requests of others that the visitor may answer."""


class RolePages:
    def __init__(self, backing: Backing) -> None:
        self._backing = backing

    async def room(self, visit: Visit) -> Response:
        seen = await asyncio.to_thread(self.seen, visit.visitor)
        return visit.page(
            "roles.html", "Who may change the gateway",
            held=seen.held, asked=seen.asked, waiting=seen.waiting, roles=ADMIN_ROLES,
            longest=self._backing.rules().longest // MINUTE_MS,
            may_ask=visit.visitor.session.identity != RECOVERY,
            tokens={one: visit.token(f"/console/{one}") for one in _FORMS},
        )  # fmt: skip

    async def ask(self, visit: Visit) -> Response:
        service, fields = self._backing.privileges_of(visit.visitor.actor), visit.fields
        lasts = _minutes(fields.get("minutes", "")) * MINUTE_MS
        role, reason = _role(fields.get("role", "")), fields.get("reason", "")
        await asyncio.to_thread(service.request, role, reason, lasts)
        return go(ROLES)

    async def grant(self, visit: Visit) -> Response:
        return await self._step(visit, Privileges.grant)

    async def deny(self, visit: Visit) -> Response:
        return await self._step(visit, Privileges.deny)

    async def revoke(self, visit: Visit) -> Response:
        return await self._step(visit, Privileges.revoke)

    async def _step(self, visit: Visit, step: Callable[[Privileges, str], Privilege]) -> Response:
        service = self._backing.privileges_of(visit.visitor.actor)
        await asyncio.to_thread(step, service, visit.fields.get("id", ""))
        return go(ROLES)

    def seen(self, visitor: Visitor) -> Seen:
        """Blocks; raises ``StoreDown``."""
        mine, rules = visitor.session.identity, self._backing.rules()
        now = self._backing.sessions.now_ms()
        found = [(p, state_of(p, now)) for p in self._backing.privileges_of(visitor.actor).list()]
        waiting = tuple(p for p, state in found if state == "waiting")
        return Seen(
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
