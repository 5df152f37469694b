from pathlib import Path

import pytest

from lockgate.app.settings import Settings
from lockgate.app.settings_file import parse
from lockgate.control_plane.services.refused import Refused
from lockgate.control_plane.services.starter import CONFIG, POLICY, write_starter
from lockgate.model import APPROVALS, NOW, Call, Facts, Known, Principal, Tool, Upstream
from lockgate.policy.bundle import PolicyBundle
from lockgate.policy.cedar import CedarPolicy
from lockgate.policy.entities import ACTIONS
from lockgate.policy.mapping import ArgumentMapping


def uncommented(text: str, start: str, mark: str) -> str:
    """``text`` with every example from ``start`` on taken into use."""
    head, found, rest = text.partition(start)
    assert found
    lines = (start + rest).splitlines()
    return head + "\n".join(line.removeprefix(mark) for line in lines)


def test_the_starter_configuration_is_all_defaults() -> None:
    assert parse(CONFIG) == Settings()


def test_the_commented_limits_are_the_defaults_and_all_of_them() -> None:
    block = CONFIG.partition("# limits:\n")[2].partition("\n\n")[0]
    text = "limits:\n" + "\n".join(line.removeprefix("# ") for line in block.splitlines())
    made = parse(text)
    assert made.limits == Settings().limits
    assert made.limits.model_fields_set == set(type(made.limits).model_fields)


def test_the_commented_upstreams_are_valid() -> None:
    text = uncommented(CONFIG.replace("upstreams: {}", "upstreams:"), "#  time:", "#")
    assert set(parse(text).upstreams) == {"time", "tickets"}


def test_the_starter_policy_and_its_examples_are_valid() -> None:
    mapping = ArgumentMapping({("tickets", "close_ticket"): {"queue": "string"}})
    PolicyBundle.compile({"starter.cedar": POLICY}, mapping)
    examples = uncommented(POLICY, '// @id("desk-sees-tickets")', "// ")
    for prose in ("Nobody, whatever else", "Only after a person's yes"):
        assert prose in examples
        examples = examples.replace(prose, f"// {prose}")
    found = PolicyBundle.compile({"e.cedar": examples}, mapping).rules
    assert {"desk-closes-its-own-queue", "reopening-needs-a-yes", "no-deletions"} <= found.keys()


@pytest.mark.parametrize("method", ACTIONS)
@pytest.mark.parametrize(("role", "effect"), [("developer", "PERMIT"), ("guest", "DENY")])
def test_the_starter_policy_permits_developers_every_method_and_nobody_else_any(
    method: str, role: str, effect: str
) -> None:
    policy = CedarPolicy(PolicyBundle.compile({"starter.cedar": POLICY}, ArgumentMapping()))
    who = Principal("person", "ann", roles=frozenset({role}))
    params = b'{"ref":{"type":"ref/prompt","name":"p"}}'
    tool = Tool("time", "now", b"{}", b"{}")
    asked = Call("c", who, method, Upstream("time"), "now", params, tool)
    facts = Facts({NOW: Known(0), APPROVALS: Known(())})
    assert policy.check(asked, facts).effect.name == effect


def test_files_are_written_once(tmp_path: Path) -> None:
    config, policy = write_starter(tmp_path)
    assert config.stat().st_mode & 0o777 == 0o600
    assert policy == tmp_path / "policies" / "starter.cedar"
    config.unlink()
    with pytest.raises(Refused, match="exists already"):
        write_starter(tmp_path)
    assert not config.exists()
