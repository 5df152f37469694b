"""An authorization server, and a gateway's metadata, that say what a test wants: also what no
honest one would. What was asked is kept. For honest ones there is ``oidc_provider``."""

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from inspect import isawaitable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pyreqwest.client import ClientBuilder

from lockgate.app.login.code_flow import Means
from lockgate.app.login.discovery import Server
from lockgate.app.login.fetching import fetch
from lockgate.app.login.grant import Grant, Wanted
from support.upstream_endpoint import Out, serving

Answer = tuple[int, Any]
TOKENS = {
    "access_token": "at-1",
    "token_type": "Bearer",
    "expires_in": 100,
    "refresh_token": "rt-1",
}


class Scripted:
    """``documents``: what GETs answer, by path. ``posts``: what POSTs answer, by path."""

    def __init__(self) -> None:
        self.base = ""
        self.documents: dict[str, Any] = {}
        self.posts: dict[str, Callable[[dict[str, str]], Answer | Awaitable[Answer]]] = {}
        self.asked: list[str] = []
        self.forms: list[tuple[str, dict[str, str]]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            part = await receive()
            body, more = body + part.get("body", b""), part.get("more_body", False)
        out, path = Out(receive, send), scope["path"]
        if scope["method"] == "POST":
            form = dict(parse_qsl(body.decode(), keep_blank_values=True))
            self.forms.append((path, form))
            answer = self.posts[path](form)
            await out.json(*(await answer if isawaitable(answer) else answer))
            return
        self.asked.append(path)
        found = self.documents.get(path)
        if callable(found):
            await found(out)
        elif found is None:
            await out.text(404, "<p>no</p>")
        else:
            await out.json(200, found)

    def answer(self, path: str, status: int, body: Any) -> None:
        """From now on, to every POST there."""
        self.posts[path] = lambda _: (status, body)

    def describe(self, **members: Any) -> None:
        """Its own metadata, with ``members`` changed."""
        self.documents["/.well-known/oauth-authorization-server"] = {
            "issuer": self.base, "token_endpoint": f"{self.base}/token",
            "authorization_endpoint": f"{self.base}/authorize",
            "device_authorization_endpoint": f"{self.base}/device",
            "revocation_endpoint": f"{self.base}/revoke",
            "code_challenge_methods_supported": ["S256"], **members,
        }  # fmt: skip

    def wanted(self, **members: Any) -> Wanted:
        """What a login at it would ask for; ``members`` of its metadata are changed."""
        said = {"token_endpoint": f"{self.base}/token",
                "authorization_endpoint": f"{self.base}/authorize",
                "device_authorization_endpoint": f"{self.base}/device",
                "code_challenge_methods_supported": ("S256",), **members}  # fmt: skip
        return Wanted(f"{self.base}/mcp", f"{self.base}/mcp", Server(self.base, **said), "cli", "s")

    def grant(self, **members: Any) -> Grant:
        given = {"access_token": "at-1", "refresh_token": "rt-1", "obtained": 0.0, "expires": 100.0,
                 "revocation_endpoint": f"{self.base}/revoke", **members}  # fmt: skip
        return Grant(gateway=f"{self.base}/mcp", resource=f"{self.base}/mcp", issuer=self.base,
                     client_id="cli", token_endpoint=f"{self.base}/token", **given)  # fmt: skip


@asynccontextmanager
async def scripted() -> AsyncIterator[Scripted]:
    app = Scripted()
    async with serving(app) as url:
        app.base = url.removesuffix("/mcp")
        app.posts["/token"] = lambda _: (200, TOKENS)
        yield app


def means(show: Callable[[str], None] = print, now: Callable[[], float] = lambda: 1000.0) -> Means:
    numbers = iter(range(1000, 2000))
    return Means(fetch, now, lambda: f"secret-{next(numbers)}-{'x' * 40}", show)


def id_token(**claims: Any) -> str:
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{part}.sig"


async def visit(url: str) -> tuple[int, str]:
    """As a browser that is sent there."""
    async with ClientBuilder().no_proxy().follow_redirects(False).build() as http:
        answer = await http.get(url).build().send()
        return int(answer.status), await answer.text()


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))
