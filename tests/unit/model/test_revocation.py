from typing import get_args

from lockgate.model.revocation import RevocationKind


def test_a_token_a_subject_and_a_session_can_be_revoked() -> None:
    assert set(get_args(RevocationKind)) == {"token", "subject", "session"}
