"""Brings a database to the schema this code knows, with the migrations that ship inside it."""

from importlib import resources

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine

from lockgate.model import StoreDown
from lockgate.store.database import schema_of, writing
from lockgate.store.failing import store_errors


def upgrade(engine: Engine) -> None:
    """Run what is missing, all in one transaction. Safe where two processes start at once.

    Raises ``StoreDown`` for a database that a newer Lockgate made, leaving it as it was.
    """
    config = Config()
    config.set_main_option("script_location", _location())
    with store_errors("cannot migrate the database"):
        found = schema_of(engine)
        if found and not _known(config, found):
            raise StoreDown(f"the database has schema {found}, made by a newer Lockgate; upgrade")
        with writing(engine) as connection:
            run(connection, "head")


def run(connection: Connection, revision: str) -> None:
    """Up to ``revision``, in the caller's transaction."""
    config = Config()
    config.set_main_option("script_location", _location())
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def newest() -> str:
    """The last migration that ships."""
    config = Config()
    config.set_main_option("script_location", _location())
    return ScriptDirectory.from_config(config).get_current_head() or ""


def _known(config: Config, revision: str) -> bool:
    try:
        return ScriptDirectory.from_config(config).get_revision(revision) is not None
    except CommandError:
        return False


def _location() -> str:
    # Alembic reads option values with interpolation, where a lone percent sign is an error.
    return str(resources.files("lockgate.store") / "migrations").replace("%", "%%")
