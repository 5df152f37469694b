from pathlib import Path
from typing import Any

import httpx2
import pytest

from lockgate.app.demo.signing_in import MOST_FORMS, Form, fetch_by, signed_in, visit
from lockgate.app.demo.stage import http_client
from lockgate.control_plane.services.refused import Refused
from lockgate.model.fetch import FetchFailed
from support.oidc_provider import LOGIN, running_provider
from support.protected import protected
from support.upstream_endpoint import Out, serving

TYPED = {"login": "alice", "password": "password"}


@pytest.mark.node
async def test_a_person_signs_in_where_the_gateway_says(tmp_path: Path) -> None:
    kept = tmp_path / "login.json"
    with running_provider() as provider:
        async with protected(provider) as gate, http_client({}) as http:
            grant = await signed_in(gate.url, LOGIN, TYPED, kept, http)
            assert (grant.subject, grant.resource) == ("alice", gate.url)
            used = await http.get(
                gate.url, headers={"authorization": f"Bearer {grant.access_token}"}
            )
            assert used.status_code != 401
            assert kept.stat().st_mode & 0o077 == 0
            with pytest.raises(Refused, match="did not let you in"):
                await signed_in(gate.url, LOGIN, TYPED | {"password": "guess"}, kept, http)
            with pytest.raises(
                Refused, match="sign-in page answered 400"
            ):  # not after five minutes
                await signed_in(gate.url, "nobody", TYPED, kept, http)
            provider.stop()
            with pytest.raises(Refused):
                await signed_in(gate.url, LOGIN, TYPED, kept, http)


async def test_a_page_that_always_asks_is_left() -> None:
    asked = 0

    async def asks(scope: Any, receive: Any, send: Any) -> None:
        nonlocal asked
        asked += 1
        await Out(receive, send).text(200, "<form method=post><input name=a></form>")

    async with serving(asks) as url, http_client({}) as http:
        with pytest.raises(Refused, match="again"):
            await visit(http, url, {"a": "1"})
    assert asked == MOST_FORMS + 1


async def test_what_cannot_be_reached_is_a_failed_fetch() -> None:
    async with httpx2.AsyncClient(trust_env=False) as http:
        with pytest.raises(FetchFailed, match="ConnectError"):
            await fetch_by(http)("GET", "http://127.0.0.1:9/")


def test_a_form_is_the_first_one_with_what_its_fields_hold() -> None:
    form = Form(
        '<input name="before"><form action="/in"><input name="login"><input name="x" value="1">'
        '<input type="submit"></form><form action="/other"></form>'
    )
    assert (form.action, form.fields) == ("/in", {"login": "", "x": "1"})
    assert Form("<p>Done.").action is None
