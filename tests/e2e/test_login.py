"""``lockgate login`` and ``lockgate stdio`` as programs, a real provider, and no browser."""

import asyncio
import json
import os
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from support.carried import INITIALIZE, INITIALIZED, Json, modern, request
from support.gateway import Gateway, _environment, child
from support.oidc_provider import LOGIN, Provider, running_provider
from support.protected import protected
from support.real_keychain import running_keychain
from support.upstream_endpoint import Out

SECONDS = 30
URI = {"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": "a:b"}}


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with running_provider() as running:
        yield running


class Home:
    """A person's machine, with all that programs said on it."""

    def __init__(self, folder: Path, keychain: dict[str, str] | None = None) -> None:
        """``keychain``: the variables of the one there is; without, there is none."""
        self.folder = folder
        self.file = folder / "kept" / "login.json"
        self.heard = b""
        self._keychain = keychain
        self._environment = {**_environment(), "HOME": str(folder), **(keychain or {})}

    async def start(self, command: str, *arguments: str) -> Process:
        kept = ["--insecure-file", str(self.file)]
        if self._keychain is not None:
            kept = ["--login"] if command == "stdio" else []
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "lockgate.app.main", command, *arguments, *kept,
            env=self._environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )  # fmt: skip

    async def run(self, command: str, *arguments: str) -> tuple[int, str]:
        """Exit code and all it said."""
        return await self.end(await self.start(command, *arguments))

    async def end(self, process: Process) -> tuple[int, str]:
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(SECONDS):
            out, err = await process.communicate()
        self.heard += out + err
        return process.returncode or 0, (out + err).decode()

    async def login(self, url: str, provider: Provider, who: str) -> None:
        start = ("--url", url, "--client-id", LOGIN, "--no-browser")
        process = await self.start("login", *start)
        address = await self.line(process, "http")
        page = await asyncio.to_thread(provider.sign_in, address, who)
        assert "close this window" in page.text
        code, text = await self.end(process)
        assert code == 0, text
        assert f"as {who}" in text

    async def line(self, process: Process, beginning: str) -> str:
        """The next line of stderr that begins so."""
        assert process.stderr is not None
        async with asyncio.timeout(SECONDS):
            while line := (await process.stderr.readline()).decode():
                if line.startswith(beginning):
                    return line.strip()
        raise AssertionError("it ended")

    @asynccontextmanager
    async def shim(self, url: str) -> AsyncIterator["Spoken"]:
        process = await self.start("stdio", "--url", url)
        try:
            yield Spoken(process)
        finally:
            code, text = await self.end(process)
        assert code == 0, text

    def files(self) -> bytes:
        """All that is in any file there, also of the keychain."""
        found = [path.read_bytes() for path in self.folder.rglob("*") if path.is_file()]
        assert found
        return b"".join(found)

    def kept(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.file.read_text())
        return found


