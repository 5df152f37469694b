"""What every place of secrets must do, on real servers where there is a server."""

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from lockgate.app.stamps import now_ms
from lockgate.app.stores import load_extra
from lockgate.model.reference import Reference, ReferenceBroken, parse_reference
from lockgate.model.secret import SecretBackend
from lockgate.store.secret_backends.aws import AwsClients, SecretsManagerSecrets, SsmSecrets
from lockgate.store.secret_backends.local import EnvSecrets, FileSecrets
from lockgate.store.secret_backends.os_keyring import KeyringSecrets
from lockgate.store.secret_backends.vault import VaultSecrets
from lockgate.store.secret_backends.vault_http import VaultHttp
from lockgate.store.secret_backends.vault_login import Login
from support.memory_keyring import MemoryKeyring, in_use
from support.secret_servers import AWS, ROOT_TOKEN, Aws, Vault

FIRST, SECOND = "the-first-value", "the second: välue/with#signs"
A_DAY = 86_400_000


class Place(msgspec.Struct):
    backend: SecretBackend
    text: str
    put: Callable[[str], None]
    """As its owner would, without us."""
    gone: str
    """Where there is no secret."""
    writes: bool = True
    versions: bool = False
    dates: bool = False
    keeps_nothing: bool = True
    """It takes an empty value."""

    @property
    def reference(self) -> Reference:
        return reference(self.text)


def reference(text: str) -> Reference:
    found = parse_reference(text)
    assert found is not None
    return found


def env(request: pytest.FixtureRequest) -> Place:
    environ: dict[str, str] = {}
    put = lambda value: environ.update(A=value)  # noqa: E731
    return Place(EnvSecrets(environ), "env:A", put, "env:B", writes=False)


def file(request: pytest.FixtureRequest) -> Place:
    folder: Path = request.getfixturevalue("tmp_path")
    path = folder / "a"
    return Place(
        FileSecrets(),
        f"file:{path}",
        lambda value: _write(path, value),
        f"file:{folder}/b",
        dates=True,
    )


def _write(path: Path, value: str) -> None:
    path.write_text(value + "\n")


def vault_token(request: pytest.FixtureRequest) -> Place:
    return _vault(request, Login("token", reference("env:T")), {"env:T": ROOT_TOKEN})


def vault_approle(request: pytest.FixtureRequest) -> Place:
    role, secret = request.getfixturevalue("vault").approle()
    return _vault(request, Login("approle", reference("env:S"), role), {"env:S": secret})


def _vault(request: pytest.FixtureRequest, login: Login, known: dict[str, str]) -> Place:
    server: Vault = request.getfixturevalue("vault")
    name = f"contract/{request.node.name}"
    path = "".join(c if c.isalnum() or c == "/" else "-" for c in name)
    backend = VaultSecrets(VaultHttp(server.address), login, lambda r: known[str(r)])
    return Place(
        backend, f"vault:secret/{path}#token",
        lambda value: server.put(path, token=value, other="o"),
        "vault:secret/contract/none#token", versions=True, dates=True,
    )  # fmt: skip


def ssm(request: pytest.FixtureRequest) -> Place:
    server: Aws = request.getfixturevalue("aws")
    client, name = server.client("ssm"), f"/contract/{_word(request)}"

    def put(value: str) -> None:
        client.put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)

    backend = SsmSecrets(AwsClients(load_extra, "eu-central-1", server.endpoint))
    return Place(backend, f"ssm:{name}", put, "ssm:/contract/none", versions=True, dates=True,
                 keeps_nothing=False)  # fmt: skip


def secrets_manager(request: pytest.FixtureRequest) -> Place:
    return _manager(request, "", lambda value: value)


def secrets_manager_field(request: pytest.FixtureRequest) -> Place:
    def whole(value: str) -> str:
        return msgspec.json.encode({"token": value, "other": "o"}).decode()

    return _manager(request, "#token", whole)


