from lockgate.identity.thumbprint import thumbprint


def test_it_is_sha_256_in_base64url_and_nothing_for_nothing() -> None:
    assert thumbprint(b"abc") == "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0"
    assert thumbprint(b"") == ""
