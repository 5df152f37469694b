"""PostgreSQL's own ways: durable, found again after a loss, never waiting for ever."""

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.engine import make_url

from lockgate.model import AuditEvent, StoreDown
from lockgate.store.database import reading, schema_of, writing
from lockgate.store.events import StoredEvents
from lockgate.store.failing import store_errors
from lockgate.store.migrate import upgrade
from lockgate.store.postgresql import has_schema, open_postgresql, over_tls
from lockgate.store.tables import SCHEMA, feed
from support.postgres import Server


def one(name: str) -> AuditEvent:
    return AuditEvent(name, "c1", "call.intent", 5, "deny", "auth.missing", {}, {"args": b"{}"})


def setting(engine: Engine, name: str) -> object:
    with engine.connect() as connection:
        return connection.scalar(text(f"SHOW {name}"))


def test_an_empty_database_gets_the_schema(postgres: Server) -> None:
    with postgres.database(made=False) as url:
        assert not has_schema(url)
        engine = open_postgresql(url, upgrade)
        assert schema_of(engine) == SCHEMA
        engine.dispose()
        assert has_schema(url)


@pytest.mark.parametrize(
    ("set_to", "becomes"), [("off", "on"), ("local", "on"), ("remote_apply", "remote_apply")]
)
def test_no_server_makes_commits_less_than_durable(
    postgres: Server, postgres_url: str, set_to: str, becomes: str
) -> None:
    postgres.alter(postgres_url, f"SET synchronous_commit = {set_to}")
    engine = open_postgresql(postgres_url, upgrade)
    assert setting(engine, "synchronous_commit") == becomes
    engine.dispose()


def test_a_database_that_is_not_utf8_is_refused(postgres: Server) -> None:
    postgres.execute("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    with pytest.raises(StoreDown, match="LATIN1"):
        open_postgresql(postgres.url("latin"), upgrade)
    postgres.execute("DROP DATABASE latin")


def test_a_lost_connection_is_store_down_once_and_then_found_again(
    postgres: Server, postgresql: Engine
) -> None:
    store = StoredEvents(postgresql)
    store.append([one("e1")])
    postgres.drop_connections()
    with pytest.raises(StoreDown):
        store.append([one("e2")])
    store.append([one("e3")])
    assert [row.event.id for row in store.tail(9)] == ["e1", "e3"]


def test_a_lock_that_is_not_let_go_is_store_down(postgres_url: str) -> None:
    engine = open_postgresql(postgres_url, upgrade, busy_ms=50)
    with writing(engine):
        with pytest.raises(StoreDown, match="LockNotAvailable"):
            StoredEvents(engine).append([one("e1")])
        with pytest.raises(StoreDown, match="LockNotAvailable"):
            write_something(engine)
    StoredEvents(engine).append([one("e2")])
    engine.dispose()


def write_something(engine: Engine) -> None:
    with store_errors("cannot write"), writing(engine) as connection:
        connection.execute(feed.insert().values(topic="t", version=1))


@pytest.mark.parametrize(
    "url",
    ["sqlite:///x", "postgresql+asyncpg://h/db", "no url: pa55word", "postgresql://u:pa55word@h:x"],
)
def test_another_kind_of_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(StoreDown) as down:
        open_postgresql(url, upgrade)
    assert "pa55word" not in f"{down.value} {down.value.__cause__}"


def test_a_server_that_is_not_there_is_named_without_the_password() -> None:
    with pytest.raises(StoreDown, match=r"postgresql.*127\.0\.0\.1:1/db") as down:
        open_postgresql("postgresql://gate:pa55word@127.0.0.1:1/db", upgrade)
    assert "pa55word" not in f"{down.value} {down.value.__cause__}"


@pytest.mark.parametrize(
    ("url", "mode"),
    [
        ("postgresql:///db?host=/run/socket", None),
        ("postgresql://localhost/db", None),
        ("postgresql://[::1]/db", None),
        ("postgresql://db.example.org/db", "verify-full"),
        ("postgresql://10.0.0.7/db", "verify-full"),
        ("postgresql:///db?host=127.0.0.1:1&host=db.example.org:1", "verify-full"),
        ("postgresql:///db?host=localhost,db.example.org", "verify-full"),
        ("postgresql://localhost/db?hostaddr=10.0.0.7", "verify-full"),
        ("postgresql://db.example.org/db?sslmode=disable", "disable"),
    ],
)
def test_another_machine_is_reached_over_tls_unless_the_url_says_how(
    url: str, mode: str | None
) -> None:
    query = over_tls(make_url(url)).query
    assert query.get("sslmode") == mode
    assert query.get("sslrootcert") == ("system" if mode == "verify-full" else None)


def test_a_root_certificate_of_its_own_is_kept() -> None:
    url = over_tls(make_url("postgresql://db.example.org/db?sslrootcert=/etc/ca.pem"))
    assert (url.query["sslrootcert"], url.query["sslmode"]) == ("/etc/ca.pem", "verify-full")


def test_a_newer_schema_is_refused_and_left_alone(postgres_url: str) -> None:
    engine = open_postgresql(postgres_url, upgrade)
    with writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreDown, match="newer Lockgate"):
        open_postgresql(postgres_url, upgrade)
    with reading(engine) as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "9999"
    engine.dispose()
