from lockgate.model import NOW, FactKey, Facts, Known, Unknown


def test_a_fact_that_was_not_gathered_is_unknown() -> None:
    other: FactKey[int] = FactKey("other")
    facts = Facts({NOW: Known(5)})
    assert facts.get(NOW) == Known(5)
    assert isinstance(facts.get(other), Unknown)
