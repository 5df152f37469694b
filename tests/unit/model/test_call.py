import msgspec
import pytest

from lockgate.model import Call, Envelope, Upstream
from worlds import ALICE, BOB, CLINIC, call


def test_the_digest_names_exactly_this_call_by_this_principal() -> None:
    one = call(patient_id="p-1")
    assert one.digest == call(patient_id="p-1").digest
    assert one.digest != call(patient_id="p-2").digest
    assert one.digest != call(principal=BOB, patient_id="p-1").digest
    assert one.digest != call("delete_patient", patient_id="p-1").digest
    assert one.digest != call(upstream=Upstream("other"), patient_id="p-1").digest
    other_agent = msgspec.structs.replace(ALICE, agent="script")
    assert one.digest != call(principal=other_agent, patient_id="p-1").digest


def test_a_digest_cannot_be_given() -> None:
    claimed = Call("1", ALICE, "tools/call", CLINIC, "t", b'{"name":"t"}', digest="forged")
    assert claimed.digest != "forged"


def test_the_envelope_is_not_part_of_the_digest() -> None:
    one = call(patient_id="p-1")
    again = msgspec.structs.replace(one, id="c-9", envelope=Envelope(era="legacy", peer="10.0.0.1"))
    assert one.digest == again.digest


def test_vendor_meta_is_part_of_the_digest() -> None:
    plain = Call("1", ALICE, "tools/call", CLINIC, "t", b'{"name":"t"}')
    marked = Call("1", ALICE, "tools/call", CLINIC, "t", b'{"name":"t","_meta":{"v":1}}')
    assert plain.digest != marked.digest


def test_the_same_name_at_another_address_is_another_call() -> None:
    moved = msgspec.structs.replace(CLINIC, fingerprint="elsewhere")
    assert call(upstream=moved).digest != call(upstream=CLINIC).digest


def test_a_rewritten_call_remembers_what_it_came_from() -> None:
    first = call(a=1, b=2)
    second = first.rewritten(b'{"name":"get_patient","arguments":{"a":1}}')
    third = second.rewritten(b'{"name":"get_patient","arguments":{}}')
    assert second.digest != first.digest
    assert second.origin == third.origin == first.digest


@pytest.mark.parametrize("params", [b'{"name":"t"}', b'{"name":"t","arguments":null}'])
def test_arguments_are_empty_where_there_are_none(params: bytes) -> None:
    assert Call("1", ALICE, "tools/call", CLINIC, "t", params).arguments == {}
