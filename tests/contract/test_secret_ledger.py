"""What is known of secrets, in every database."""

import pytest

from lockgate.model.reference import Reference
from lockgate.model.secret import Secret, SecretSeen
from lockgate.store.secret_ledger import StoredSecretLedger

KV = Reference("vault", "kv/a", "Bearer ", "t")
ENV = Reference("env", "A")
VALUE = "canary-of-the-ledger"


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest) -> StoredSecretLedger:
    return StoredSecretLedger(request.getfixturevalue(request.param), lambda: b"pepper" * 6)


def test_a_version_is_seen_once(ledger: StoredSecretLedger) -> None:
    first = ledger.observe({KV: Secret(VALUE, "3", 50)}, 100)
    assert first == {"vault:kv/a#t": SecretSeen("vault:kv/a#t", "3", 50, 100)}
    assert ledger.observe({KV: Secret(VALUE, "3", 50)}, 200) == first
    assert ledger.all() == first


def test_a_new_version_begins_anew(ledger: StoredSecretLedger) -> None:
    ledger.observe({KV: Secret(VALUE, "3", 50)}, 100)
    ledger.probed(KV, "accepted", 150)
    assert ledger.all()["vault:kv/a#t"].probe == "accepted"
    found = ledger.observe({KV: Secret(VALUE, "4", 180)}, 200)
    assert found["vault:kv/a#t"] == SecretSeen("vault:kv/a#t", "4", 180, 200)


def test_where_there_are_no_versions_values_are_told_apart(ledger: StoredSecretLedger) -> None:
    first = ledger.observe({ENV: Secret(VALUE)}, 100)["env:A"]
    assert ledger.observe({ENV: Secret(VALUE)}, 200)["env:A"] == first
    second = ledger.observe({ENV: Secret("other")}, 300)["env:A"]
    assert first.version != second.version
    assert second.first_seen == 300
    assert VALUE not in repr(first)


def test_the_fingerprint_of_a_value_is_keyed_and_its_own(ledger: StoredSecretLedger) -> None:
    one = ledger.version_of(ENV, Secret(VALUE))
    assert ledger.version_of(Reference("env", "B"), Secret(VALUE)) != one
    assert ledger.version_of(KV, Secret(VALUE, "3")) == "3"


def test_the_pepper_keys_it(ledger: StoredSecretLedger) -> None:
    other = StoredSecretLedger(ledger._engine, lambda: b"another" * 6)
    assert other.version_of(ENV, Secret(VALUE)) != ledger.version_of(ENV, Secret(VALUE))


def test_what_we_made_ourselves_has_an_age(ledger: StoredSecretLedger) -> None:
    ledger.observe({ENV: Secret(VALUE), KV: Secret(VALUE, "3", 50)}, 100)
    ledger.rotated(ENV, 110)
    ledger.rotated(KV, 110)
    assert (ledger.all()["env:A"].made, ledger.all()["vault:kv/a#t"].made) == (110, 50)
