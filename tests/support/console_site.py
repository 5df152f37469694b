"""A gateway with a console, calls on record, keys and upstreams, before a real identity provider;
and people in a real browser who sign in to it by its pages."""

import secrets
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import orjson
from playwright.async_api import Browser, Page
from pyreqwest.client import ClientBuilder

from lockgate.app.stores import inquiries_of, open_stores
from lockgate.model import AuditEvent
from lockgate.model.privilege import AdminRole
from support.certificates import Authority
from support.chromium import person
from support.client import McpClient
from support.gateway import Gateway, child
from support.inquiries import role
from support.oidc_provider import running_provider

HOST = "gate.example"
SECRET = "secret-of-the-console-" + "x" * 24
HOUR_MS = 3_600_000
REFUSALS = ("policy.denied", "quota.exceeded", "schema.invalid", "upstream.timeout")


class RoomSite(msgspec.Struct, frozen=True):
    gate: Gateway
    origin: str
    ca: str
    """PEM."""

    async def list_tools(self, who: str) -> None:
        """As a client of theirs does."""
        ca = self.ca.encode()
        builder = ClientBuilder().no_proxy().add_root_certificate_pem(ca)
        async with builder.build() as http:
            port = self.origin.rpartition(":")[2]
            client = McpClient(http, f"https://localhost:{port}/mcp", self.gate.key(who))
            await client.modern("tools/list")
            await client.modern("tools/call", {"name": "clinic__echo", "arguments": {}})

    def at(self, path: str) -> str:
        return f"{self.origin}{path}"

    def hold(self, who: str, *roles: AdminRole) -> None:
        stores = open_stores(self.gate.folder / "data")
        asked = inquiries_of(stores)
        for one in roles:
            asked.add(role(f"oidc:{who}", one, now_ms()), b"")
        stores.engine.dispose()

    def record(self, events: Sequence[AuditEvent]) -> None:
        stores = open_stores(self.gate.folder / "data")
        stores.events.append(events)
        stores.engine.dispose()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@contextmanager
def room_site(folder: Path, **more: Any) -> Iterator[RoomSite]:
    """With TLS of its own. ``more``: of its settings."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    origin = f"https://{HOST}:{port}"
    authority = Authority("Clinic")
    issued = authority.issue("gate", dns=(HOST, "localhost"))
    certificate, key = issued.write(folder, "gate")
    client = {"client_secret": SECRET, "grant_types": ["authorization_code"],
              "redirect_uris": [f"{origin}/console/callback"]}  # fmt: skip
    upstreams = {
        "clinic": child("modern", trust="internal", region="eu", data_classes=["health"]),
        "letters": {"url": "http://127.0.0.1:9/mcp", "credential": {"mode": "account"}},
    }
    with running_provider(clients={"lockgate": client}) as provider:
        gate = Gateway(
            folder / "gate", upstreams,
            listen={"port": port, "hosts": [HOST],
                    "tls": {"certificate": str(certificate), "key": str(key)}},
            console={"issuer": provider.issuer, "origin": origin,
                     "client_secret": "env:CONSOLE_SECRET"},
            admin={"enforced": True, "granters": ["oidc:bob"]}, **more,
        )  # fmt: skip
        gate.environment["CONSOLE_SECRET"] = SECRET
        for who in ("alice", "bob", "clinic-night-shift"):
            gate.key(who, "doctor")
        with gate:
            yield RoomSite(gate, origin, authority.pem)


async def sign_in(browser: Browser, site: RoomSite, who: str, **context: Any) -> Page:
    """By the pages that a person sees, from the first to the last. ``context``: of the browser."""
    page = await (await person(browser, **context)).new_page()
    await page.goto(site.at("/console/"))
    await page.get_by_role("link", name="Sign in with your company account").click()
    while not page.url.startswith(site.origin):
        if await page.locator("input[name=login]").count():
            await page.fill("input[name=login]", who)
            await page.fill("input[name=password]", "password")
        await page.get_by_role("button", name="Go on").click()
    await page.get_by_text("Signed in as").wait_for()
    return page


def calls(count: int, until: int, over: int = 6 * HOUR_MS) -> list[AuditEvent]:
    """Rows of so many calls, evenly until ``until``: most permitted and answered, some held, some
    refused."""
    rows: list[AuditEvent] = []
    for number in range(count):
        at = until - over + over * (number + 1) // count
        rows += _rows(f"{number:06x}{secrets.token_hex(8)}", number, at)
    return rows


def _rows(call: str, number: int, at: int) -> list[AuditEvent]:
    about = {"method": "tools/call", "upstream": ("clinic", "letters")[number % 3 == 0],
             "target": ("get_patient", "send_letter", "list_appointments")[number % 3],
             "digest": "d" * 64, "tool": "t" * 64}  # fmt: skip
    effect, reason = "permit", "policy.permitted"
    if number % 17 == 5:
        effect, reason = "hold", "approval.needed"
    elif number % 9 == 4:
        effect, reason = "deny", REFUSALS[number % 3]
    verdict = {"control": "policy.cedar", "effect": effect, "reason": reason, "because": ["nurses"]}
    slots: Any = {
        "actor": orjson.dumps({"kind": "person", "subject": ("alice", "bob", "doctor")[number % 3],
                               "agent": "desk-agent" if number % 2 else ""}),
        "args": orjson.dumps({"patient": number, "note": "<b>SECRET-NOTE</b>"}),
        "net": b'{"peer":"192.0.2.9"}',
    }  # fmt: skip
    judged = {**about, "verdicts": [verdict], "facts": {"clock.now": {"known": at}}}
    rows = [AuditEvent(f"{call}-i", call, "call.intent", at, effect, reason, judged, slots)]
    if effect == "permit":
        late = number % 40 == 7
        ends, why = ("deny", REFUSALS[3]) if late else ("permit", "policy.permitted")
        done = {**about, "reply": {"bytes": 812}}
        took = 40 + 13 * (number % 31)
        rows.append(AuditEvent(f"{call}-o", call, "call.outcome", at + took, ends,
                               why, done, {"result": b'{"content":[]}'}))  # fmt: skip
    return rows
