"""A real browser: Chromium, driven by Playwright, for pages as people see them.

    async with chromium() as browser:
        page = await (await person(browser)).new_page()

Names below ``.example`` are this machine, and no other name is anything: it reaches nobody outside.
It ends with the block. Needs ``sh scripts/setup_browser.sh``.
"""

import shutil
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    StorageState,
    async_playwright,
)

_NAMES = "MAP *.example 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
_FLAGS = (
    "--no-sandbox", "--disable-quic", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", f"--host-resolver-rules={_NAMES}",
)  # fmt: skip


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    found = shutil.which("chromium")
    assert found is not None, "chromium is missing: run scripts/setup_browser.sh"
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=found, args=list(_FLAGS))
        try:
            yield browser
        finally:
            await browser.close()


async def person(
    browser: Browser, state: StorageState | None = None, **more: Any
) -> BrowserContext:
    """Somebody's own browser: no cookies but those of ``state``. It takes any certificate.
    ``more``: how large it is, what it prefers."""
    context = await browser.new_context(ignore_https_errors=True, storage_state=state, **more)
    context.set_default_timeout(15_000)
    return context


def troubles(page: Page, site: str) -> list[str]:
    """Whatever the browser complains of from now on about pages below ``site``: errors on its
    console, uncaught exceptions, what it could not load."""
    found: list[str] = []

    def note(where: str, what: str | None) -> None:
        if where.startswith(site):
            found.append(f"{where}: {what}")

    def hear(said: ConsoleMessage) -> None:
        if said.type == "error":
            note(said.location["url"], said.text)

    # What a page still waits for when it is left is no trouble.
    def fail(request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":
            note(request.url, request.failure)

    page.on("console", hear)
    page.on("pageerror", lambda error: note(page.url, str(error)))
    page.on("requestfailed", fail)
    return found


@contextmanager
def other_site(certificate: Path, key: Path) -> Iterator[int]:
    """An HTTPS server of somebody else with one empty page, at every path; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"<!doctype html><title>A prize</title>"
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""
