import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lockgate.model.reference import ReferenceBroken
from lockgate.model.secret import SecretUnavailable
from lockgate.store.secret_backends.vault_http import MOST_BYTES, VaultHttp
from support.secret_servers import ROOT_TOKEN, running_vault
from support.upstream_endpoint import serving

CANARY = "canary-token"


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A vault over TLS, and the certificate of its authority."""
    folder = tmp_path_factory.mktemp("tls")
    with running_vault("-dev-tls", f"-dev-tls-cert-dir={folder}") as server:
        (authority,) = folder.glob("*ca*.pem")
        yield server.address.replace("http:", "https:"), authority


def test_a_certificate_nobody_vouches_for_is_refused(secured: tuple[str, Path]) -> None:
    with pytest.raises(SecretUnavailable, match="cannot be asked"):
        VaultHttp(secured[0]).ask("GET", "/v1/sys/health", "")


def test_with_its_authority_it_is_taken(secured: tuple[str, Path]) -> None:
    http = VaultHttp(secured[0], str(secured[1]))
    assert http.ask("GET", "/v1/sys/health", ROOT_TOKEN)[0] == 200


@pytest.mark.parametrize("content", [None, "no certificate", "-----BEGIN CERTIFICATE-----\nxx\n"])
def test_an_authority_that_cannot_be_used_is_named(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ReferenceBroken, match=r"ca\.pem"):
        VaultHttp("https://127.0.0.1:1", str(path)).ask("GET", "/v1/x", "")


def test_what_cannot_be_reached_is_said_without_the_token() -> None:
    with pytest.raises(SecretUnavailable, match=r"at 127\.0\.0\.1 cannot be asked") as caught:
        VaultHttp("http://127.0.0.1:1").ask("GET", "/v1/x", CANARY)
    assert CANARY not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_token_that_no_header_can_hold_is_not_sent() -> None:
    with pytest.raises(SecretUnavailable) as caught:
        VaultHttp("http://127.0.0.1:1").ask("GET", "/v1/x", f"{CANARY}\nX-Other: 1")
    assert CANARY not in str(caught.value)


async def test_what_is_sent_and_how_much_is_read() -> None:
    seen: list[dict[bytes, bytes]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(dict(scope["headers"]))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x" * (2 * MOST_BYTES)})

    async with serving(app) as url:
        http = VaultHttp(url.removesuffix("/mcp"), namespace="team")
        status, body = await asyncio.to_thread(http.ask, "POST", "/v1/x", "t", {"a": 1})
    assert (status, len(body) <= MOST_BYTES) == (200, True)
    assert (seen[0][b"x-vault-namespace"], seen[0][b"x-vault-token"]) == (b"team", b"t")


async def test_redirects_are_not_followed() -> None:
    places: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        places.append(scope["path"])
        headers = [(b"location", b"/v1/elsewhere")]
        await send({"type": "http.response.start", "status": 307, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async with serving(app) as url:
        http = VaultHttp(url.removesuffix("/mcp"))
        status, _ = await asyncio.to_thread(http.ask, "GET", "/v1/x", "t")
    assert (status, places) == (307, ["/v1/x"])
