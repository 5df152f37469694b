from lockgate.control_plane.cli.office import Office
from support.desk import Desk


def test_the_local_office_is_an_office(desk: Desk) -> None:
    office: Office = desk
    assert office.config.name == "lockgate.yaml"
