import msgspec

from lockgate.model import SYSTEM
from worlds import ALICE


def test_state_is_kept_under_who_it_is_and_not_how_they_proved_it() -> None:
    renewed = msgspec.structs.replace(ALICE, credential="k9", authn=frozenset({"oauth"}))
    assert renewed.holder == ALICE.holder == "person:alice"


def test_a_person_and_a_service_of_one_name_are_two() -> None:
    assert msgspec.structs.replace(ALICE, kind="service").id != ALICE.id


def test_the_gateway_s_own_traffic_uses_another_s_connections_under_its_own_name() -> None:
    system = msgspec.structs.replace(SYSTEM, on_behalf=ALICE.id)
    assert (system.id, system.holder) == ("system:lockgate", ALICE.id)
