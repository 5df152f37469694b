"""Everything that is kept, opened: in the data directory and in the database."""

import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Engine

from lockgate.app.registering import resolved
from lockgate.app.secret_places import backends_of
from lockgate.app.settings import Settings
from lockgate.app.stamps import now_ms
from lockgate.model import StoreDown
from lockgate.model.reference import Place, ReferenceBroken
from lockgate.model.secret import SecretBackend
from lockgate.store.accounts import StoredAccounts, account_key
from lockgate.store.events import StoredEvents
from lockgate.store.failing import store_errors
from lockgate.store.inquiries import StoredInquiries
from lockgate.store.keys import StoredKeys
from lockgate.store.people import StoredPeople
from lockgate.store.postgresql import has_schema, open_postgresql
from lockgate.store.sealing import key_for
from lockgate.store.secret_ledger import StoredSecretLedger
from lockgate.store.secrets import LocalSecrets, host_id, private_folder
from lockgate.store.sqlite import open_sqlite

EMBEDDED = "lockgate.db"
"""The SQLite database in the data directory."""


class Stores(msgspec.Struct, frozen=True):
    """Everything that is kept, in the data directory and in the database."""

    engine: Engine
    events: StoredEvents
    keys: StoredKeys
    people: StoredPeople
    secrets: LocalSecrets
    ledger: StoredSecretLedger
    host: str
    """Names this machine's workers to those of others that use the same database."""


def open_stores(data_dir: Path, database: str = "") -> Stores:
    """``database``: a PostgreSQL URL, or empty for SQLite in ``data_dir``. Raises ``StoreDown``."""
    secrets = LocalSecrets(data_dir / "secrets")
    if database:
        with store_errors(f"cannot use {data_dir}"):
            private_folder(data_dir)
        engine = open_postgresql(database, _upgrade)
    else:
        engine = open_sqlite(data_dir / EMBEDDED, _upgrade)
    host = host_id(data_dir)
    ledger = StoredSecretLedger(engine, secrets.pepper)
    kept = (StoredEvents(engine), StoredKeys(engine), StoredPeople(engine))
    return Stores(engine, *kept, secrets, ledger, host)


def stores_of(settings: Settings) -> Stores:
    """Raises ``StoreDown``, also where the reference to the database is broken."""
    return open_stores(Path(settings.data_dir), database_of(settings))


def accounts_of(stores: Stores) -> StoredAccounts:
    """Raises ``StoreDown``."""
    return StoredAccounts(stores.engine, account_key(stores.secrets.sealing_key()), now_ms)


def inquiries_of(stores: Stores) -> StoredInquiries:
    """Raises ``StoreDown``."""
    key = key_for("lockgate/inquiries/v1", stores.secrets.sealing_key())
    return StoredInquiries(stores.engine, key, now_ms)


def have_stores(settings: Settings) -> bool:
    """Whether they were opened before. Changes nothing; raises ``StoreDown``."""
    if settings.database:
        return has_schema(database_of(settings))
    return (Path(settings.data_dir) / EMBEDDED).exists()


def database_of(settings: Settings) -> str:
    """Raises ``StoreDown``."""
    try:
        read = secret_backends(settings)
        return resolved(settings.database, lambda r: read[r.place].read(r).value)
    except ReferenceBroken as broken:
        raise StoreDown(f"the database cannot be named: {broken}") from broken


def secret_backends(settings: Settings) -> Mapping[Place, SecretBackend]:
    return backends_of(settings.secrets, os.environ, load_extra)


_EXTRAS = {"boto3": "aws", "botocore": "aws", "keyring": "keyring"}


def load_extra(module: str) -> Any:
    """A package that not every deployment has. Raises ``ReferenceBroken``."""
    package = module.partition(".")[0]
    try:
        return loaded(module)
    except ImportError as missing:
        raise ReferenceBroken(f"{package} is not installed here; install "
                              f"lockgate[{_EXTRAS[package]}]") from missing  # fmt: skip


def _upgrade(engine: Engine) -> None:
    loaded("lockgate.store.migrate").upgrade(engine)


def loaded(module: str) -> Any:
    """A module that is loaded only where it is needed: the one place for that."""
    return import_module(module)
