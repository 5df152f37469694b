"""A secret leaves its place only towards the upstream that it is for.

Each kind of place holds a canary; the gateway is a real process, and so are the places. They are
read, used, refused, rotated, and taken away in the middle. Whatever was written or said meanwhile
is searched for every canary, plain and encoded.
"""

import asyncio
import base64
import json
import logging
import os
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest
from typer.testing import CliRunner

from lockgate.app.office import LocalOffice
from lockgate.app.settings_file import SettingsInvalid, parse
from lockgate.app.supervision import every
from lockgate.control_plane.cli.program import build
from lockgate.model.reference import Reference
from lockgate.model.secret import Secret
from lockgate.store.secret_backends.cache import SecretCache
from support.client import McpClient, http_client
from support.file_keyring import FileKeyring
from support.gateway import ROOT, Gateway
from support.guarded import GuardedEndpoint
from support.memory_keyring import in_use
from support.secret_servers import AWS, ROOT_TOKEN, Aws, Vault, running_aws, running_vault
from support.upstream_endpoint import serving

pytestmark = pytest.mark.e2e

PLACES = ("env", "file", "vault", "ssm", "secretsmanager", "keyring")


def canary(place: str, age: str = "first") -> str:
    return f"canary-{age}-{place}-7f3a91"


class House:
    """A gateway before six upstreams, each behind a credential kept in another kind of place."""

    def __init__(self, folder: Path, vault: Vault, aws: Aws) -> None:
        self.folder = folder
        self.vault = vault
        self.aws = aws
        self.endpoints = {place: GuardedEndpoint(canary(place)) for place in PLACES}
        self.said: list[str] = []
        """By commands, and in answers to clients."""
        self.references = {
            "env": "env:SHOP_TOKEN",
            "file": f"file:{folder}/kept/token",
            "vault": "vault:secret/shop#token",
            "ssm": "ssm:/shop/token",
            "secretsmanager": "secretsmanager:shop#token",
            "keyring": "keyring:shop/token",
        }
        self.environment = {
            "SHOP_TOKEN": canary("env"), "VAULT_TOKEN_OF_SHOP": ROOT_TOKEN, **AWS,
            "PYTHON_KEYRING_BACKEND": "support.file_keyring.FileKeyring",
            "KEYRING_OF_TESTS": str(folder / "kept" / "keyring.json"),
            "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT / "tests"))),
        }  # fmt: skip

    def plant(self) -> None:
        kept = self.folder / "kept"
        kept.mkdir()
        (kept / "token").write_text(canary("file"))
        (kept / "keyring.json").write_text(json.dumps({"shop/token": canary("keyring")}))
        self.vault.put("shop", token=canary("vault"))
        parameter = {"Name": "/shop/token", "Value": canary("ssm"), "Type": "SecureString"}
        self.aws.client("ssm").put_parameter(**parameter)
        value = json.dumps({"token": canary("secretsmanager")})
        self.aws.client("secretsmanager").create_secret(Name="shop", SecretString=value)

    def gateway(self, urls: dict[str, str]) -> Gateway:
        upstreams = {
            place: {"url": url, "headers": {"Authorization": f"Bearer {self.references[place]}"}}
            for place, url in urls.items()
        }
        places = {
            "vault": {"address": self.vault.address, "auth": "token env:VAULT_TOKEN_OF_SHOP"},
            "aws": {"region": "eu-central-1", "endpoint": self.aws.endpoint},
        }
        gate = Gateway(self.folder / "gate", upstreams, secrets=places)
        gate.environment = self.environment
        gate.key("alice")
        return gate

    async def command(self, gate: Gateway, *words: str, given: str = "") -> int:
        """Its exit code. What it says is kept."""
        program = build(LocalOffice)
        typed = ["-c", str(gate.config), *words]
        with in_use(FileKeyring()):
            found = await asyncio.to_thread(CliRunner().invoke, program, typed, input=given)
        self.said += [found.stdout, found.stderr, repr(found.exception)]
        assert found.exception is None or isinstance(found.exception, SystemExit)
        return found.exit_code

    async def call(self, gate: Gateway, place: str) -> str:
        """The reason why an upstream's tools are not to be had, or nothing."""
        async with http_client() as http:
            client = McpClient(http, f"{gate.base}/mcp/{place}", gate.key("alice"))
            said = await client.modern("tools/list")
        self.said.append(said.text)
        return said.reason

    def leaked(self, gate: Gateway) -> list[str]:
        """Every canary that can be found anywhere but in its place."""
        texts = [*self.said, gate.log]
        written = [p.read_bytes() for p in (self.folder / "gate").rglob("*") if p.is_file()]
        everything = b"\0".join([*(t.encode() for t in texts), *written])
        return sorted(word for word in secrets() if any(f in everything for f in forms(word)))


