from lockgate.upstream.credential import PERSONAL, Credential, NoBearer
from lockgate.upstream.oauth_token import OAuthClient


async def test_where_headers_are_all_there_is_nothing_joins_them() -> None:
    none = NoBearer()
    assert await none.headers() == {}
    await none.refused({}, "", again=False)


def test_secrets_never_stand_in_a_repr() -> None:
    client = OAuthClient("a", "s3cret", "s3cret")
    made = Credential("id_jag", client=client, idp_client=client)
    assert "s3cret" not in repr(made)


def test_these_are_personal() -> None:
    assert {"exchange", "account", "id_jag"} == PERSONAL
