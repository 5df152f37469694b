"""Opens a PostgreSQL database: durable, over TLS to another machine, never waiting for ever."""

import ipaddress

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy import event as hooks
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from lockgate.model import StoreDown
from lockgate.store.database import WRITES, Upgrade, brought_up, schema_of
from lockgate.store.failing import store_errors

WRITE_LOCK = 0x6C6F636B67617465
"""The advisory lock of whoever writes ("lockgate"). Advisory locks belong to one database."""

_SCHEMES = frozenset({"postgresql", "postgres", "postgresql+psycopg"})
# libpq's own parameters (PostgreSQL manual, 34.1.2): a peer that is gone is noticed in seconds.
_NETWORK = {
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
    "application_name": "lockgate",
}
_CONNECTIONS = 5
"""Kept open by one worker, and as many again when they are all in use."""
# ``local`` and ``off`` could lose what was answered; stricter settings than ``on`` are left alone.
_DURABLE = """
SELECT current_setting('server_encoding'),
    CASE WHEN current_setting('synchronous_commit') IN ('off', 'local')
    THEN set_config('synchronous_commit', 'on', false) END,
    set_config('lock_timeout', %s, false),
    set_config('idle_in_transaction_session_timeout', '60s', false)
"""


def open_postgresql(url: str, upgrade: Upgrade, *, busy_ms: int = 5_000) -> Engine:
    """The database at ``url``, brought up to date by ``upgrade`` where needed.

    ``busy_ms``: how long a statement waits for another transaction's lock.
    Raises ``StoreDown`` when it cannot be opened, or was written by a newer Lockgate. The URL is
    libpq's; its password is in no message.
    """
    parsed = _parsed(url)
    return brought_up(_engine(parsed, busy_ms), upgrade, _shown(parsed))


def has_schema(url: str) -> bool:
    """Whether a Lockgate ever opened it. Changes nothing; raises ``StoreDown``."""
    parsed = _parsed(url)
    engine = _engine(parsed, 5_000)
    try:
        with store_errors(f"cannot open the database {_shown(parsed)}"):
            return bool(schema_of(engine))
    finally:
        engine.dispose()


def _shown(url: URL) -> str:
    return url.set(query={}).render_as_string(hide_password=True)


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is None or parsed.drivername not in _SCHEMES:
        # The text may hold a password: it is not repeated, and neither is its parser's complaint.
        raise StoreDown("the database is not named by a postgresql:// URL") from None
    return over_tls(parsed.set(drivername="postgresql+psycopg"))


def over_tls(url: URL) -> URL:
    """Another machine is reached over TLS with its certificate checked, unless the URL itself says
    how (``sslmode``)."""
    hosts = [url.host, *_listed(url.query.get("host", ())), *_listed(url.query.get("hostaddr", ()))]
    if "sslmode" in url.query or all(_is_here(host) for host in hosts if host):
        return url
    checked = {"sslmode": "verify-full", "sslrootcert": "system"}
    return url.update_query_dict({k: v for k, v in checked.items() if k not in url.query})


def _listed(value: str | tuple[str, ...]) -> list[str]:
    texts = (value,) if isinstance(value, str) else value
    return [host for text in texts for host in text.split(",")]


def _is_here(host: str) -> bool:
    if host.startswith(("/", "@")) or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _engine(url: URL, busy_ms: int) -> Engine:
    network = {name: value for name, value in _NETWORK.items() if name not in url.query}
    try:
        engine = create_engine(
            url,
            hide_parameters=True,  # values of a failed statement never reach a message or a log
            connect_args=network,
            pool_size=_CONNECTIONS,
            max_overflow=_CONNECTIONS,
            pool_timeout=busy_ms / 1000,
        )
    except ModuleNotFoundError as error:
        raise StoreDown("the driver is missing: pip install 'lockgate[postgresql]'") from error

    @hooks.listens_for(engine, "connect")
    def configure(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        _configure(connection, busy_ms)

    @hooks.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get(WRITES):
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITE_LOCK})")

    return engine


def _configure(connection: DBAPIConnection, busy_ms: int) -> None:
    cursor = connection.cursor()
    cursor.execute(_DURABLE, (f"{busy_ms}ms",))
    (encoding, *_) = cursor.fetchone() or ("nothing",)
    connection.commit()
    cursor.close()
    if encoding != "UTF8":
        raise StoreDown(f"the database keeps text as {encoding}; make one with UTF8")
