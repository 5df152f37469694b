"""Coming in and going out: by the identity provider, by a recovery code, and by its word (logout).

There is no parameter that says where to go afterwards, so no page of others can choose it: other
pages of ours that need somebody signed in say it, and the browser carries it sealed.
"""

import asyncio
import hashlib
import hmac
from functools import partial
from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from lockgate.control_plane.console.backing import (
    Backing,
    FormRejected,
    SignedOut,
    fields_of,
    form_of,
    mark_of,
    sent,
    visitor_of,
)
from lockgate.control_plane.console.failures import SignInFailed
from lockgate.control_plane.console.pages import (
    HOME,
    SESSION,
    VISIT,
    VISIT_SECONDS,
    drop_cookie,
    go,
    page,
    put_cookie,
    told,
)
from lockgate.control_plane.console.provider import SignIn
from lockgate.control_plane.console.sessions import ABSOLUTE_MS, RECOVERY_MS
from lockgate.control_plane.services.acting import Actor
from lockgate.control_plane.services.plain_text import visible
from lockgate.identity.jwt import NotAccepted
from lockgate.identity.key_sets import KeysUnknown
from lockgate.model import AuditEvent
from lockgate.model.privilege import RECOVERY

_SIGN_IN, _RECOVER = "console/sign-in", "console/recover"
"""Purposes of the visit's cookie."""


LONGEST_ONWARD = 2_048
"""Characters. Browsers take cookies of 4,096 bytes, names and all (RFC 6265bis, section 5.6)."""


class Opened(msgspec.Struct, frozen=True):
    """Who has signed in."""

    actor: Actor
    sid: str
    lasts: int
    """Milliseconds."""
    subject: str = ""
    """As policy names the person; empty for the recovery admin."""
    anew: bool = False
    """They have just proved who they are."""


