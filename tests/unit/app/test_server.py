import asyncio
import gc
import logging
import secrets
import signal
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from lockgate.app.front import edge_of, front_of, scheme_of
from lockgate.app.listening import listen
from lockgate.app.reload import Reloader, read_policies
from lockgate.app.server import CONNECTIONS, Running, health, opened, serve, server_config
from lockgate.app.settings import Listen, Settings
from lockgate.app.settings_file import load
from lockgate.app.settings_limits import Limits
from lockgate.app.settings_tls import TlsSettings
from lockgate.app.stamps import now_ms
from lockgate.app.stores import Stores, open_stores
from lockgate.app.wiring import Plant
from lockgate.audit.journal import GroupCommitJournal
from lockgate.control_plane.services.acting import Acting, Actor
from lockgate.control_plane.services.keys import KeyOrder, Keys
from lockgate.identity.workload import Shown
from lockgate.model import AuditEvent, JournalDown
from lockgate.model.reference import ReferenceBroken
from lockgate.policy.source import PolicyInvalid
from lockgate.upstream.target import HttpTarget
from support.asgi import Visit
from support.certificates import DOMAIN, Authority
from support.client import McpClient, http_client
from support.guarded import GuardedEndpoint
from support.processes import until
from support.scenario import Failing
from support.secret_servers import ROOT_TOKEN, Vault
from support.staged import PERMIT_ALL
from support.upstream_endpoint import FakeEndpoint, serving

BOUND = "127.0.0.1:8765"
SIMPLE = "upstreams: {}\n"


@contextmanager
def stores_of(path: Path) -> Iterator[Stores]:
    stores = open_stores(path.parent / "data")
    try:
        yield stores
    finally:
        stores.engine.dispose()


class Folder:
    """A deployment on disk."""

    def __init__(self, root: Path) -> None:
        self.config = root / "lockgate.yaml"
        self.policies = root / "policies"
        self.policies.mkdir()
        self.write(SIMPLE)
        (self.policies / "a.cedar").write_text(PERMIT_ALL)

    def write(self, text: str) -> None:
        self.config.write_text(text)

    def key(self) -> str:
        with stores_of(self.config) as stores:
            pepper = stores.secrets.pepper()
            acting = Acting(Actor("t"), stores.events, now_ms, secrets.token_bytes)
            keys = Keys(stores.keys, acting, pepper)
            return keys.create(KeyOrder("personal", "alice", 1)).text

    def journal(self) -> list[AuditEvent]:
        with stores_of(self.config) as stores:
            return [row.event for row in stores.events.tail(1_000)]

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Running]:
        async with opened(self.config, load(self.config), BOUND) as running:
            yield running


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


async def say(running: Running, key: str, body: bytes, **headers: str) -> Visit:
    sent = {"host": BOUND, "authorization": f"Bearer {key}", "content-type": "application/json",
            "accept": "application/json", "lockgate-transport": "stdio", **headers}  # fmt: skip
    visit = Visit(headers=sent, body=body)
    await running.ingress(visit.scope, visit.receive, visit.send)
    return visit


META = (b'"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",'
        b'"io.modelcontextprotocol/clientCapabilities":{}}')  # fmt: skip
LIST = b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{%b}}' % META
CALL = (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"shop__tool-0-0",%b}}'
        % META)  # fmt: skip


async def test_a_gateway_that_is_open_answers_and_leaves_a_journal(folder: Folder) -> None:
    async with serving(FakeEndpoint()) as url:
        folder.write(f"upstreams: {{shop: {{url: '{url}'}}}}")
        key = folder.key()
        async with folder.opened() as running:
            listed = await say(running, key, LIST)
            assert len(listed.json["result"]["tools"]) == 6
            called = await say(running, key, CALL)
            assert called.json["result"]["content"] == []
            nobody = await say(running, "", LIST)
            assert nobody.status == 400
    rows = [(row.kind, row.reason) for row in folder.journal()]
    assert rows == [
        ("admin.changed", "admin.changed"),
        ("call.intent", "policy.permitted"), ("call.outcome", "policy.listed"),
        ("call.intent", "policy.permitted"), ("call.outcome", "inspection.clean"),
        ("auth.refused", "auth.malformed"),
    ]  # fmt: skip


