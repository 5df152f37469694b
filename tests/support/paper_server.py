"""A small HTTP server in the test's own loop: metadata and token endpoints as a test wants them."""

import asyncio
import json
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from lockgate.upstream.fetch import Fetcher, Reach


class Asked(msgspec.Struct, frozen=True):
    verb: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return {name: values[-1] for name, values in parse_qs(self.body.decode()).items()}


class Paper(msgspec.Struct, frozen=True):
    """An answer. ``said`` goes out as JSON unless it is bytes."""

    said: Any = b""
    status: int = 200
    headers: Mapping[str, str] = {}


Page = Paper | Callable[[Asked], Paper]


class PaperServer:
    """``pages`` by path; 404 for others."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.asked: list[Asked] = []
        self.reached = 0
        """Connections, whatever came over them."""
        self.url = ""

    def fetcher(self) -> Fetcher:
        """That may ask this server, and no other."""
        return Fetcher(lambda: Reach(internal=frozenset({self.url})))

    def issue(self, path: str = "/token", **more: Any) -> None:
        """Become an authorization server: metadata, and tokens ``access-1``, ``access-2``, ..."""
        self.pages["/.well-known/oauth-authorization-server"] = Paper(self.metadata(**more))
        count = iter(range(1, 1000))

        def token(_: Asked) -> Paper:
            number = next(count)
            said = {"access_token": f"access-{number}", "token_type": "Bearer", "expires_in": 300}
            return Paper({**said, "refresh_token": f"refresh-{number}"})

        self.pages[path] = token

    def metadata(self, **more: Any) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            **more,
        }

    def asked_for(self, path: str) -> list[Asked]:
        return [one for one in self.asked if one.path == path]

    async def __aenter__(self) -> "PaperServer":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reached += 1
        try:
            asked = await _read(reader)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
            return
        self.asked.append(asked)
        page = self.pages.get(asked.path, Paper(status=404))
        answer = page if isinstance(page, Paper) else page(asked)
        body = answer.said if isinstance(answer.said, bytes) else json.dumps(answer.said).encode()
        head = {**answer.headers, "content-length": str(len(body)), "connection": "close"}
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        writer.write(f"HTTP/1.1 {answer.status} X\r\n{lines}\r\n".encode() + body)
        writer.close()


async def _read(reader: asyncio.StreamReader) -> Asked:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().rstrip().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    verb, target, _ = first.split(" ")
    return Asked(verb, urlsplit(target).path, headers, body)
