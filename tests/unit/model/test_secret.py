from lockgate.model.reference import ReferenceBroken
from lockgate.model.secret import Secret, SecretUnavailable


def test_its_value_is_not_shown() -> None:
    assert repr(Secret("s3cret", "4", 5)) == "Secret(version='4', made=5)"


def test_whoever_refuses_a_broken_reference_refuses_one_that_cannot_be_read_too() -> None:
    assert issubclass(SecretUnavailable, ReferenceBroken)