class Shop(FakeEndpoint):
    """Lists the tool that never answers."""

    async def _list(self, message: Any, out: Any) -> None:
        await out.result(message, {"tools": [{"name": "hang", "inputSchema": {"type": "object"}}]})


async def test_what_runs_may_finish_before_the_journal_ends(folder: Folder) -> None:
    async with serving(endpoint := Shop()) as url:
        folder.write(f"upstreams: {{shop: {{url: '{url}'}}}}\nlimits: {{drain_seconds: 0.05}}")
        key = folder.key()
        finished: list[bool] = []

        async def work(go: asyncio.Event) -> None:
            await go.wait()
            finished.append(True)

        async with folder.opened() as running:
            go = asyncio.Event()
            running.gateway.inflight.watch(asyncio.ensure_future(work(go)))
            asyncio.get_running_loop().call_soon(go.set)
        assert finished
        hang = CALL.replace(b"tool-0-0", b"hang")
        async with folder.opened() as running:
            calling = asyncio.ensure_future(say(running, key, hang))
            await asyncio.wait_for(endpoint.arrived.wait(), 5)
        await asyncio.wait({calling}, timeout=5)
    last = folder.journal()[-1]
    assert (last.kind, last.reason) == ("call.outcome", "call.cancelled")


@pytest.mark.parametrize(
    ("config", "policy", "refusal"),
    [
        (SIMPLE, "permit(nonsense);", PolicyInvalid),
        ("upstreams: {a: {command: x, env: {A: 'env:NOT_SET'}}}", PERMIT_ALL, ReferenceBroken),
    ],
)
async def test_what_cannot_be_used_is_said_at_the_start(
    folder: Folder, config: str, policy: str, refusal: type[Exception]
) -> None:
    folder.write(config)
    (folder.policies / "a.cedar").write_text(policy)
    with pytest.raises(refusal):
        async with folder.opened():
            pass


class Reading:
    """A copy whose refresh takes until ``go``."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.go = threading.Event()
        self.go.set()

    def refresh(self, now_ms: int) -> None:
        self.begun.release()
        assert self.go.wait(60)


async def test_keys_stay_current_while_the_sessions_cannot_be_read(folder: Folder) -> None:
    sessions, ring = Reading(), Reading()
    sessions.go.clear()
    async with folder.opened() as running:
        running.plant.sessions = sessions  # type: ignore[assignment]
        running.plant.ring = ring  # type: ignore[assignment]
        try:
            assert await asyncio.to_thread(sessions.begun.acquire, timeout=10)
            for _ in range(2):
                assert await asyncio.to_thread(ring.begun.acquire, timeout=5)
        finally:
            sessions.go.set()


# Reloading.


async def test_a_reload_replaces_rules_and_edge(
    folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    key = folder.key()
    async with folder.opened() as running:
        before = running.gateway.state
        (folder.policies / "a.cedar").write_text("")
        folder.write("listen: {port: 9, hosts: [gate.example]}\nlimits: {message_bytes: 1 KiB}\n")
        running.reloader.reload()
        assert running.reloader.problem == ""
        assert running.gateway.state.gate.order.policy != before.gate.order.policy
        assert (await say(running, key, LIST, host="gate.example")).status == 200
        large = await say(running, key, b" " * 2_000)
        assert large.status == 413
    said = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert said == ["listen.port: the change takes effect at the next start"]


async def test_a_broken_reload_leaves_all_as_it_was(folder: Folder) -> None:
    key = folder.key()
    async with folder.opened() as running:
        state, edge = running.gateway.state, running.ingress.edge
        (folder.policies / "a.cedar").write_bytes(b"\xff")
        running.reloader.reload()
        assert "UTF-8" in running.reloader.problem
        assert (running.gateway.state, running.ingress.edge) == (state, edge)
        assert (await say(running, key, LIST)).status == 200
        ready = Visit("GET", "/health/ready")
        await running.ingress(ready.scope, ready.receive, ready.send)
        assert ready.json["configuration"] == "the last change was not taken"
        assert "UTF-8" not in str(ready.json)


# Secrets.


async def test_a_reload_may_name_a_secret_that_was_never_read(
    folder: Folder, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_OF_TESTS", ROOT_TOKEN)
    await asyncio.to_thread(vault.put, "server/shop", token="right")
    key, places = (
        folder.key(),
        f"""
