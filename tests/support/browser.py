"""A browser without a window for pages of our own: cookies as strict as a real one, and forms."""

import asyncio
import http.client
from collections.abc import Awaitable, Callable, Mapping
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urlsplit

import msgspec
import orjson

from support.asgi import Visit

HeaderPairs = list[tuple[str, str]]
Sender = Callable[[str, str, HeaderPairs, bytes], Awaitable["Answer"]]
"""Method, path with query, headers, body."""


class Answer(msgspec.Struct, frozen=True):
    status: int
    headers: HeaderPairs
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]

    def header(self, name: str) -> str:
        return (self.all(name) or [""])[0]


class Browser:
    """Of one person. ``origin``: the only site it knows."""

    def __init__(self, send: Sender, origin: str) -> None:
        self.origin = origin
        self.jar: dict[str, str] = {}
        self._send = send

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.ask("GET", path, headers, b"")

    async def post(self, path: str, fields: Mapping[str, str], **headers: str) -> Answer:
        """As a form of our own pages would be sent; ``headers`` (``origin=``) say otherwise."""
        sent = {"origin": self.origin, "content-type": "application/x-www-form-urlencoded"}
        return await self.ask("POST", path, {**sent, **headers}, urlencode(fields).encode())

    async def send(self, path: str, said: object, **headers: str) -> Answer:
        """As a script of ours would: JSON."""
        sent = {"origin": self.origin, "content-type": "application/json"}
        return await self.ask("POST", path, {**sent, **headers}, orjson.dumps(said))

    async def submit(self, page: Answer, action: str, **typed: str) -> Answer:
        """The form of that page with this action, whose hidden fields include those of ``typed``
        that it has (so that one of several like it is chosen)."""
        for form in forms_of(page.text):
            fixed = {k: v for k, v in typed.items() if k in form.hidden}
            if form.action == action and all(form.hidden[k] == v for k, v in fixed.items()):
                return await self.post(action, {**form.hidden, **typed})
        raise AssertionError(f"the page has no such form for {action}")

    async def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        sent = [("host", urlsplit(self.origin).netloc), *headers.items()]
        if self.jar:
            sent.append(("cookie", "; ".join(f"{k}={v}" for k, v in self.jar.items())))
        answer = await self._send(method, path, sent, body)
        for line in answer.all("set-cookie"):
            self._keep(line)
        return answer

    def _keep(self, line: str) -> None:
        for name, morsel in SimpleCookie(line).items():
            if name.startswith("__Host-"):  # RFC 6265bis, section 5.6
                strict = morsel["secure"] and morsel["path"] == "/" and not morsel["domain"]
                assert strict, f"a browser would not take {line}"
            if morsel["max-age"] == "0":
                self.jar.pop(name, None)
            else:
                self.jar[name] = morsel.value


class Form(msgspec.Struct):
    action: str
    hidden: dict[str, str]


def forms_of(text: str) -> list[Form]:
    return _Forms(text).found


def to_application(application: Callable[..., Awaitable[None]]) -> Sender:
    """Without a socket."""

    async def send(method: str, path: str, headers: HeaderPairs, body: bytes) -> Answer:
        parts = urlsplit(path)
        visit = Visit(method, parts.path, tuple(headers), body, parts.query.encode())
        async with asyncio.timeout(20):
            await application(visit.scope, visit.receive, visit.send)
        pairs = [(k.decode(), v.decode()) for k, v in visit.answers[0]["headers"]]
        return Answer(visit.status, pairs, visit.body)

    return send


def to_server(origin: str) -> Sender:
    """A real one, over plain HTTP."""

    def ask(method: str, path: str, headers: HeaderPairs, body: bytes) -> Answer:
        connection = http.client.HTTPConnection(urlsplit(origin).netloc, timeout=20)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in [*headers, ("content-length", str(len(body)))]:
                connection.putheader(name, value)
            connection.endheaders(body)
            response = connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())
        finally:
            connection.close()

    async def send(method: str, path: str, headers: HeaderPairs, body: bytes) -> Answer:
        return await asyncio.to_thread(ask, method, path, headers, body)

    return send


class _Forms(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[Form] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {k: v or "" for k, v in attrs}
        if tag == "form":
            assert said["method"] == "post"
            self.found.append(Form(said["action"], {}))
        elif tag == "input" and said.get("type") == "hidden" and self.found:
            self.found[-1].hidden[said["name"]] = said["value"]
