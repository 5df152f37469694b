from lockgate.model.privilege import ADMIN_ROLES, DANGEROUS, RECOVERY


def test_the_dangerous_roles_are_roles_and_no_identity_can_be_the_recovery_admins() -> None:
    assert set(ADMIN_ROLES) > DANGEROUS
    assert ":" not in RECOVERY, "people's identities begin with os: or oidc:"