def _manager(request: pytest.FixtureRequest, field: str, whole: Callable[[str], str]) -> Place:
    server: Aws = request.getfixturevalue("aws")
    client, name = server.client("secretsmanager"), f"contract/{_word(request)}"

    def put(value: str) -> None:
        known = {one["Name"] for one in client.list_secrets(MaxResults=100)["SecretList"]}
        if name not in known:
            client.create_secret(Name=name, SecretString=whole(value))
        else:
            client.put_secret_value(SecretId=name, SecretString=whole(value))

    backend = SecretsManagerSecrets(AwsClients(load_extra, "eu-central-1", server.endpoint))
    return Place(backend, f"secretsmanager:{name}{field}", put, "secretsmanager:contract/none",
                 versions=True, dates=True, keeps_nothing=bool(field))  # fmt: skip


def keyring(request: pytest.FixtureRequest) -> Place:
    kept = MemoryKeyring()
    request.getfixturevalue("installed")(kept)
    put = lambda value: kept.kept.update({("gate", "github"): value})  # noqa: E731
    return Place(KeyringSecrets(load_extra), "keyring:gate/github", put, "keyring:gate/none")


def _word(request: pytest.FixtureRequest) -> str:
    return "".join(c if c.isalnum() else "-" for c in request.node.name)


KINDS = [
    env,
    file,
    vault_token,
    vault_approle,
    ssm,
    secrets_manager,
    secrets_manager_field,
    keyring,
]


@pytest.fixture
def installed() -> Iterator[Callable[[MemoryKeyring], None]]:
    with in_use(MemoryKeyring()):

        def install(one: MemoryKeyring) -> None:
            load_extra("keyring").set_keyring(one)

        yield install


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Place:
    for name, value in AWS.items():
        monkeypatch.setenv(name, value)
    made: Place = request.param(request)
    made.put(FIRST)
    return made


def test_what_is_read_is_what_was_put_there(place: Place) -> None:
    assert place.backend.read(place.reference).value == FIRST
    place.put(SECOND)
    assert place.backend.read(place.reference).value == SECOND


def test_a_scheme_in_front_is_not_part_of_it(place: Place) -> None:
    assert place.backend.read(reference(f"Bearer {place.text}")).value == FIRST


def test_a_new_version_has_a_name_and_a_time_of_its_own_where_the_place_keeps_them(
    place: Place,
) -> None:
    first = place.backend.read(place.reference)
    place.put(SECOND)
    second = place.backend.read(place.reference)
    assert (first.version != second.version) == place.versions
    assert bool(second.version) == place.versions
    assert (abs(second.made - now_ms()) < A_DAY) == place.dates
    assert (second.made == 0) == (not place.dates)


def test_the_value_is_not_shown_by_accident(place: Place) -> None:
    assert FIRST not in repr(place.backend.read(place.reference))


def test_what_is_not_there_is_known_to_be_not_there(place: Place) -> None:
    with pytest.raises(ReferenceBroken) as caught:
        place.backend.read(reference(place.gone))
    assert type(caught.value) is ReferenceBroken, "not merely unavailable"
    assert reference(place.gone).name in str(caught.value)


def test_nothing_is_no_secret(place: Place) -> None:
    if not place.keeps_nothing:
        return
    place.put("")
    with pytest.raises(ReferenceBroken, match=r"is empty|no text"):
        place.backend.read(place.reference)


def test_what_was_written_is_read_and_its_neighbours_stay(place: Place) -> None:
    if not place.writes:
        with pytest.raises(ReferenceBroken, match="cannot be written"):
            place.backend.write(place.reference, SECOND)
        return
    before = place.backend.read(place.reference)
    place.backend.write(place.reference, SECOND)
    after = place.backend.read(place.reference)
    assert after.value == SECOND
    assert (after.version != before.version) == place.versions
    if place.reference.field:
        other = msgspec.structs.replace(place.reference, field="other")
        assert place.backend.read(other).value == "o"


def test_only_what_exists_is_written(place: Place) -> None:
    if place.writes:
        with pytest.raises(ReferenceBroken):
            place.backend.write(reference(place.gone), SECOND)


def test_no_field_of_that_name(place: Place) -> None:
    if place.reference.field:
        absent = msgspec.structs.replace(place.reference, field="absent")
        with pytest.raises(ReferenceBroken, match="no field absent") as caught:
            place.backend.read(absent)
        assert FIRST not in str(caught.value)
