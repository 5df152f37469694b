import pytest
from pyreqwest.http import Url

from lockgate.app.login.addresses import (
    authorization_server_places,
    checked,
    covers,
    gateway_of,
    protected_resource_places,
)
from lockgate.control_plane.services.refused import Refused

GATE = "https://gate.example/mcp"


@pytest.mark.parametrize(
    "url",
    [GATE, "HTTPS://GATE.example/mcp", "http://127.0.0.1:8765/mcp", "http://localhost/mcp",
     "http://[::1]:1/mcp", "http://127.9.9.9/x", "https://10.0.0.1/x"],
)  # fmt: skip
def test_https_and_this_machine_are_allowed(url: str) -> None:
    assert checked(url, "It")


@pytest.mark.parametrize(
    "url",
    ["http://gate.example/mcp", "http://10.0.0.1/mcp", "http://localhost.evil.example/",
     "http://127.0.0.1.evil.example/", "file:///etc/passwd", "javascript:alert(1)", "nonsense", "",
     "https://u@gate.example/", "https://u:p@gate.example/", "https://:p@gate.example/",
     f"{GATE}#f", "https://"],
)  # fmt: skip
def test_anything_else_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(Refused) as refused:
        checked(url, "It")
    assert refused.value.why.startswith("It ")
    assert not url or url not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (GATE, GATE),
        (f"{GATE}/", GATE),
        (f"{GATE}/clinic", GATE),
        ("https://GATE.example:443/mcp/clinic", GATE),
        ("https://gate.example/two/mcp/clinic", "https://gate.example/two/mcp"),
        ("https://gate.example/other", "https://gate.example/other"),
    ],
)
def test_one_login_serves_every_endpoint_of_a_gateway(url: str, name: str) -> None:
    assert gateway_of(Url(url)) == name


@pytest.mark.parametrize(
    ("resource", "url", "yes"),
    [
        (GATE, GATE, True),
        (GATE, f"{GATE}/clinic", True),
        (f"{GATE}/", GATE, True),
        ("https://gate.example", GATE, True),
        ("https://gate.example:443/mcp", GATE, True),
        (GATE, f"{GATE}x", False),
        (f"{GATE}/clinic", GATE, False),
        ("https://evil.example/mcp", GATE, False),
        ("http://gate.example/mcp", GATE, False),
        ("https://gate.example:8443/mcp", GATE, False),
        (f"{GATE}?a=b", GATE, False),
        ("nonsense", GATE, False),
    ],
)
def test_a_token_goes_only_to_its_resource(resource: str, url: str, yes: bool) -> None:
    assert covers(resource, Url(url)) is yes


def test_where_metadata_are_looked_for() -> None:
    known = "https://gate.example/.well-known/oauth-protected-resource"
    assert protected_resource_places(Url(GATE)) == [f"{known}/mcp", known]
    assert protected_resource_places(Url(f"{GATE}/a")) == [f"{known}/mcp/a", f"{known}/mcp", known]
    assert authorization_server_places(Url("https://id.example")) == [
        "https://id.example/.well-known/oauth-authorization-server",
        "https://id.example/.well-known/openid-configuration",
    ]
    assert authorization_server_places(Url("https://id.example/t/1")) == [
        "https://id.example/.well-known/oauth-authorization-server/t/1",
        "https://id.example/.well-known/openid-configuration/t/1",
        "https://id.example/t/1/.well-known/openid-configuration",
    ]
