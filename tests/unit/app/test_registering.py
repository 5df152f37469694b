from pathlib import Path

import pytest

from lockgate.app.registering import fingerprint, register, resolved, target
from lockgate.app.settings import Settings
from lockgate.app.settings_file import parse
from lockgate.model.reference import Reference, ReferenceBroken
from lockgate.model.secret import SecretUnavailable
from lockgate.upstream.target import HttpTarget, WithheldTarget

HOUSE = """
limits: {call_seconds: 9, reply_bytes: 2 KiB}
upstreams:
  clinic: {command: clinic, env: {TOKEN: "vault:kv/clinic#token"}}
  shop: {url: "https://shop.example/mcp", timeout_seconds: 3,
         headers: {Authorization: "Bearer vault:kv/shop#token"}}
"""


@pytest.fixture
def settings() -> Settings:
    return parse(HOUSE)


def known(reference: Reference) -> str:
    return f"<{reference.name}>"


def test_a_secret_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("https://shop.example/mcp\n")
    one = parse(f"upstreams: {{shop: {{url: 'file:{tmp_path}/url'}}}}").upstreams["shop"]
    assert target(one) == HttpTarget("https://shop.example/mcp")
    with pytest.raises(ReferenceBroken):
        resolved(f"file:{tmp_path}/none")


def test_bounds_of_an_upstream(settings: Settings) -> None:
    clinic = register("clinic", settings.upstreams["clinic"], settings, known).bounds
    shop = register("shop", settings.upstreams["shop"], settings, known).bounds
    assert (clinic.call_seconds, shop.call_seconds) == (9, 3)
    assert (clinic.reply_bytes, clinic.list_bytes) == (2_048, 2_048)


def test_secrets_come_from_whoever_reads_them(settings: Settings) -> None:
    shop = register("shop", settings.upstreams["shop"], settings, known)
    assert shop.target == HttpTarget(
        "https://shop.example/mcp", {"Authorization": "Bearer <kv/shop>"}
    )


def test_another_secret_makes_another_upstream(settings: Settings) -> None:
    one = settings.upstreams["shop"]
    first = register("shop", one, settings, known)
    second = register("shop", one, settings, lambda _: "rotated")
    assert first != second
    assert first.upstream.fingerprint != second.upstream.fingerprint
    assert fingerprint(second.target) == second.upstream.fingerprint
    assert "rotated" not in repr(second)


def test_an_upstream_whose_secret_is_out_of_reach_is_withheld(settings: Settings) -> None:
    def away(reference: Reference) -> str:
        raise SecretUnavailable("the vault is sealed")

    found = register("shop", settings.upstreams["shop"], settings, away)
    assert found.target == WithheldTarget("the vault is sealed")


def test_a_secret_that_is_known_to_be_gone_is_a_mistake_until_it_was_in_use(
    settings: Settings,
) -> None:
    def gone(reference: Reference) -> str:
        raise ReferenceBroken("there is none")

    one = settings.upstreams["shop"]
    with pytest.raises(ReferenceBroken):
        register("shop", one, settings, gone)
    found = register("shop", one, settings, gone, ReferenceBroken)
    assert found.target == WithheldTarget("there is none")


def test_without_backends_only_this_machine_is_read() -> None:
    with pytest.raises(ReferenceBroken, match="vault:kv/a#t cannot be read here"):
        resolved("vault:kv/a#t")
