"""Turns what a database or file system raises into ``StoreDown``."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from lockgate.model import StoreDown


@contextmanager
def store_errors(doing: str) -> Iterator[None]:
    """Raises ``StoreDown`` with the cause chained. ``doing`` says what was tried, for operators."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise StoreDown(f"{doing}: {cause_of(error)}") from error


def cause_of(error: Exception) -> str:
    """One line without the statement and its values, which may be personal data."""
    found = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    name = getattr(found, "sqlite_errorname", type(found).__name__)
    return f"{name}: {found}".splitlines()[0]
