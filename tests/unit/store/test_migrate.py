import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, text

from lockgate.control_plane.services.privileges import privilege_of
from lockgate.model import KeyRecord, StoreDown
from lockgate.store.database import reading, schema_of, writing
from lockgate.store.inquiries import StoredInquiries
from lockgate.store.keys import StoredKeys
from lockgate.store.migrate import newest, run, upgrade
from lockgate.store.postgresql import open_postgresql
from lockgate.store.relations import MemoryRelations
from lockgate.store.sqlite import open_sqlite
from lockgate.store.standing import HeldStanding
from lockgate.store.tables import SCHEMA, metadata
from support.postgres import Server


def test_the_newest_migration_is_the_one_the_code_speaks() -> None:
    assert newest() == SCHEMA


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_the_migrations_make_what_the_tables_say(
    request: pytest.FixtureRequest, database: str
) -> None:
    engine: Engine = request.getfixturevalue(database)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, metadata) == []


@pytest.mark.parametrize("table", sorted(metadata.tables))
def test_the_two_agree_also_on_what_sqlalchemy_does_not_compare(
    engine: Engine, tmp_path: Path, table: str
) -> None:
    def direct(engine: Engine) -> None:
        with writing(engine) as connection:
            metadata.create_all(connection)
            connection.execute(text("CREATE TABLE alembic_version (version_num TEXT)"))
            connection.execute(text("INSERT INTO alembic_version VALUES (:v)"), {"v": SCHEMA})

    made = open_sqlite(tmp_path / "direct.db", direct)
    query = text("SELECT type, name, replace(sql, '\"', '') FROM sqlite_master WHERE tbl_name = :t")
    columns = text('SELECT name, type, "notnull", pk FROM pragma_table_info(:t)')

    def shape(engine: Engine) -> tuple[object, ...]:
        with reading(engine) as connection:
            told = connection.execute(query, {"t": table}).all()
            flags = sorted(
                (row[1], "AUTOINCREMENT" in (row[2] or ""), "WITHOUT ROWID" in (row[2] or ""))
                for row in told
            )
            return flags, [tuple(row) for row in connection.execute(columns, {"t": table})]

    assert shape(engine) == shape(made)
    made.dispose()


def test_a_newer_schema_is_refused_and_left_alone(engine: Engine, tmp_path: Path) -> None:
    with writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreDown, match="newer Lockgate"):
        open_sqlite(tmp_path / "db" / "lockgate.db", upgrade)
    assert schema_of(engine) == "9999"


def test_two_that_start_at_once_both_succeed(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        engines = list(pool.map(lambda _: open_sqlite(tmp_path / "lockgate.db", upgrade), range(4)))
    for opened in engines:
        assert schema_of(opened) == SCHEMA
        opened.dispose()


def test_two_that_start_at_once_on_postgresql_both_succeed(postgres: Server) -> None:
    with postgres.database(made=False) as url, ThreadPoolExecutor(4) as pool:
        for opened in list(pool.map(lambda _: open_postgresql(url, upgrade), range(4))):
            assert schema_of(opened) == SCHEMA
            opened.dispose()


def test_a_database_of_the_first_schema_is_brought_up_with_its_rows(postgres: Server) -> None:
    def first(engine: Engine) -> None:
        with writing(engine) as connection:
            run(connection, "0001")
            connection.execute(text("INSERT INTO feed VALUES ('t', 5)"))
            key = "('k', 'personal', 'a', 'a', '[]', '', 'h', 1, 9, 0)"
            connection.execute(text(f"INSERT INTO api_key VALUES {key}"))  # noqa: S608

    with postgres.database(made=False) as url:
        with pytest.raises(StoreDown, match="0001"):
            open_postgresql(url, first)
        opened = open_postgresql(url, upgrade)
        with reading(opened) as connection:
            assert connection.scalar(text("SELECT version FROM feed")) == 5
        kept = KeyRecord("k", "personal", "a", "a", frozenset(), "", "h", 1, 9)
        assert StoredKeys(opened).list() == (kept,)
        opened.dispose()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_roles_that_are_held_go_on_as_questions(
    request: pytest.FixtureRequest, tmp_path: Path, database: str
) -> None:
    now = time.time_ns() // 1_000_000

    def old(engine: Engine) -> None:
        rows = {"held": (now, 0, now + 60_000), "over": (now - 9, 0, now - 1),
                "ended": (now, now, now + 60_000), "asked": (0, 0, now + 60_000)}  # fmt: skip
        with writing(engine) as connection:
            run(connection, "0009")
            for id, (granted, ended, expires) in rows.items():
                connection.execute(text(
                    "INSERT INTO privilege (id, role, holder, reason, granted_by, ended_by, asked, "
                    "lasts, expires, granted, ended, version) VALUES (:id, 'responder', "
                    "'oidc:dora', 'why', '[\"os:carol\", \"os:dave\"]', '', 1, 60000, :expires, "
                    ":granted, :ended, 1)"),
                    {"id": id, "granted": granted, "ended": ended, "expires": expires})  # fmt: skip
            if database == "sqlite":
                run(connection, "head")

    if database == "sqlite":
        _check_roles(open_sqlite(tmp_path / "lockgate.db", old), now)
        return
    server: Server = request.getfixturevalue("postgres")
    with server.database(made=False) as url:
        with pytest.raises(StoreDown, match="0009"):
            open_postgresql(url, old)
        _check_roles(open_postgresql(url, upgrade), now)


def _check_roles(engine: Engine, now: int) -> None:
    store = StoredInquiries(engine, b"k" * 32, lambda: now)
    (held,) = store.listed()
    assert (held.inquiry.id, held.inquiry.state) == ("held", "approved")
    standing = HeldStanding(store, MemoryRelations(), lambda: True, lambda: now)
    standing.refresh(now)
    assert standing.roles("oidc:dora") == {"responder"}
    assert [v.voter for v in held.votes] == ["os:carol", "os:dave"]
    assert privilege_of(held).granted_by == ("os:carol", "os:dave")
    engine.dispose()


def test_a_path_with_a_percent_sign_is_no_trouble(tmp_path: Path) -> None:
    open_sqlite(tmp_path / "50% off" / "lock%(gate)s.db", upgrade).dispose()


def test_a_failed_upgrade_leaves_nothing(tmp_path: Path) -> None:
    def half(engine: Engine) -> None:
        with writing(engine) as connection:
            metadata.create_all(connection)
            raise OSError("power cut")

    with pytest.raises(StoreDown, match="power cut"):
        open_sqlite(tmp_path / "lockgate.db", half)
    opened = open_sqlite(tmp_path / "lockgate.db", upgrade)
    assert schema_of(opened) == SCHEMA
    opened.dispose()
