from collections.abc import Sequence
from pathlib import Path

import pytest

from lockgate.approval.rules import ApprovalRules, FactorRule
from lockgate.control_plane.services.adoption import SecretFile
from lockgate.control_plane.services.catalogue import Catalogue
from lockgate.control_plane.services.refused import Misconfigured, Refused
from lockgate.model import Person
from lockgate.model.inquiry import Inquiry
from lockgate.model.problem import Problem
from support.panel import Panel

AUTHORS = frozenset({"os:opal", "os:carol", "os:dave"})
BEFORE, AFTER = "policies: policies\n", "policies: policies\nupstreams: {}\n"


class Folder:
    def __init__(self, root: Path) -> None:
        self.config = root / "lockgate.yaml"
        self.config.write_text(BEFORE)
        self.secrets = root / "data" / "secrets"
        self.panel = Panel(ApprovalRules({"catalogue": FactorRule(people=AUTHORS)}))
        self.problems: Sequence[Problem] = ()

    def as_(self, who: str) -> Catalogue:
        return Catalogue(self.panel.as_(who), self.config, self.secrets, lambda _: self.problems)

    def agreed(self, *secrets: SecretFile) -> Inquiry:
        asked = self.as_("os:opal").propose(AFTER, secrets)
        return self.panel.as_("os:carol").answer(asked.id, asked.digest, "yes").inquiry


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_what_another_agreed_to_is_written_once(folder: Folder) -> None:
    asked = folder.agreed(SecretFile("notes", "s3cret"))
    assert folder.config.read_text() == BEFORE
    assert folder.as_("os:opal").apply(asked.id).state == "succeeded"
    assert folder.config.read_text() == AFTER
    assert (folder.secrets / "notes").read_text() == "s3cret"
    assert (folder.secrets / "notes").stat().st_mode & 0o777 == 0o600
    with pytest.raises(Refused, match="succeeded"):
        folder.as_("os:opal").apply(asked.id)
    assert list(folder.panel.actions()) == [
        "approval.requested", "approval.answered", "approval.applied", "approval.succeeded",
    ]  # fmt: skip
    assert "s3cret" not in str(folder.panel.events.tail(9))


def test_the_question_shows_the_exact_edit(folder: Folder) -> None:
    asked = folder.as_("os:opal").propose(AFTER, [SecretFile("notes", "s3cret")])
    facts = dict(folder.panel.as_("os:carol").show(asked.id).facts)
    assert "+upstreams: {}" in facts["change"].split("\n")
    assert facts["secret file"] == "notes"
    assert "s3cret" not in str(facts)


def test_its_author_does_not_approve_it_by_any_account(folder: Folder) -> None:
    folder.panel.know(Person("1", "scim", "opal", employee="7"), Person("2", "scim", "dave",
                      employee="7"))  # fmt: skip
    asked = folder.as_("os:opal").propose(AFTER)
    for who in ("os:opal", "os:dave"):
        with pytest.raises(Refused, match="themselves"):
            folder.panel.as_(who).answer(asked.id, asked.digest, "yes")
    with pytest.raises(Refused, match="pending"):
        folder.as_("os:opal").apply(asked.id)


def test_a_file_that_changed_meanwhile_supersedes_it(folder: Folder) -> None:
    asked = folder.agreed()
    folder.config.write_text("policies: others\n")
    with pytest.raises(Refused, match="changed since"):
        folder.as_("os:opal").apply(asked.id)
    assert folder.panel.as_("os:opal").show(asked.id).asked.inquiry.state == "superseded"
    assert folder.config.read_text() == "policies: others\n"


def test_whoever_lost_the_right_to_agree_has_agreed_to_nothing(folder: Folder) -> None:
    asked = folder.agreed()
    folder.panel.rules = ApprovalRules({"catalogue": FactorRule(people=frozenset({"os:dave"}))})
    with pytest.raises(Refused, match="any more"):
        folder.as_("os:opal").apply(asked.id)
    assert folder.config.read_text() == BEFORE


def test_what_is_wrong_or_changes_nothing_is_not_asked_nor_written(folder: Folder) -> None:
    with pytest.raises(Refused, match="Nothing would change"):
        folder.as_("os:opal").propose(BEFORE)
    asked = folder.agreed()
    folder.problems = (Problem("wrong", "f"),)
    with pytest.raises(Misconfigured):
        folder.as_("os:opal").propose(AFTER + "\n")
    with pytest.raises(Misconfigured):
        folder.as_("os:opal").apply(asked.id)
    assert folder.config.read_text() == BEFORE


def test_another_file_or_kind_is_not_touched(folder: Folder, tmp_path: Path) -> None:
    asked = folder.agreed()
    folder.panel.ask()
    other = tmp_path / "other.yaml"
    other.write_text(BEFORE)
    with pytest.raises(Refused, match="another file"):
        Catalogue(folder.panel.as_("os:opal"), other, folder.secrets, lambda _: ()).apply(asked.id)
    with pytest.raises(Refused, match="no change"):
        folder.as_("os:opal").apply("q1")


def test_what_cannot_be_written_is_over_and_says_so(folder: Folder) -> None:
    asked = folder.agreed(SecretFile("notes", "s3cret"))
    folder.secrets.mkdir(parents=True)
    (folder.secrets / "notes").write_text("another")
    with pytest.raises(Refused, match="another secret"):
        folder.as_("os:opal").apply(asked.id)
    over = folder.panel.as_("os:opal").show(asked.id).asked.inquiry
    assert (over.state, over.reason) == ("failed", "approval.interrupted")
    assert folder.config.read_text() == BEFORE
