import orjson

from lockgate.approval.payload import exact, read_stored, stored
from worlds import call


def test_a_call_is_made_again_as_it_was() -> None:
    asked = call("delete_patient", patient_id="p-1", dose=1.50)
    found = read_stored(stored(asked))
    assert found.call() == asked
    assert found.arguments == asked.arguments


def test_numbers_are_shown_as_they_are_sent() -> None:
    """As floats, amounts and ids of many digits would look like others."""
    raw = b'{"arguments":{"id":118059162071741130342499,"dose":[1.10,1E400],"a":{"b":true}}}'
    assert orjson.dumps(exact(raw)) == raw
