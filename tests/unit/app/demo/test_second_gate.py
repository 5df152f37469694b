import ssl
from pathlib import Path

import httpx2
import pytest

from lockgate.app.demo.certificates import make_certificates
from lockgate.app.demo.folder import ALICE, Folder
from lockgate.app.demo.narration import actor_of
from lockgate.app.demo.second_gate import (
    AGENT,
    POLICIES,
    WORKLOAD,
    configuration,
    open_second_gate,
)
from lockgate.app.demo.stage import http_client
from lockgate.app.demo.upstreams import clinic
from lockgate.app.office import LocalOffice
from lockgate.app.settings_file import load
from support.demo_provider import installed

BASE, ISSUER = "https://127.0.0.1:4711", "http://127.0.0.1:4712"


def test_what_it_writes_is_a_deployment_like_any_other(tmp_path: Path) -> None:
    folder = Folder(tmp_path, (clinic(tmp_path),), ())
    folder.config.write_text(configuration(folder, BASE, ISSUER))
    make_certificates(tmp_path / "tls", {AGENT: WORKLOAD})
    (tmp_path / "policies").mkdir()
    for policy in POLICIES:
        (tmp_path / "policies" / policy.name).write_text(policy.read_text())
    office = LocalOffice(folder.config)
    assert office.check() == ()
    seen = office.check_policies()
    assert (seen.count, seen.problems) == (2, ())
    settings = load(folder.config)
    assert (settings.listen.port, settings.listen.public_url) == (4711, BASE)
    assert settings.issuers["clinic"].url == ISSUER
    assert settings.workloads[AGENT].kind == "agent"


@pytest.mark.node
async def test_people_sign_in_and_programs_show_certificates(tmp_path: Path) -> None:
    async with open_second_gate(tmp_path / "second", installed()) as gate:
        with pytest.raises(httpx2.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            async with http_client({}, ssl.create_default_context()) as stranger:
                await stranger.get(gate.stage.url)
        grant = await gate.sign_in(ALICE)
        assert (grant.issuer, grant.subject) == (gate.issuer, ALICE.name)
        for certified, workload in ((False, ""), (True, WORKLOAD)):
            before = await gate.stage.now()
            said = await gate.call(grant, "clinic__get_patient", certified=certified)
            assert said.ok
            intent = (await gate.stage.since(before)).calls[0]
            assert actor_of(intent)["workload"] == workload
            listed = await gate.tools(grant, certified=certified)
            assert ("clinic__read_notes" in listed) == certified