def secrets() -> list[str]:
    found = [canary(place, age) for place in PLACES for age in ("first", "second")]
    return [*found, ROOT_TOKEN, AWS["AWS_SECRET_ACCESS_KEY"]]


def forms(word: str) -> list[bytes]:
    """Plain, quoted, in hexadecimal, and in base64 at each of its three alignments."""
    raw = word.encode()
    aligned = [base64.b64encode(b"x" * n + raw)[4:-4] for n in range(3)]
    return [raw, quote(word).encode(), raw.hex().encode(), *aligned]


@pytest.fixture
async def house(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[House, Gateway, ExitStack]]:
    """With the places still running: closing the stack ends them."""
    async with AsyncExitStack() as endpoints:
        places = endpoints.enter_context(ExitStack())
        vault = places.enter_context(running_vault())
        aws = places.enter_context(running_aws())
        made = House(tmp_path, vault, aws)
        made.plant()
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        urls = {
            place: await endpoints.enter_async_context(serving(one))
            for place, one in made.endpoints.items()
        }
        yield made, made.gateway(urls), places


async def test_no_canary_is_found_outside_its_place(
    house: tuple[House, Gateway, ExitStack],
) -> None:
    made, gate, places = house
    async with gate:
        assert leaves_no_core(gate.pid), "a core dump would hold them all"
        for place in PLACES:
            assert await made.call(gate, place) == "", place
            told = {one.header("authorization") for one in made.endpoints[place].received}
            assert told == {f"Bearer {canary(place)}"}, "it came where it belongs"
        for place, endpoint in made.endpoints.items():
            endpoint.accept()
            assert await made.call(gate, place) == "upstream.credential", place
        await look_at_everything(made, gate)
        for place, endpoint in made.endpoints.items():
            endpoint.accept(canary(place, "second"))
            code = await made.command(gate, "secrets", "rotate", made.references[place], "--json",
                                      given=canary(place, "second"))  # fmt: skip
            assert code == (3 if place == "env" else 0), place
        await asyncio.to_thread(places.close)  # in the middle
        await look_at_everything(made, gate)
    async with gate:  # with places out of reach from its start
        assert await made.call(gate, "file") == ""
        assert await made.call(gate, "vault") == "upstream.secret"
        assert await made.call(gate, "ssm") == "upstream.secret"
    assert made.leaked(gate) == []
    assert "vault is withheld" in gate.log


def leaves_no_core(pid: int) -> bool:
    limits = Path(f"/proc/{pid}/limits").read_text()
    return re.search(r"Max core file size +0 +0 ", limits) is not None


async def look_at_everything(made: House, gate: Gateway) -> None:
    for words in (
        ("status",),
        ("status", "--json"),
        ("probe", "--all"),
        ("probe", "--all", "--json"),
    ):
        assert await made.command(gate, "secrets", *words) == 1
    await made.command(gate, "doctor", "--json")
    await made.command(gate, "config", "check")
    await made.command(gate, "audit", "tail")


def test_the_search_would_find_one(tmp_path: Path) -> None:
    word = canary("vault")
    for n in range(3):
        hidden = base64.b64encode(b"x" * n + word.encode() + b"tail")
        assert any(form in hidden for form in forms(word))


async def test_a_crash_in_the_middle_shows_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    """A defect, while a secret is at hand in every frame of the traceback."""
    crashed = asyncio.Event()
    reference = Reference("vault", "kv/a", field="t")

    class Broken:
        def read(self, reference: Reference) -> Secret:
            secret = Secret(canary("vault"), "1")
            crashed.set()
            raise ZeroDivisionError(f"while handling {secret!r} of {reference}")

        def write(self, reference: Reference, value: str) -> None:
            raise ZeroDivisionError

    cache = SecretCache({"vault": Broken()})
    cache.keep([reference])

    async def step() -> None:
        cache.refresh(reference)

    caplog.set_level(logging.DEBUG)
    task = asyncio.create_task(every(60, "reading secrets", step))
    await asyncio.wait_for(crashed.wait(), 5)
    await asyncio.sleep(0)
    task.cancel()
    assert "ZeroDivisionError" in caplog.text
    assert canary("vault") not in caplog.text


@pytest.mark.parametrize(
    "text",
    ["secrets: {vault: {auth: 'token CANARY'}}", "secrets: {vault: {auth: CANARY}}",
     "upstreams: {a: {url: 'https://u:CANARY@a.example/'}}",
     "upstreams: {a: {url: 'https://a.example', headers: {X-Api-Key: CANARY}}}",
     "upstreams: {a: {url: 'https://a.example', headers: {Authorization: 'Bearer CANARY'}}}"],
)  # fmt: skip
def test_a_secret_in_the_configuration_is_refused_and_not_repeated(text: str) -> None:
    word = canary("file")
    with pytest.raises(SettingsInvalid) as caught:
        parse(text.replace("CANARY", word))
    assert word not in str(caught.value)
    assert word not in repr(msgspec.to_builtins(caught.value.problems))
