from lockgate.model import Upstream
from lockgate.upstream.target import HttpTarget, Registered, StdioTarget


def test_a_registration_that_ends_in_a_log_shows_no_secret() -> None:
    secret = "hunter2"
    program = StdioTarget(("server", "--flag"), {"API_TOKEN": secret})
    url = f"https://mcp.example.org/{secret}?key={secret}"
    endpoint = HttpTarget(url, {"Authorization": f"Bearer {secret}"})
    for target, shown in ((program, "API_TOKEN"), (endpoint, "mcp.example.org")):
        said = repr(Registered(Upstream("u"), target))
        assert secret not in said
        assert shown in said


def test_a_registration_goes_by_its_upstream_s_name() -> None:
    assert Registered(Upstream("u"), StdioTarget(("x",))).name == "u"
