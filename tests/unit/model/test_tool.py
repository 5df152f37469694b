from lockgate.model import Tool, definition_hash
from worlds import tool


def test_anything_that_changes_in_a_definition_makes_another_tool() -> None:
    plain = b'{"name":"t","inputSchema":{"type":"object"}}'
    reordered = b'{"inputSchema": {"type": "object"}, "name": "t"}'
    described = b'{"name":"t","inputSchema":{"type":"object"},"description":"x"}'
    vendor = b'{"name":"t","inputSchema":{"type":"object"},"x-vendor":1}'
    assert definition_hash(plain) == definition_hash(reordered)
    assert len({definition_hash(d) for d in (plain, described, vendor)}) == 3


def test_the_hash_is_worked_out_and_not_given() -> None:
    honest = tool()
    assert Tool("clinic", "get_patient", honest.raw, honest.schema, hash="x").hash == honest.hash
