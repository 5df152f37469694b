from lockgate.model.console import ConsoleSession


def test_a_session_is_a_value() -> None:
    assert ConsoleSession("h", "oidc:a", "A", "", "", 1, 1, 2) == ConsoleSession(
        "h", "oidc:a", "A", "", "", 1, 1, 2
    )
