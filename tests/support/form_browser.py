"""A browser without a window: keeps cookies, follows redirects, fills in the forms it meets."""

from collections.abc import Mapping
from datetime import timedelta
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from pyreqwest.client import SyncClient, SyncClientBuilder

MOST_STEPS = 15


class Page:
    """Where the browser ended."""

    def __init__(self, url: str, status: int, text: str) -> None:
        self.url, self.status, self.text = url, status, text


class FormBrowser:
    """``ca`` is trusted besides the system's, ``identity`` (certificate and key) shown to who asks;
    both PEM."""

    def __init__(self, ca: bytes = b"", identity: bytes = b"") -> None:
        builder = SyncClientBuilder().follow_redirects(False).default_cookie_store(True)
        builder = builder.no_proxy().timeout(timedelta(seconds=20))
        if ca:
            builder = builder.add_root_certificate_pem(ca)
        if identity:
            builder = builder.identity_pem(identity)
        self._client: SyncClient = builder.build()

    def client(self) -> SyncClient:
        """For requests of one's own."""
        return self._client

    def visit(self, url: str, fields: Mapping[str, str], stop: str = "\0") -> Page:
        """From ``url`` on until a page has no form, or a redirect leads to ``stop``, which is not
        fetched. A field is filled from ``fields`` by its name, or keeps what it holds."""
        form: dict[str, str] | None = None
        for _ in range(MOST_STEPS):
            request = self._client.get(url) if form is None else self._client.post(url).form(form)
            answer = request.build().send()
            target = answer.headers.get("location")
            if 300 <= answer.status < 400 and target:
                url, form = urljoin(url, target), None
                if url.startswith(stop):
                    return Page(url, answer.status, "")
                continue
            text = answer.text()
            found = _Form(text)
            if found.action is None or answer.status >= 400:
                return Page(url, answer.status, text)
            url = urljoin(url, found.action)
            form = {**found.fields, **{k: v for k, v in fields.items() if k in found.fields}}
        raise AssertionError(f"no end of forms and redirects at {urlsplit(url).path}")


class _Form(HTMLParser):
    """The first form of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {k: v or "" for k, v in attrs}
        if tag == "form" and self.action is None:
            self.action = said.get("action", "")
        elif tag == "input" and self.action is not None and "name" in said:
            self.fields[said["name"]] = said.get("value", "")
