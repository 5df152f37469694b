"""Who is signed in in a browser, for pages of this gateway beside the console's."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from lockgate.control_plane.console.backing import Backing
from lockgate.control_plane.console.pages import SESSION
from lockgate.control_plane.console.sign_in import SignInPages


class Visitors:
    def __init__(self, backing: Backing) -> None:
        self._sessions = backing.sessions
        self._pages = SignInPages(backing)

    async def who(self, request: Request) -> str:
        """Id of the principal, as by an access token of the same issuer; empty where nobody is
        signed in, or only the recovery admin. Raises ``StoreDown``."""
        cookie = request.cookies.get(SESSION, "")
        if not cookie or await asyncio.to_thread(self._sessions.recognise, cookie) is None:
            return ""
        subject = self._sessions.subject_in(cookie)
        return f"person:{subject}" if subject else ""

    async def sign_in(self, onward: str) -> Response:
        """To the identity provider, and then to ``onward``, a path of ours. Raises
        ``SignInFailed``."""
        return await self._pages.begin_for(onward)
