import pytest
from keyring.backends.fail import Keyring as NoKeyring
from keyring.errors import KeyringLocked

from lockgate.app.stores import load_extra
from lockgate.model.reference import Reference
from lockgate.model.secret import SecretUnavailable
from lockgate.store.secret_backends.os_keyring import KeyringSecrets
from support.memory_keyring import MemoryKeyring, in_use

REFERENCE = Reference("keyring", "lockgate/github")


def test_a_machine_without_a_keyring_says_so() -> None:
    none = NoKeyring()  # type: ignore[no-untyped-call]
    with in_use(none), pytest.raises(SecretUnavailable, match="no keyring"):
        KeyringSecrets(load_extra).read(REFERENCE)


def test_what_a_keyring_says_when_it_fails_is_not_repeated() -> None:
    one = MemoryKeyring()
    one.failure = KeyringLocked("s3cret")
    with in_use(one), pytest.raises(SecretUnavailable, match="KeyringLocked") as caught:
        KeyringSecrets(load_extra).read(REFERENCE)
    assert "s3cret" not in str(caught.value)


def test_the_user_is_what_follows_the_last_slash() -> None:
    one = MemoryKeyring()
    one.set_password("https://a.example/x", "me", "s3cret")
    with in_use(one):
        found = KeyringSecrets(load_extra).read(Reference("keyring", "https://a.example/x/me"))
    assert found.value == "s3cret"
