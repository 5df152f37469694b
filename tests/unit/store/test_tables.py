import pytest
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from lockgate.store.tables import metadata


@pytest.mark.parametrize("name", sorted(metadata.tables))
def test_every_table_can_also_be_made_in_postgresql(name: str) -> None:
    made = str(CreateTable(metadata.tables[name]).compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]
    assert "BLOB" not in made
    if name == "event":
        assert "seq BIGSERIAL" in made