class Spoken:
    """The other end of a shim's standard streams."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def say(self, *messages: Json) -> None:
        assert self._process.stdin is not None
        for one in messages:
            self._process.stdin.write(json.dumps(one).encode() + b"\n")

    async def hears(self) -> Any:
        assert self._process.stdout is not None
        async with asyncio.timeout(SECONDS):
            return json.loads(await self._process.stdout.readline())


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


async def test_a_session_and_its_stream_live_on_while_tokens_change(
    provider: Provider, home: Home
) -> None:
    opened: asyncio.Queue[Out] = asyncio.Queue()

    async def stream(number: int, headers: dict[str, str], out: Out) -> None:
        await out.begin("text/event-stream")
        await out.more(f"id: e.{number}\nretry: 10\ndata: \n\n".encode())
        opened.put_nowait(out)
        await out.gone()

    async def listen(message: Json, out: Out) -> None:
        await out.begin("text/event-stream")
        opened.put_nowait(out)
        await out.gone()

    async with protected(provider) as gateway:
        gateway.behind.stream = stream
        gateway.behind.acts["subscriptions/listen"] = listen
        provider.set(accessTokenSeconds=4)
        await home.login(gateway.url, provider, "alice")
        async with home.shim(gateway.url) as client:
            client.say(INITIALIZE, INITIALIZED, modern(7, "subscriptions/listen"))
            assert (await client.hears())["id"] == 0
            async with asyncio.timeout(SECONDS):
                for _ in range(4):  # the session's stream and the listen: begun, and again
                    out = await opened.get()
            await out.event(URI)
            assert await client.hears() == URI
            client.say(request(1))
            assert (await client.hears())["id"] == 1
        behind = gateway.behind
    assert len({token for verb, token in gateway.tokens}) >= 2
    assert set(gateway.subjects) == {"alice"}
    assert behind.methods().count("initialize") == 1
    sessions = {h.get("mcp-session-id") for verb, h, m in behind.received if verb == "GET"}
    assert sessions == {"s-1"}
    streams = [h for verb, h, _ in behind.received if verb == "GET"]
    assert [h.get("last-event-id") for h in streams[:2]] == [None, "e.1"]
    assert behind.methods()[-1] == "DELETE"


async def test_tokens_are_nowhere_but_in_their_place(provider: Provider, home: Home) -> None:
    provider.set(accessTokenSeconds=300)
    async with protected(provider) as gateway:
        await home.login(gateway.url, provider, "bob")
        kept = home.kept()
        assert home.file.stat().st_mode & 0o777 == 0o600
        assert home.file.parent.stat().st_mode & 0o777 == 0o700
        async with home.shim(gateway.url) as client:
            client.say(request(1))
            await client.hears()
        code, text = await home.run("login", "--url", gateway.url, "--status", "--json")
        status = json.loads(text)
        assert (code, status["state"], status["subject"]) == (0, "active", "bob")
        for secret in (kept["access_token"], kept["refresh_token"]):
            assert secret
            assert secret.encode() not in home.heard

        code, text = await home.run("logout", "--url", gateway.url)
        assert code == 0, text
        assert "revoked" in text
        assert not home.file.exists()
        hints = [one["token_type_hint"] for one in provider.log("revocation")[-2:]]
        assert hints == ["refresh_token", "access_token"]
        code, text = await home.run("stdio", "--url", gateway.url)
        assert code == 3
        assert "not signed in" in text
        code, _ = await home.run("login", "--url", gateway.url, "--status")
        assert code == 1


async def test_a_device_code_signs_in_where_there_is_no_browser(
    provider: Provider, home: Home
) -> None:
    async with protected(provider) as gateway:
        process = await home.start(
            "login", "--device", "--url", f"{gateway.url}/clinic", "--client-id", LOGIN
        )
        address = (await home.line(process, "Go to")).removeprefix("Go to ")
        code = (await home.line(process, "and enter")).rpartition(" ")[2]
        await asyncio.to_thread(provider.sign_in, address, "doctor", user_code=code)
        done, text = await home.end(process)
        assert done == 0, text
        assert "as doctor" in text
        assert gateway.asked[0].endswith("/mcp/clinic")
        async with home.shim(f"{gateway.url}/clinic") as client:
            client.say(request(1))
            assert (await client.hears())["id"] == 1
    assert gateway.subjects == ["doctor"]


async def test_several_shims_renew_once(provider: Provider, home: Home) -> None:
    """A used refresh token ends the login at this provider, so a race would show."""
    provider.set(accessTokenSeconds=300)
    async with protected(provider) as gateway:
        await home.login(gateway.url, provider, "alice")
        first = home.kept()
        # Not good any more, though its time is not over: as after a revocation list.
        kept = {**first, "obtained": first["obtained"] - 100}
        home.file.write_text(json.dumps(kept))
        gateway.denied.add(first["access_token"])
        before = len(provider.log("token"))

        async def one() -> None:
            async with home.shim(gateway.url) as client:
                client.say(*(request(n) for n in range(5)))
                assert {(await client.hears())["id"] for _ in range(5)} == set(range(5))

        await asyncio.gather(*(one() for _ in range(4)))
        asked = provider.log("token")[before:]
        assert [one["grant_type"] for one in asked] == ["refresh_token"]
        assert home.kept()["access_token"] != first["access_token"]


async def test_a_real_keychain_keeps_what_no_file_shows(provider: Provider, tmp_path: Path) -> None:
    opened: asyncio.Queue[int] = asyncio.Queue()

    async def stream(number: int, headers: dict[str, str], out: Out) -> None:
        await out.begin("text/event-stream")
        opened.put_nowait(number)
        await out.gone()

    provider.set(accessTokenSeconds=4)
    with running_keychain(tmp_path) as found:
        home = Home(tmp_path, found)
        async with protected(provider) as gateway:
            await home.login(gateway.url, provider, "doctor")
            async with home.shim(gateway.url) as client:
                gateway.behind.stream = stream
                client.say(INITIALIZE, INITIALIZED)
                async with asyncio.timeout(SECONDS):
                    assert [await opened.get(), await opened.get()] == [1, 2]
            code, text = await home.run("login", "--url", gateway.url, "--status", "--json")
            status = json.loads(text)
            assert (code, status["subject"]) == (0, "doctor")
            assert "SecretService" in status["kept_in"]
            code, text = await home.run("logout", "--url", gateway.url)
            assert (code, "revoked" in text) == (0, True), text
            code, text = await home.run("stdio", "--url", gateway.url)
            assert (code, "not signed in" in text) == (3, True), text
        seen = {token for _, token in gateway.tokens}
        assert not [token for token in seen if token.encode() in home.heard + home.files()]
    assert len(seen) >= 2, "renewed in the keychain"
    assert set(gateway.subjects) == {"doctor"}


async def test_without_a_keychain_nothing_is_kept_in_a_file(provider: Provider, home: Home) -> None:
    process = await Home(home.folder, {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent"}).start(
        "login", "--url", "http://127.0.0.1:9/mcp", "--client-id", LOGIN
    )
    code, text = await home.end(process)
    assert code == 3
    assert "--insecure-file" in text
    assert not os.listdir(home.folder)


async def test_before_a_whole_gateway_the_journal_says_who_called(
    tmp_path: Path, provider: Provider
) -> None:
    issuers = {"corp": {"url": provider.issuer, "namespace": ""}}
    upstreams = {"echo": child("modern")}
    (tmp_path / "home").mkdir()
    home = Home(tmp_path / "home")
    async with Gateway(tmp_path / "gate", upstreams, issuers=issuers) as gate:
        url = f"{gate.base}/mcp/echo"
        await home.login(url, provider, "alice")
        async with home.shim(url) as client:
            client.say(modern(1))
            assert (await client.hears())["result"]["tools"]
        rows = await gate.awaited(lambda found: [r for r in found.rows() if r.who == "alice"])
        assert rows[-1].slots["actor"]["authn"] == ["oauth"]
        assert rows[-1].slots["actor"]["agent"] == LOGIN
