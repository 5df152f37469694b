from lockgate.model.relation import Tie


def test_ties_are_told_apart_and_sorted() -> None:
    ties = {Tie("b", "lead", "x"), Tie("a", "lead", "y"), Tie("a", "lead", "y")}
    assert sorted(ties) == [Tie("a", "lead", "y"), Tie("b", "lead", "x")]
