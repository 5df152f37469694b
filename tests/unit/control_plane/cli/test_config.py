from support.desk import Desk


def test_a_valid_configuration(desk: Desk) -> None:
    found = desk.type("config", "check")
    assert found.code == 0
    assert "is valid" in found.out


def test_mistakes_are_named(desk: Desk) -> None:
    desk.configure("limits:\n  bursts: 3\n")
    found = desk.type("config", "check")
    assert found.code == 1
    assert "lockgate.yaml:2:3: limits.bursts" in found.out
    assert "Did you mean burst?" in found.out


def test_mistakes_in_policies_are_named_too(desk: Desk) -> None:
    (desk.root / "policies" / "a.cedar").write_text("permit(principal, action, resource) when {")
    found = desk.type("config", "check")
    assert found.code == 1
    assert "a.cedar" in found.out


def test_json(desk: Desk) -> None:
    desk.configure("zzz: 1\n")
    found = desk.type("config", "check", "--json")
    assert found.code == 1
    assert isinstance(found.json, dict)
    assert found.json["valid"] is False
    assert found.json["problems"][0]["line"] == 1


def test_the_schema(desk: Desk) -> None:
    found = desk.type("config", "schema").json
    assert isinstance(found, dict)
    assert "upstreams" in found["properties"]


def test_a_change_is_proposed_only_where_somebody_is_to_agree(desk: Desk) -> None:
    new = desk.root / "new.yaml"
    new.write_text("policies: policies\nupstreams: {}\n")
    refused = desk.type("config", "propose", new)
    assert (refused.code, "Nobody has to agree" in refused.err) == (3, True)
    desk.configure("approvals: {factors: {catalogue: {people: [os:carol]}}}\npolicies: policies\n")
    found = desk.type("config", "propose", new)
    assert (found.code, "approvals approve" in found.out) == (0, True)
    assert "upstreams" not in desk.config.read_text()
    new.write_text("nonsense: 1\n")
    assert desk.type("config", "propose", new).code == 3
