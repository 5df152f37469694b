import pytest

from lockgate.app.settings import Settings
from lockgate.app.settings_file import parse
from lockgate.control_plane.services.config_edit import add_upstreams
from lockgate.control_plane.services.deployment import UpstreamPlan
from lockgate.control_plane.services.refused import Refused
from lockgate.control_plane.services.starter import CONFIG

GIT = UpstreamPlan(
    "git", ("mcp-server-git", "-r", "yes", "1"), env={"A": "true", "B": "file:x"}, cwd="w"
)
WEB = UpstreamPlan("web", url="https://a.example/mcp", headers={"Authorization": "Bearer env:X"})


def lines_of(text: str) -> set[str]:
    return {line.strip() for line in text.splitlines() if "#" in line}


def added(text: str) -> Settings:
    return parse(add_upstreams(text, [GIT, WEB]))


@pytest.mark.parametrize(
    "text",
    ["", "# only a comment\n", "data_dir: x\n", "upstreams:\n", "upstreams: {}\n",
     "upstreams: {} # none\n", "upstreams: {a: {command: x}} # one\n", CONFIG,
     "upstreams:\n  a:\n    command: x # c\n# end\n", "upstreams: # none\ndata_dir: x\n"],
)  # fmt: skip
def test_upstreams_are_added_and_comments_stay(text: str) -> None:
    made = add_upstreams(text, [GIT, WEB])
    found = parse(made).upstreams
    assert found["git"].argv == GIT.argv
    assert found["git"].env == GIT.env
    assert found["git"].cwd == "w"
    assert found["web"].url == WEB.url
    assert found["web"].headers == WEB.headers
    for line in lines_of(text):
        assert line[line.index("#") :] in made


def test_adding_twice_keeps_the_first() -> None:
    made = add_upstreams(add_upstreams(CONFIG, [GIT]), [WEB])
    assert set(parse(made).upstreams) == {"git", "web"}
    assert lines_of(CONFIG) <= lines_of(made)


def test_plain_http_elsewhere_is_marked_as_what_it_is() -> None:
    made = add_upstreams("", [UpstreamPlan("web", url="http://a.example/mcp")])
    assert parse(made).upstreams["web"].insecure_http
    local = add_upstreams("", [UpstreamPlan("web", url="http://127.0.0.1:1/mcp")])
    assert not parse(local).upstreams["web"].insecure_http


def test_a_name_that_is_taken_is_refused() -> None:
    with pytest.raises(Refused, match="git already"):
        add_upstreams("upstreams: {git: {command: x}}", [GIT])


@pytest.mark.parametrize("text", ["a: [", "- a\n", "3"])
def test_what_is_no_configuration_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        add_upstreams(text, [GIT])


def test_everything_else_keeps_its_meaning() -> None:
    text = "listen: {port: 9000}\nlimits:\n  burst: 7 # few\npolicies: [a.cedar]\n"
    made = added(text)
    assert (made.listen.port, made.limits.burst, made.policies) == (9000, 7, ("a.cedar",))
