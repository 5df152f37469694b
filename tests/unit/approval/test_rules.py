from lockgate.approval.rules import ApprovalRules, FactorRule


def test_a_factor_nobody_configured_is_for_holders_of_the_role() -> None:
    assert ApprovalRules().of("anything").open
    assert not FactorRule(people=frozenset({"os:a"})).open
    assert not FactorRule(confirm=True).open
    assert not FactorRule(relation="lead", argument="/id").open
