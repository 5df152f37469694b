import os
from pathlib import Path

import httpx2
import pytest

from lockgate.app.demo.provider import Installed, Member, Realm, find_provider, running
from lockgate.app.demo.stage import http_client
from lockgate.app.demo.upstreams import Missing
from support.demo_provider import installed

REALM = Realm({"alice": Member("pass", ("doctors",))}, "desk", "https://gate.example/mcp", "use")


def _program(place: Path) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.touch(0o700)
    return place


def _package(modules: Path) -> Path:
    (modules / "oidc-provider").mkdir(parents=True)
    (modules / "oidc-provider" / "package.json").touch()
    return modules


def test_it_is_found_beside_the_programs_of_a_project_and_of_the_machine(tmp_path: Path) -> None:
    node = _program(tmp_path / "node" / "bin" / "node")
    project = _package(tmp_path / "project" / "node_modules")
    paths = [str(node.parent), str(project / ".bin")]
    assert find_provider(os.pathsep.join(paths)) == Installed(str(node), project)
    machine = _package(tmp_path / "node" / "lib" / "node_modules")
    assert find_provider(str(node.parent)) == Installed(str(node), machine)


def test_without_node_or_without_the_package_it_says_what_it_needs(tmp_path: Path) -> None:
    node = _program(tmp_path / "bin" / "node")
    project = _package(tmp_path / "project" / "node_modules")
    for path in ("", str(node.parent), str(project / ".bin"), "."):
        found = find_provider(path)
        assert isinstance(found, Missing)
        assert "npm install --global oidc-provider" in found.why


@pytest.mark.node
async def test_it_answers_while_it_runs_and_issues_for_one_resource_only(tmp_path: Path) -> None:
    async with http_client({}) as http:
        async with running(installed(), REALM, tmp_path / "log") as issuer:
            said = (await http.get(f"{issuer}/.well-known/openid-configuration")).json()
            assert said["issuer"] == issuer
            assert said["code_challenge_methods_supported"] == ["S256"]
            asked = {"client_id": "desk", "response_type": "code", "scope": "openid use",
                     "redirect_uri": "http://127.0.0.1:1/callback", "code_challenge": "x" * 43,
                     "code_challenge_method": "S256"}  # fmt: skip
            for resource, where in (
                (REALM.resource, "/interaction/"),
                ("https://other.example/", "error=invalid_target"),
            ):
                query = {**asked, "resource": resource}
                answer = await http.get(said["authorization_endpoint"], params=query)
                assert where in answer.headers["location"]
            assert (await http.get(f"{issuer}/interaction/unknown")).status_code == 400
        with pytest.raises(httpx2.ConnectError):
            await http.get(issuer)


@pytest.mark.node
async def test_where_it_does_not_start_the_log_says_why(tmp_path: Path) -> None:
    broken = Installed(installed().node, _package(tmp_path / "node_modules"))
    log = tmp_path / "log"
    with pytest.raises(OSError, match="did not start; see"):
        async with running(broken, REALM, log):
            pass
    assert "oidc-provider" in log.read_text()
