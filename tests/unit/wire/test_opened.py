import pytest

from lockgate.wire import opened
from lockgate.wire.refusal import WireRefusal


def test_what_an_upstream_says_is_kept_raw() -> None:
    raw = b'{"capabilities":{"tools" : {}},"instructions":"do"}'
    assert opened.read(raw, "v", b'{"name":"x"}') == opened.Opened(
        "v", b'{"tools" : {}}', b'{"name":"x"}', "do"
    )


def test_wrong_side_members_do_no_harm() -> None:
    raw = b'{"capabilities":{},"instructions":5}'
    assert opened.read(raw, "v", b"[]") == opened.Opened("v", b"{}", b"{}", "")
    assert opened.read(raw, "v", None).server_info == b"{}"


@pytest.mark.parametrize("raw", [b"{}", b'{"capabilities":[]}', b'{"capabilities":null}'])
def test_without_capabilities_it_is_garbage(raw: bytes) -> None:
    with pytest.raises(WireRefusal) as caught:
        opened.read(raw, "v", None)
    assert caught.value.reason == "upstream.garbage"
