from lockgate.model import REASONS, SendFailed


def test_a_failed_send_says_which_catalogued_reason() -> None:
    failed = SendFailed("upstream.timeout", "60 s")
    assert failed.reason in REASONS
    assert failed.detail == "60 s"
