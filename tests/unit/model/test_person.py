from lockgate.model import Person
from lockgate.model.person import folded


def test_a_person_has_the_names_that_are_not_empty() -> None:
    assert Person("1", "scim", "alice").names == {"alice"}
    assert Person("1", "scim", "alice", "00uA").names == {"alice", "00uA"}


def test_names_fold_without_case_and_composition() -> None:
    assert folded("ÅNGSTRÖM") == folded("a\u030angstro\u0308m")
    assert folded("Straße") == folded("STRASSE")
    assert folded("alice") != folded("alicë")
