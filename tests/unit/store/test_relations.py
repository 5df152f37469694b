from lockgate.store.relations import Tie, by_entity


def test_names_are_found_by_entity_and_relation() -> None:
    """The contract is in ``tests/contract/test_relations.py``."""
    ties = [Tie("p-1", "lead", "a"), Tie("p-1", "nurse", "b"), Tie("p-2", "lead", "c")]
    assert by_entity(ties) == {("p-1", "lead"): {"a"}, ("p-1", "nurse"): {"b"},
                               ("p-2", "lead"): {"c"}}  # fmt: skip
