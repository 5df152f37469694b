from lockgate.approval.payload import read_stored, stored
from worlds import call


def test_a_call_is_made_again_as_it_was() -> None:
    asked = call("delete_patient", patient_id="p-1", dose=1.50)
    found = read_stored(stored(asked))
    assert found.call() == asked
    assert found.arguments == asked.arguments
