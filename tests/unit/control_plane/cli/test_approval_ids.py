"""Tab completion, as a shell asks for it."""

import os
from typing import Any

import pytest
from typer.testing import CliRunner

from lockgate.approval.payload import stored
from lockgate.control_plane.cli.program import build
from support.desk import Desk
from support.inquiries import CALL, inquiry


def complete(desk: Desk, words: str) -> list[str]:
    """What bash would offer for the last word."""
    asked = {"COMP_WORDS": f"lockgate {words}", "COMP_CWORD": str(len(words.split(" "))),
             "_LOCKGATE_COMPLETE": "complete_bash"}  # fmt: skip
    found = CliRunner().invoke(build(lambda _: desk), [], prog_name="lockgate", env=asked)
    assert found.stderr == ""
    return found.stdout.split()


@pytest.fixture
def waiting(desk: Desk) -> Desk:
    for id in ("abc", "abd", "xyz"):
        times: dict[str, Any] = {"created": desk.now, "expires": desk.now + 10**6}
        desk.inquiries.add(inquiry(id, digest=id, **times), stored(CALL))
    return desk


def test_ids_of_what_waits(waiting: Desk) -> None:
    assert sorted(complete(waiting, "approvals show ab")) == ["abc", "abd"]
    assert complete(waiting, "approvals approve x") == ["xyz"]


def test_only_what_one_may_see(waiting: Desk) -> None:
    waiting.configure("admin: {enforced: true}")
    assert complete(waiting, "approvals show a") == []


def test_trouble_is_not_told_at_a_prompt(waiting: Desk) -> None:
    waiting.down = True
    assert complete(waiting, "approvals show a") == []
    waiting.configure("nonsense: true")
    assert complete(waiting, "approvals show a") == []
    os.remove(waiting.config)
    assert complete(waiting, "approvals show a") == []
