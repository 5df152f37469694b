from lockgate.model.fetch import Fetched


def test_an_answer_without_headers_has_none() -> None:
    assert not Fetched(200, b"x").headers
