import pytest
import typer
from typer.testing import CliRunner

from lockgate.control_plane.cli.office import Office, actor_of, check_role, duty_of
from lockgate.control_plane.services.duties import COMMANDS
from lockgate.control_plane.services.refused import Refused
from support.desk import Desk


def test_the_local_office_is_an_office(desk: Desk) -> None:
    office: Office = desk
    assert office.config.name == "lockgate.yaml"


def test_who_types_is_who_the_machine_says(desk: Desk) -> None:
    assert (actor_of(desk).identity, actor_of(desk).via) == ("os:opal", "cli")
    desk.become("alice as root")
    assert actor_of(desk).account == "alice as root"


def run(desk: Desk, name: str, *words: str) -> None:
    """``import`` of a program that is called ``name``."""
    program = typer.Typer()

    @program.callback()
    def start(ctx: typer.Context) -> None:
        ctx.obj = desk

    @program.command("import")
    def command(ctx: typer.Context) -> None:
        assert duty_of(ctx) is COMMANDS["import"]
        check_role(ctx)

    CliRunner().invoke(program, ["import", *words], catch_exceptions=False, prog_name=name)


@pytest.mark.parametrize("name", ["lockgate", "/opt/lockgate/bin/lockgate", "python -m lockgate"])
def test_stores_are_opened_for_a_role_only_where_roles_are_enforced(desk: Desk, name: str) -> None:
    desk.down = True
    run(desk, name)
    desk.down = False
    desk.configure("admin: {enforced: true}\n")
    with pytest.raises(Refused, match="policy_author"):
        run(desk, name)
