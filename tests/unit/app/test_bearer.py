from lockgate.app.bearer import FixedBearer


async def test_a_key_is_what_it_is() -> None:
    bearer = FixedBearer("lgp_key")
    assert await bearer.current() == "lgp_key"
    assert await bearer.instead_of("lgp_key") == ""
    await bearer.settle()
