import pytest

from lockgate.upstream.challenge import challenge_of


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("", {}),
        ('Basic realm="x"', {}),
        ("Bearer", {}),
        ('Bearer realm="a, b", scope="x y"', {"realm": "a, b", "scope": "x y"}),
        ('bearer error=invalid_token,resource_metadata="https://a/b"',
         {"error": "invalid_token", "resource_metadata": "https://a/b"}),
        (r'Bearer realm="say \"hi\""', {"realm": 'say "hi"'}),
        ('Basic realm="x", Bearer scope="s"', {"scope": "s"}),
        ('Bearer scope="first", scope="second"', {"scope": "first"}),
        ('NotBearer scope="s"', {}),
    ],
)  # fmt: skip
def test_what_a_server_asks_for(header: str, said: dict[str, str]) -> None:
    assert challenge_of(header) == said


def test_a_header_without_end_is_read_to_a_limit() -> None:
    assert challenge_of("Bearer " + "a=b," * 100_000) == {"a": "b"}
