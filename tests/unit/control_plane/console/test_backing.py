import pytest
from starlette.requests import Request

from lockgate.control_plane.console.backing import FormRejected, fields_of, mark_of
from support.asgi import Visit

FORM = "application/x-www-form-urlencoded"


def request(body: bytes, kind: str = FORM) -> Request:
    visit = Visit("POST", "/console/x", {"content-type": kind}, body)
    return Request(visit.scope, visit.receive)


async def test_fields() -> None:
    assert await fields_of(request(b"a=1&b=%C3%A9+x&c=")) == {"a": "1", "b": "é x", "c": ""}
    assert await fields_of(request(b"")) == {}
    assert await fields_of(request(b"a=1", f"{FORM}; charset=UTF-8")) == {"a": "1"}


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"a=1&a=2", FORM), (b"a", FORM), (b"a=%00", FORM), (b"a=%ff", FORM), (b"a=\xff", FORM),
     (b"a=1", "text/plain"), (b"a=1", "multipart/form-data"), (b"a=1", ""),
     (b"&".join([b"a=1"] * 99), FORM)],
)  # fmt: skip
async def test_forms_that_are_refused(body: bytes, kind: str) -> None:
    with pytest.raises(FormRejected):
        await fields_of(request(body, kind))


def test_a_mark_is_of_one_cookie() -> None:
    assert mark_of("a") != mark_of("b")
    assert "a-cookie" not in mark_of("a-cookie")
