import pytest

from lockgate.app.secret_places import backends_of, read_local, references_in, uses_of
from lockgate.app.settings_file import parse
from lockgate.app.stores import load_extra
from lockgate.model.reference import Place, Reference, ReferenceBroken
from lockgate.model.secret import SecretUse

HOUSE = """
database: file:/run/database
secrets:
  vault: {address: "https://vault.example:8200", auth: "approle role-1 file:/run/secret-id"}
  max_age_days: {"env:UNUSED": 5}
upstreams:
  clinic:
    command: clinic
    args: ["env:NOT_ONE"]
    env: {command: "env:CLINIC", PLAIN: "text:env:B"}
  shop: {url: "vault:kv/shop#url", headers: {Authorization: "Bearer vault:kv/shop#token"}}
  other: {url: "https://other.example", headers: {Authorization: "Bearer vault:kv/shop#token"}}
"""


def test_every_secret_and_who_uses_it() -> None:
    found = {str(one): uses for one, uses in uses_of(parse(HOUSE)).items()}
    assert found == {
        "file:/run/database": (SecretUse("database"),),
        "file:/run/secret-id": (SecretUse("secrets.vault.auth"),),
        "env:CLINIC": (SecretUse("upstreams.clinic.env.command", "clinic"),),
        "vault:kv/shop#url": (SecretUse("upstreams.shop.url", "shop"),),
        "vault:kv/shop#token": (
            SecretUse("upstreams.shop.headers.Authorization", "shop"),
            SecretUse("upstreams.other.headers.Authorization", "other"),
        ),
    }
    assert set(references_in(parse(HOUSE))) == set(uses_of(parse(HOUSE)))


def test_nothing_is_loaded_or_asked_before_it_is_needed() -> None:
    def load(module: str) -> object:
        raise AssertionError(module)

    backends = backends_of(parse(HOUSE).secrets, {"A": "a"}, load)
    assert backends["env"].read(Reference("env", "A")).value == "a"


def test_without_a_vault_its_references_are_refused() -> None:
    backend = backends_of(parse("upstreams: {}").secrets, {}, load_extra)["vault"]
    reference = Reference("vault", "kv/a", field="t")
    with pytest.raises(ReferenceBroken, match=r"set secrets\.vault\.address and auth"):
        backend.read(reference)
    with pytest.raises(ReferenceBroken):
        backend.write(reference, "x")


@pytest.mark.parametrize("place", ["vault", "ssm", "secretsmanager", "keyring"])
def test_only_this_machine_is_read_locally(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", "s")
    assert read_local(Reference("env", "A_SECRET")) == "s"
    with pytest.raises(ReferenceBroken, match="cannot be read here"):
        read_local(Reference(place, "a/b"))
