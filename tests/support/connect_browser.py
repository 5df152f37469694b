"""A browser without a window that connects accounts: it takes ``Secure`` cookies on loopback and
says where a form was sent from, as real ones do."""

from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import urljoin, urlsplit

from pyreqwest.client import SyncClientBuilder

from support.form_browser import MOST_STEPS, Page, _Form


class ConnectBrowser:
    def __init__(self) -> None:
        builder = SyncClientBuilder().follow_redirects(False).no_proxy()
        self._client = builder.timeout(timedelta(seconds=20)).build()
        self.cookies: dict[str, dict[str, str]] = {}
        """By origin."""
        self.went: list[str] = []
        """Every address, in order."""

    def get(self, url: str) -> Page:
        return self._ask(url, None)

    def post(self, url: str, form: Mapping[str, str], origin: str | None = None) -> Page:
        return self._ask(url, dict(form), origin)

    def follow(self, page: Page, fields: Mapping[str, str], stop: str = "\0") -> Page:
        """On until nothing leads further, or a redirect leads to ``stop``, which is not fetched."""
        for _ in range(MOST_STEPS):
            if page.status in (302, 303) and page.text:
                target = urljoin(page.url, page.text)
                if target.startswith(stop):
                    return Page(target, page.status, "")
                page = self.get(target)
                continue
            found = _Form(page.text)
            if found.action is None or page.status >= 400:
                return page
            form = {**found.fields, **{k: v for k, v in fields.items() if k in found.fields}}
            page = self.post(urljoin(page.url, found.action), form)
        raise AssertionError("no end of forms and redirects")

    def connect(self, link: str, user: str, **fields: str) -> Page:
        """What a person does with a link."""
        return self.follow(self.get(link), {"login": user, "password": "password", **fields})

    def _ask(self, url: str, form: dict[str, str] | None, origin: str | None = None) -> Page:
        self.went.append(url)
        at = _origin(url)
        request = self._client.get(url) if form is None else self._client.post(url).form(form)
        jar = self.cookies.setdefault(at, {})
        if jar:
            request = request.header("cookie", "; ".join(f"{k}={v}" for k, v in jar.items()))
        if form is not None:
            request = request.header("origin", origin or at)
        answer = request.build().send()
        for line in answer.headers.getall("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            jar[name.strip()] = value
        for name in [name for name, value in jar.items() if not value]:
            del jar[name]
        target = answer.headers.get("location")
        text = target if target and 300 <= answer.status < 400 else answer.text()
        return Page(url, answer.status, text)


def fields_of(page: Page) -> dict[str, str]:
    """What the page's form would send."""
    return _Form(page.text).fields


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