secrets: {{vault: {{address: "{vault.address}", auth: "token env:VAULT_OF_TESTS"}}}}
""",
    )
    folder.write(places)
    async with serving(GuardedEndpoint("right")) as url, folder.opened() as running:
        folder.write(f"""{places}
upstreams:
  shop: {{url: "{url}", headers: {{Authorization: "Bearer vault:secret/server/shop#token"}}}}
""")
        running.reloader.reload()
        assert running.reloader.problem == ""
        await asyncio.to_thread(until, lambda: _reached(running.plant, "shop"))
        assert len((await say(running, key, LIST)).json["result"]["tools"]) == 6


async def test_health_says_that_a_secret_cannot_be_read(folder: Folder) -> None:
    folder.write("""
upstreams: {shop: {url: "https://shop.example", headers: {X-Key: "vault:kv/a#b"}}}
secrets: {vault: {address: "http://127.0.0.1:1", auth: "token env:PATH"}}
""")
    async with folder.opened() as running:
        found = health(running.plant, running.reloader)
        assert (found["status"], found["secrets"]) == ("ready", "some cannot be read")


async def test_what_is_known_to_be_no_secret_is_no_start(folder: Folder) -> None:
    folder.write(
        "upstreams: {shop: {url: 'https://shop.example', headers: {X-Key: 'vault:kv/a#b'}}}"
    )
    with pytest.raises(ReferenceBroken, match=r"set secrets\.vault\.address"):
        async with folder.opened():
            pass


def _reached(plant: Plant, name: str) -> bool:
    found = plant.registry.get(name)
    return found is not None and isinstance(found.target, HttpTarget)


def test_policies_that_are_no_text_or_not_there(folder: Folder) -> None:
    named = Settings(policies=("policies",))
    found = read_policies(named, folder.config.parent)
    assert list(found.values()) == [PERMIT_ALL]
    with pytest.raises(FileNotFoundError):
        read_policies(Settings(policies=("none.cedar",)), folder.config.parent)
    (folder.policies / "b.cedar").write_bytes(b"\xff")
    with pytest.raises(PolicyInvalid, match=r"b\.cedar"):
        read_policies(named, folder.config.parent)


# Health.


async def test_ready_is_who_can_record_and_knows_the_keys(folder: Folder) -> None:
    settings = load(folder.config)
    with stores_of(folder.config) as stores:
        plant = Plant(stores, settings)
        reloader = Reloader(folder.config, settings, lambda _: None)
        assert health(plant, reloader) == {"status": "ready", "service": "lockgate"}
        plant.ring.refresh(now_ms() - 60_000)
        assert health(plant, reloader)["broken"] == ["keys"]
        plant.journal = GroupCommitJournal(Failing())  # type: ignore[arg-type]
        with pytest.raises(JournalDown):
            await plant.journal.commit(AuditEvent("e", "c", "call.intent", 1, "deny", "x"))
        found = health(plant, reloader)
        assert (found["status"], found["broken"]) == ("not ready", ["journal", "keys"])
        plant.ring.refresh(now_ms())
        assert health(plant, reloader)["broken"] == ["journal"]


# The socket.


async def test_a_reload_replaces_certificates_or_none(folder: Folder, tmp_path: Path) -> None:
    ca = Authority()
    ca.issue("gate", dns=("localhost",)).write(tmp_path, "gate")
    ca.write(tmp_path / "ca.pem")
    desk = ca.workload("desk")
    tls = "listen:\n  tls: {certificate: gate.pem, key: gate.key, client_ca: ca.pem}\n"
    folder.write(f"{tls}workloads: {{desk: {{spiffe: {DOMAIN}/desk}}}}\n")
    async with folder.opened() as running:
        first, known = running.ingress.edge.tls, running.plant.identities.authenticator.workloads
        assert isinstance(known.shown(desk.der, now_ms()), Shown)
        (tmp_path / "gate.key").write_text("odd")
        running.reloader.reload()
        assert "listen.tls" in running.reloader.problem
        assert running.ingress.edge.tls is first
        ca.issue("gate", dns=("localhost",)).write(tmp_path, "gate")
        folder.write(tls)
        running.reloader.reload()
        assert running.reloader.problem == ""
        assert running.ingress.edge.tls is not first
        known = running.plant.identities.authenticator.workloads
        assert not isinstance(known.shown(desk.der, now_ms()), Shown)


def test_with_tls_the_pages_of_this_gateway_have_https(tmp_path: Path) -> None:
    ca = Authority()
    certificate, key = ca.issue("gate", dns=("localhost",)).write(tmp_path, "gate")
    tls = TlsSettings(certificate=str(certificate), key=str(key))
    settings = Settings(listen=Listen(tls=tls))
    assert scheme_of(settings) == "https"
    edge = edge_of(settings, BOUND, front_of(settings))
    assert edge.origins == {f"https://{host}" for host in edge.hosts}


def test_only_this_gateway_s_names_are_let_in() -> None:
    edge = edge_of(Settings(), BOUND, front_of(Settings()))
    assert edge.hosts == {BOUND, "localhost:8765", "[::1]:8765"}
    assert edge.origins == {f"http://{host}" for host in edge.hosts}
    assert "localhost:8765" in edge_of(Settings(), "[::1]:8765", front_of(Settings())).hosts


def test_names_and_pages_that_the_operator_lists() -> None:
    listed = Listen(hosts=("gate.example",), origins=("https://console.example",))
    limits = Limits(message_bytes=2_048, body_seconds=7)
    edge = edge_of(Settings(listen=listed, limits=limits), BOUND, front_of(Settings()))
    assert {"gate.example", "gate.example:8765"} < edge.hosts
    assert "https://console.example" in edge.origins
    assert "http://gate.example" not in edge.origins
    assert (edge.message_bytes, edge.body_seconds) == (2_048, 7)


async def test_the_settings_bound_what_a_connection_may_take(folder: Folder) -> None:
    heard: list[str] = []
    async with folder.opened() as running:
        limits = Limits(header_seconds=3, drain_seconds=4)
        config = server_config(
            running.ingress, Settings(limits=limits), lambda reason, _: heard.append(reason)
        )
    protocol: Any = config.http
    assert protocol.header_seconds == 3
    protocol.refused("wire.not-http", "")
    assert heard == ["wire.not-http"]
    assert not config.access_log
    assert not config.proxy_headers
    assert config.timeout_graceful_shutdown == 5
    assert config.limit_concurrency == CONNECTIONS


@pytest.fixture
def raised() -> Iterator[list[int]]:
    """SIGTERM is heard here, and does not end the tests, where the server does not take it. What
    else serving does to the process is undone."""
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    thresholds = gc.get_threshold()
    yield heard
    signal.signal(signal.SIGTERM, before)
    gc.set_threshold(*thresholds)
    gc.unfreeze()


async def test_it_serves_until_it_is_told_to_stop(folder: Folder, raised: list[int]) -> None:
    folder.write("listen: {port: 0}\n")
    key = folder.key()
    open_at: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    running = asyncio.ensure_future(serve(folder.config, load(folder.config), open_at.set_result))
    base = await asyncio.wait_for(open_at, 10)
    async with http_client() as http:
        listed = await McpClient(http, f"{base}/mcp", key).modern("tools/list")
        assert listed.result["tools"] == []
        assert "server" not in listed.headers
        assert (await McpClient(http, f"{base}/mcp", "x").modern("tools/list")).status == 401
        live = await http.get(f"{base}/health/live").build().send()
        assert live.status == 200
    signal.raise_signal(signal.SIGTERM)
    await asyncio.wait_for(running, 10)
    assert raised == [], "raised again after it was obeyed: that would have cut the end short"
    assert folder.journal()[-1].kind == "auth.refused", "what was counted is written at the end"


async def test_answers_do_not_wait_for_acknowledgements() -> None:
    """Head and body of an answer are two writes: with Nagle's algorithm the second would wait for
    the client's delayed acknowledgement, 40 ms on Linux."""
    listener, accepted = listen("127.0.0.1", 0), asyncio.get_running_loop().create_future()

    def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.set_result(writer.get_extra_info("socket"))
        writer.close()

    async with await asyncio.start_server(answer, sock=listener):
        with socket.create_connection(listener.getsockname()):
            found = await accepted
            assert found.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
