from lockgate.control_plane.cli.doctor import gather
from support.desk import Desk


def test_an_empty_deployment_has_warnings_only(desk: Desk) -> None:
    desk.configure("listen: {port: 0}\n")
    found = desk.type("doctor")
    assert found.code == 0
    assert "warn" in found.out
    assert "keys create" in found.out


def test_something_broken_is_a_finding(desk: Desk) -> None:
    desk.configure("listen: {port: 0}\nupstreams: {a: {command: no-such-program}}\n")
    found = desk.type("doctor", "--json")
    assert found.code == 1
    assert isinstance(found.json, dict)
    assert found.json["grade"] == "fail"
    assert any(c["name"] == "upstream a" and c["remedy"] for c in found.json["checks"])


def test_a_broken_configuration_is_diagnosed_not_refused(desk: Desk) -> None:
    desk.configure("zzz: 1\n")
    found = desk.type("doctor")
    assert found.code == 1
    assert "lockgate.yaml:1:1" in found.out


def test_a_store_that_is_down(desk: Desk) -> None:
    desk.configure("listen: {port: 0}\n")
    desk.down = True
    assert "cannot open the database" in gather(desk).store_trouble


def test_looking_makes_nothing(desk: Desk) -> None:
    desk.configure("listen: {port: 0}\n")
    before = sorted(desk.root.rglob("*"))
    desk.type("doctor")
    assert sorted(desk.root.rglob("*")) == before
