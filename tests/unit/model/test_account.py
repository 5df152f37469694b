from lockgate.model import Account


def test_its_secret_is_not_shown() -> None:
    made = Account("person:alice", "notes", "https://auth.example", "place", secret=b"hidden")
    assert repr(made) == "Account('person:alice', 'notes', version=0)"