class SignInPages:
    def __init__(self, backing: Backing) -> None:
        self._backing = backing
        self._sessions = backing.sessions

    async def begin(self, request: Request) -> Response:  # noqa: ARG002
        return await self.begin_for("")

    async def begin_for(self, onward: str, *, anew: bool = False) -> Response:
        """RFC 6749, section 4.1.1, with PKCE (S256), ``state`` and ``nonce``. ``onward``: see
        ``SignIn``; too long for a cookie, it is left out. Raises ``SignInFailed``."""
        onward = onward if len(onward) <= LONGEST_ONWARD else ""
        now = self._sessions.now_ms()
        begun = SignIn(self._random(), self._random(), self._random(), now, onward, anew)
        response = go(await self._backing.provider.address(begun))
        cookie = self._sessions.sealer.seal(_SIGN_IN, msgspec.json.encode(begun))
        put_cookie(response, VISIT, cookie, VISIT_SECONDS)
        return response

    async def back(self, request: Request) -> Response:
        """The authorization response. Raises ``SignInFailed``."""
        answer = dict(request.query_params)
        if len(answer) != len(request.query_params.multi_items()):
            raise SignInFailed("a parameter of the answer is there twice")
        begun = self._begun(request)
        if not hmac.compare_digest(answer.get("state", "").encode(), begun.state.encode()):
            raise SignInFailed("the answer belongs to no sign-in of this browser (state)")
        person = await self._backing.provider.person(answer, begun)
        taken = f"state:{hashlib.sha256(begun.state.encode()).hexdigest()}"
        now = self._sessions.now_ms()
        forget = begun.begun + 1000 * VISIT_SECONDS
        if not await asyncio.to_thread(self._sessions.store.once, taken, forget, now):
            raise SignInFailed("this sign-in was completed before")
        actor = Actor(f"oidc:{person.sub}", "console", visible(person.name))
        opened = Opened(actor, person.session, ABSOLUTE_MS, person.subject, begun.anew)
        return await self._open(request, opened, begun.onward)

    async def ask_code(self, request: Request) -> Response:  # noqa: ARG002
        cookie = self._sessions.sealer.seal(_RECOVER, self._sessions.random_bytes(16))
        token = self._sessions.form_token(mark_of(cookie), "/console/recover")
        response = page("recover.html", title="Recovery", token=token)
        put_cookie(response, VISIT, cookie, VISIT_SECONDS)
        return response

    async def recover(self, request: Request) -> Response:
        cookie = request.cookies.get(VISIT, "")
        if self._sessions.sealer.open(_RECOVER, cookie) is None:
            raise FormRejected("the browser did not bring its visit's cookie")
        fields = await form_of(request, self._backing, mark_of(cookie))
        nobody = Actor("", "console", _peer(request))
        recovery = self._backing.recovery_of(nobody)
        actor = await asyncio.to_thread(recovery.use, fields.get("code", ""))
        return await self._open(request, Opened(actor, "", RECOVERY_MS))

    async def sign_out(self, request: Request) -> Response:
        visitor, _ = await sent(request, self._backing)
        await asyncio.to_thread(self._sessions.store.end, visitor.session.hash)
        event = self._event("session.closed", "console.sign-out", visitor.actor, _peer(request))
        await asyncio.to_thread(self._backing.events.append, (event,))
        response = told("Signed out", "You are signed out here. Your company account may still be "
                        "signed in elsewhere in this browser.")  # fmt: skip
        drop_cookie(response, SESSION)
        return response

    async def logged_out(self, request: Request) -> Response:
        """OpenID Connect Back-Channel Logout 1.0, sections 2.5 to 2.8. Raises ``SignInFailed``."""
        try:
            token = (await fields_of(request)).get("logout_token", "")
            await self._backing.logouts.take(token, _peer(request))
        except (FormRejected, NotAccepted, KeysUnknown) as error:
            raise SignInFailed(str(error)) from error
        return JSONResponse({})

    async def _open(self, request: Request, opened: Opened, onward: str = "") -> Response:
        """A session under a new id, whatever the browser brought along."""
        await self._end_former(request)
        actor = opened.actor
        event = self._event("session.opened", "console.sign-in", actor, _peer(request))
        await asyncio.to_thread(self._backing.events.append, (event,))
        name = "recovery admin" if actor.identity == RECOVERY else actor.account
        cookie, _ = await asyncio.to_thread(
            partial(self._sessions.open, anew=opened.anew),
            actor.identity, name, opened.sid, opened.lasts, opened.subject,
        )  # fmt: skip
        response = go(onward or HOME)
        put_cookie(response, SESSION, cookie)
        drop_cookie(response, VISIT)
        return response

    async def _end_former(self, request: Request) -> None:
        try:
            former = await visitor_of(request, self._backing)
        except SignedOut:
            return
        await asyncio.to_thread(self._sessions.store.end, former.session.hash)

    def _begun(self, request: Request) -> SignIn:
        plain = self._sessions.sealer.open(_SIGN_IN, request.cookies.get(VISIT, ""))
        if plain is None:
            raise SignInFailed("this browser has begun no sign-in")
        begun = msgspec.json.decode(plain, type=SignIn)
        if self._sessions.now_ms() - begun.begun >= 1000 * VISIT_SECONDS:
            raise SignInFailed("this sign-in took too long")
        return begun

    def _random(self) -> str:
        """64 characters, all of which PKCE, ``state`` and ``nonce`` may hold."""
        return self._sessions.random_bytes(32).hex()

    def _event(
        self,
        kind: Literal["session.opened", "session.closed"],
        action: str,
        actor: Actor,
        peer: str,
    ) -> AuditEvent:
        return AuditEvent(
            id=self._sessions.random_bytes(16).hex(),
            call="",
            kind=kind,
            at=self._sessions.now_ms(),
            effect="permit",
            reason=kind,
            header={"action": action, "sessions": 1},
            slots={"actor": actor.told(), "net": msgspec.json.encode({"peer": peer})},
        )


def _peer(request: Request) -> str:
    return request.client.host if request.client else ""
