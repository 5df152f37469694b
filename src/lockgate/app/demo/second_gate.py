"""A second gateway before the clinic, as a company runs one: TLS, the company's identity provider
instead of API keys, and client certificates that say which program calls."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import httpx2
import msgspec
from mcp import Client
from mcp_types import Implementation

from lockgate.app.demo.certificates import HOST, Certificates, make_certificates
from lockgate.app.demo.folder import ALICE, BOB, Caller, Folder
from lockgate.app.demo.provider import Installed, Member, Realm, running
from lockgate.app.demo.signing_in import signed_in
from lockgate.app.demo.stage import (
    MODES,
    Said,
    Stage,
    connected,
    http_client,
    open_stage,
    said_by,
)
from lockgate.app.demo.upstreams import clinic, yaml_of
from lockgate.app.listening import address_of, listen
from lockgate.app.login.grant import Grant
from lockgate.control_plane.services.files import PRIVATE, make_private_dir, write_new

AGENT, CLIENT, SCOPE = "desk-agent", "desk-7f3a", "mcp:tools"
PATIENT = {"patient_id": "p-001"}
GROUPS = {ALICE.name: "doctors", BOB.name: "billing"}
WORKLOAD = "spiffe://clinic.example/host/ward-3"
"""What the agent's certificate says it is: the program on that host."""
_SHIPPED = files("lockgate.app.demo")
POLICIES: tuple[Traversable, ...] = (
    _SHIPPED / "policies" / "clinic.cedar",
    _SHIPPED / "machines.cedar",
)


class SecondGate:
    """One that is open."""

    def __init__(self, stage: Stage, issuer: str, realm: Realm, certificates: Certificates) -> None:
        self.stage = stage
        self.issuer = issuer
        self._realm = realm
        self._certificates = certificates

    async def sign_in(self, who: Caller) -> Grant:
        """Raises what ``signed_in`` does."""
        typed = {"login": who.name, "password": self._realm.people[who.name].password}
        kept = self.stage.folder.root / "logins" / f"{who.name}.json"
        async with self.http() as http:
            return await signed_in(self.stage.url, CLIENT, typed, kept, http)

    def http(self) -> httpx2.AsyncClient:
        """With neither token nor certificate."""
        return http_client({}, self._certificates.trust())

    async def call(self, grant: Grant, tool: str, *, certified: bool = False) -> Said:
        """About patient p-001, by the agent with the person's token; ``certified``: and with its
        own certificate."""
        async with self._client(grant, certified=certified) as client:
            return await said_by(client.call_tool(tool, PATIENT))

    async def tools(self, grant: Grant, *, certified: bool = False) -> set[str]:
        """Those that are listed."""
        async with self._client(grant, certified=certified) as client:
            return {tool.name for tool in (await client.list_tools()).tools}

    def _client(self, grant: Grant, *, certified: bool) -> AbstractAsyncContextManager[Client]:
        trust = self._certificates.trust(AGENT if certified else "")
        info = Implementation(name=AGENT, version="demo")
        return connected(self.stage.url, grant.access_token, info, MODES["modern"], trust)


@asynccontextmanager
async def open_second_gate(
    root: Path, provider: Installed, policies: Sequence[Traversable] = POLICIES
) -> AsyncIterator[SecondGate]:
    """``root``: a new directory for it. Raises what ``running`` and ``open_stage`` do."""
    make_private_dir(root)
    certificates = make_certificates(root / "tls", {AGENT: WORKLOAD})
    people = {name: Member(secrets.token_urlsafe(9), (group,)) for name, group in GROUPS.items()}
    with listen(HOST, 0) as listener:
        base = f"https://{address_of(listener)}"
        realm = Realm(people, CLIENT, f"{base}/mcp", SCOPE)
        async with running(provider, realm, root / "provider.log") as issuer:
            folder = Folder(root, (msgspec.structs.replace(clinic(root), shared=True),), ())
            _fill(folder, base, issuer, policies)
            async with open_stage(folder, listener) as stage:
                # While people sign in.
                starting = asyncio.create_task(stage.start_all(lambda _: None))
                try:
                    yield SecondGate(stage, issuer, realm, certificates)
                finally:
                    await starting


def _fill(folder: Folder, base: str, issuer: str, policies: Sequence[Traversable]) -> None:
    write_new(folder.config, configuration(folder, base, issuer), PRIVATE)
    for policy in policies:
        write_new(folder.root / "policies" / policy.name, policy.read_text(encoding="utf-8"))


def configuration(folder: Folder, base: str, issuer: str) -> str:
    """``lockgate.yaml``. ``base``: where clients reach it."""
    return f"""\
# Written by `lockgate demo`: people sign in, and programs show certificates.

listen:
  host: {HOST}
  port: {base.rpartition(":")[2]}
  public_url: {base}     # access tokens must be for this, with /mcp
  tls:
    certificate: tls/gate.pem
    key: tls/gate.key
    client_ca: tls/ca.pem

data_dir: data
policies: policies

issuers:
  clinic:
    url: {issuer}
    namespace: ""               # its subjects are people as we know them
    scopes: [{SCOPE}]
    roles:
      doctors: doctor           # what policy calls that group; others keep their name
    clients:
      {CLIENT}:
        agent: {AGENT}

workloads:
  {AGENT}:                   # a program that acts for people: their token comes too
    spiffe: {WORKLOAD}

upstreams:
""" + "".join(map(yaml_of, folder.upstreams))
