"""Every command and page is in the table, and keeps to it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast, get_args

import pytest
from starlette.routing import Route
from typer.main import get_command

from lockgate.app.program import complete
from lockgate.control_plane.console.application import routes
from lockgate.control_plane.console.backing import Backing
from lockgate.control_plane.services.duties import COMMANDS, FOR_READERS, PAGES
from lockgate.model import AuditEvent
from lockgate.model.privilege import ADMIN_ROLES, AdminRole, Privilege
from support.desk import NOW, Desk

GIVEN: dict[str, tuple[str, ...]] = {
    "keys create": ("--kind", "personal", "--owner", "alice", "--expires", "1d"),
    "keys rotate": ("abcdefghijkl", "--overlap", "1h"),
    "keys revoke": ("abcdefghijkl",),
    "tokens revoke": ("--issuer", "corp", "--subject", "alice"),
    "secrets probe": ("--all",),
    "secrets rotate": ("file:/there/is/none", "--file", "/there/is/none"),
    "people show": ("alice",),
    "people deactivate": ("alice",),
    "people reactivate": ("alice",),
    "accounts disconnect": ("person:alice",),
    "approvals show": ("some-call",),
    "approvals approve": ("some-call",),
    "approvals deny": ("some-call",),
    "approvals withdraw": ("some-call",),
    "audit show": ("some-call",),
    "import": ("mcp.json", "--yes"),
}
"""What the command cannot do without."""

GATED = {name: duty for name, duty in COMMANDS.items() if duty.roles}
TAKES = [(name, role) for name, duty in GATED.items() for role in duty.roles]


def commands(command: Any, path: str = "") -> Iterator[str]:
    inner = getattr(command, "commands", {})
    if not inner:
        yield path
    for name, one in inner.items():
        yield from commands(one, f"{path} {name}".strip())


@pytest.fixture
def strict(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path)
    desk.configure("policies: policies\nadmin: {enforced: true}\n")
    (tmp_path / "mcp.json").write_text('{"mcpServers": {"time": {"command": "t"}}}')
    return desk


def hold(desk: Desk, role: AdminRole) -> None:
    desk.privileges.add(Privilege(
        f"role-{role}", role, "os:opal", "a test", NOW, 3_600_000, NOW + 3_600_000,
        ("os:carol", "os:dave"), NOW,
    ))  # fmt: skip


def typed(desk: Desk, name: str) -> Any:
    given = (str(desk.root / w) if w == "mcp.json" else w for w in GIVEN.get(name, ()))
    return desk.type(*name.split(), *given)


def test_every_command_has_a_row_and_every_row_a_command() -> None:
    assert set(commands(get_command(complete()))) == set(COMMANDS)


def test_every_page_has_a_row_and_every_row_a_page() -> None:
    class Nothing:
        def __getattr__(self, _: str) -> Any:
            return self

    assert all(isinstance(each, Route) for each in routes(cast("Backing", Nothing())))
    assert {each.path for each in routes(cast("Backing", Nothing()))} == set(PAGES)


def test_a_row_names_roles_or_says_why_it_names_none() -> None:
    for name, duty in {**COMMANDS, **PAGES}.items():
        assert bool(duty.roles) != bool(duty.because), name
        assert not duty.roles or set(duty.contents) <= set(duty.roles), name


def test_each_role_gates_something() -> None:
    gating = {role for duty in GATED.values() for role in duty.roles}
    assert gating | {"approver"} == set(ADMIN_ROLES), "approvers answer what no factor names"
    assert set(get_args(AdminRole)) == set(ADMIN_ROLES)


@pytest.mark.parametrize("name", GATED)
def test_without_a_role_nothing_is_done_and_the_answer_says_which_it_takes(
    strict: Desk, name: str
) -> None:
    before = strict.config.read_text()
    said = typed(strict, name)
    assert said.code == 3
    assert f"takes the admin role {' or '.join(GATED[name].roles)}," in said.err
    assert not strict.events.tail(9)
    assert not strict.keys.list()
    assert strict.config.read_text() == before


@pytest.mark.parametrize("name", GATED)
def test_the_other_roles_are_not_enough(strict: Desk, name: str) -> None:
    for role in set(ADMIN_ROLES) - set(GATED[name].roles):
        hold(strict, role)
    assert "takes the admin role" in typed(strict, name).err


@pytest.mark.parametrize(("name", "role"), TAKES)
def test_any_of_its_roles_is_enough(strict: Desk, name: str, role: AdminRole) -> None:
    hold(strict, role)
    assert "takes the admin role" not in typed(strict, name).err


@pytest.mark.parametrize("name", GATED)
def test_where_roles_are_not_enforced_none_is_needed(strict: Desk, name: str) -> None:
    strict.configure("policies: policies\n")
    assert "takes the admin role" not in typed(strict, name).err


def call() -> AuditEvent:
    header = {
        "method": "tools/call", "upstream": "git", "target": "push", "digest": "d", "tool": "t",
        "policy": "p", "verdicts": [{"factors": ["owner"]}],
    }  # fmt: skip
    slots: Any = {"actor": b'{"subject":"alice"}', "args": b'{"a":"SECRET"}', "net": b"{}"}
    return AuditEvent("e1", "c1", "call.intent", NOW, "hold", "approval.needed", header, slots)


SHOWN = (("audit", "tail", "--json"), ("audit", "show", "c1"), ("audit", "show", "c1", "--json"))


@pytest.mark.parametrize("words", SHOWN)
def test_contents_are_shown_to_whom_the_table_says(strict: Desk, words: tuple[str, ...]) -> None:
    strict.events.append([call()])
    hold(strict, "reader")
    seen = strict.type(*words)
    assert (seen.code, "alice" in seen.out, "SECRET" in seen.out) == (0, True, False)
    assert "withheld" in seen.out, "what is left out is said"
    (role,) = COMMANDS[" ".join(words[:2])].contents
    hold(strict, role)
    assert "SECRET" in strict.type(*words).out


@pytest.mark.parametrize("words", SHOWN)
def test_contents_are_shown_where_roles_are_not_enforced(
    strict: Desk, words: tuple[str, ...]
) -> None:
    strict.configure("policies: policies\n")
    strict.events.append([call()])
    assert "SECRET" in strict.type(*words).out


def test_a_reader_sees_who_and_nothing_else() -> None:
    assert set(FOR_READERS) == {"actor"}
