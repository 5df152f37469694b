import asyncio
from pathlib import Path

import pytest

from lockgate.app.secret_desk import UpstreamProber, secret_desk
from lockgate.app.settings import Settings
from lockgate.app.settings_file import parse
from lockgate.app.stores import secret_backends
from lockgate.model.reference import Reference
from support.guarded import GuardedEndpoint
from support.upstream_endpoint import serving


def settings_for(folder: Path, url: str, **more: str) -> Settings:
    (folder / "token").write_text("right")
    return parse(f"""
data_dir: {folder}/data
upstreams:
  shop: {{url: "{url}", headers: {{Authorization: "Bearer file:{folder}/token"}}}}
  both:
    url: "{url}"
    headers: {{Authorization: "Bearer file:{folder}/token", X-Other: "env:NOT_SET_ANYWHERE"}}
  program: {{command: cat, env: {{TOKEN: "file:{folder}/token"}}}}
""")


async def probe(settings: Settings, upstream: str, value: str) -> tuple[str, str]:
    prober = UpstreamProber(settings, secret_backends(settings))
    reference = next(iter(secret_references(settings)))
    proof = await asyncio.to_thread(prober.probe, upstream, reference, value)
    return proof.outcome, proof.detail


def secret_references(settings: Settings) -> tuple[Reference, ...]:
    with secret_desk(settings) as desk:
        return tuple(one for one in desk.uses if one.place == "file")


@pytest.mark.parametrize("era", ["modern", "legacy", "plain"])
async def test_a_credential_is_tried_at_the_upstream(tmp_path: Path, era: str) -> None:
    endpoint = GuardedEndpoint("right", era=era)
    async with serving(endpoint) as url:
        settings = settings_for(tmp_path, url)
        assert await probe(settings, "shop", "right") == ("accepted", "")
        assert await probe(settings, "shop", "wrong") == ("refused", "HTTP 401")
        endpoint.broken = True
        assert (await probe(settings, "shop", "right"))[0] == "unreachable"
    assert (await probe(settings, "shop", "right"))[0] == "unreachable"


async def test_what_else_it_needs_must_be_there(tmp_path: Path) -> None:
    outcome, detail = await probe(settings_for(tmp_path, "http://127.0.0.1:1"), "both", "right")
    assert outcome == "unreachable"
    assert "NOT_SET_ANYWHERE" in detail


async def test_that_a_program_starts_proves_nothing(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, "http://127.0.0.1:1")
    assert (await probe(settings, "program", "right"))[0] == "unproven"


def test_the_desk_knows_who_uses_what(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, "http://127.0.0.1:1")
    with secret_desk(settings) as desk:
        (file,) = (one for one in desk.uses if one.place == "file")
        assert desk.upstreams(file) == ("shop", "both", "program")
        assert desk.read(file).value == "right"
        assert desk.max_age(file) == 90
