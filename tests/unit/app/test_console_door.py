"""The way through the whole ingress is ``test_ingress_http``'s."""

import pytest

from lockgate.app.console_door import FORM_BYTES, hand_over
from lockgate.wire.refusal import WireRefusal
from support.asgi import Visit

ORIGIN = "https://console.example"


async def pages(scope: object, receive: object, send: object) -> None:
    raise AssertionError("nothing gets here")


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"host": "gate.example"}, "wire.bad-host"),
        ({}, "wire.bad-host"),
        ({"host": "console.example", "origin": "https://evil.example"}, "wire.bad-origin"),
        ({"host": "console.example", "content-length": str(FORM_BYTES + 1)}, "wire.too-large"),
    ],
)
async def test_what_is_not_the_console_s_does_not_get_there(
    headers: dict[str, str], reason: str
) -> None:
    visit = Visit("POST", "/console/", headers, b"")
    with pytest.raises(WireRefusal, match=reason):
        await hand_over(visit.exchange, pages, ORIGIN, 5.0)
