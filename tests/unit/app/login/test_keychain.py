"""What only the keychain has to do; the rest is in tests/contract/test_login_stores.py."""

from collections.abc import Callable
from pathlib import Path

import pytest
from keyring.backend import KeyringBackend
from keyring.backends import SecretService, fail, null

from lockgate.app.login.keychain import SERVICE, Keychain, open_keychain
from lockgate.control_plane.services.refused import Refused
from support.authorization_server import Scripted
from support.memory_keyring import MemoryKeyring

GRANT = Scripted().grant()


def made(kind: type[KeyringBackend]) -> KeyringBackend:
    return kind()


def test_it_is_kept_under_the_name_of_the_gateway(tmp_path: Path) -> None:
    backend = MemoryKeyring()
    Keychain(backend, tmp_path).put(GRANT)
    assert list(backend.kept) == [(SERVICE, GRANT.gateway)]
    assert not list(tmp_path.iterdir())


def test_a_locked_one_is_refused_without_what_it_says(tmp_path: Path) -> None:
    backend = MemoryKeyring()
    store = Keychain(backend, tmp_path)
    store.put(GRANT)
    backend.locked = True
    acts: list[Callable[[], object]] = [
        lambda: store.get("x"), lambda: store.put(GRANT), lambda: store.forget("x"),
    ]  # fmt: skip
    for act in acts:
        with pytest.raises(Refused, match="KeyringLocked") as refused:
            act()
        assert "at-1" not in str(refused.value)
        assert "--insecure-file" in refused.value.remedy


@pytest.mark.parametrize("kind", [fail.Keyring, null.Keyring, MemoryKeyring])
def test_only_an_operating_system_s_is_one(kind: type[KeyringBackend], tmp_path: Path) -> None:
    """Other libraries keep passwords in plain files under the same interface."""
    with pytest.raises(Refused, match="no keychain"):
        open_keychain(tmp_path, made(kind))


def test_the_system_s_is_taken(tmp_path: Path) -> None:
    store = open_keychain(tmp_path, made(SecretService.Keyring))
    assert "SecretService" in store.place
    assert store.lock == tmp_path / ".lockgate" / "login.lock"
