import pytest

from lockgate.control_plane.cli.office import Office, actor_of, must_hold_to_edit
from lockgate.control_plane.services.refused import Refused
from support.desk import Desk


def test_the_local_office_is_an_office(desk: Desk) -> None:
    office: Office = desk
    assert office.config.name == "lockgate.yaml"


def test_who_types_is_who_the_machine_says(desk: Desk) -> None:
    assert (actor_of(desk).identity, actor_of(desk).via) == ("os:opal", "cli")
    desk.become("alice as root")
    assert actor_of(desk).account == "alice as root"


def test_editing_takes_a_role_only_where_roles_are_enforced(desk: Desk) -> None:
    desk.down = True
    must_hold_to_edit(desk, "operator")
    desk.down = False
    desk.configure("admin: {enforced: true}\n")
    with pytest.raises(Refused, match="operator"):
        must_hold_to_edit(desk, "operator")
