import logging
from pathlib import Path

import pytest

from lockgate.app.reload import REFUSALS, Reloader, content_digest, fingerprint, policy_files
from lockgate.app.settings import Settings
from lockgate.app.settings_file import SettingsInvalid, load
from lockgate.model.problem import Problem
from lockgate.model.reference import ReferenceBroken
from lockgate.policy.mapping import MappingInvalid
from lockgate.policy.source import PolicyInvalid

PROBLEM = Problem("is not so")


class House:
    """A configuration on disk, and what of it was taken."""

    def __init__(self, root: Path) -> None:
        self.path = root / "lockgate.yaml"
        self.path.write_text("policies: rules\n")
        self.rules = root / "rules"
        self.rules.mkdir()
        (self.rules / "a.cedar").write_text("old")
        self.taken: list[Settings] = []
        self.refusal: Exception | None = None
        self.reloader = Reloader(self.path, load(self.path), self.apply)

    def apply(self, settings: Settings) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.taken.append(settings)

    async def looks(self) -> int:
        """How often something was taken at one look."""
        before = len(self.taken)
        await self.reloader.check()
        return len(self.taken) - before


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


async def test_what_did_not_change_is_not_taken_again(house: House) -> None:
    assert await house.looks() == 0
    house.path.write_bytes(house.path.read_bytes())
    (house.rules / "notes.txt").write_text("no policy")
    assert await house.looks() == 0


async def test_a_changed_setting_is_taken_once(house: House) -> None:
    house.path.write_text("policies: rules\nlimits: {burst: 3}\n")
    assert (await house.looks(), await house.looks()) == (1, 0)
    assert house.taken[0].limits.burst == 3


async def test_a_policy_file_that_changes_comes_or_goes_is_taken(house: House) -> None:
    (house.rules / "a.cedar").write_text("new")
    assert await house.looks() == 1
    (house.rules / "b.cedar").write_text("")
    assert await house.looks() == 1
    (house.rules / "b.cedar").rename(house.rules / "c.cedar")
    assert await house.looks() == 1
    (house.rules / "c.cedar").unlink()
    assert await house.looks() == 1
    assert await house.looks() == 0


async def test_what_is_in_force_has_a_digest_of_its_own(house: House) -> None:
    first = house.reloader.taken
    house.path.write_text("zzz: 1")
    await house.looks()
    assert house.reloader.taken == first, "it was not taken"
    house.path.write_text("policies: rules\nlimits: {burst: 3}\n")
    await house.looks()
    assert house.reloader.taken != first
    house.path.write_text("policies: rules\n")
    await house.looks()
    assert house.reloader.taken == first


async def test_a_broken_configuration_leaves_the_last_good_one(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    good = house.path.read_text()
    house.path.write_text("nonsense: 1\n")
    assert await house.looks() == 0
    assert "nonsense" in house.reloader.problem
    assert await house.looks() == 0
    errors = [r for r in caplog.records if r.levelno >= logging.ERROR]
    assert len(errors) == 1, "said once, not at every look"
    house.path.write_text(good)
    assert await house.looks() == 1
    assert house.reloader.problem == ""


@pytest.mark.parametrize(
    "refusal",
    [SettingsInvalid((PROBLEM,)), PolicyInvalid((PROBLEM,)), MappingInvalid("is not so"),
     ReferenceBroken("is not so"), OSError("is not so")],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
async def test_what_cannot_be_built_is_not_taken(house: House, refusal: Exception) -> None:
    assert isinstance(refusal, REFUSALS)
    house.refusal = refusal
    (house.rules / "a.cedar").write_text("broken")
    assert await house.looks() == 0
    assert "is not so" in house.reloader.problem
    house.refusal = None
    (house.rules / "a.cedar").write_text("mended")
    assert await house.looks() == 1
    assert house.reloader.problem == ""


async def test_a_defect_is_no_bad_configuration(house: House) -> None:
    house.refusal = ZeroDivisionError()
    house.path.write_text("policies: rules # changed\n")
    with pytest.raises(ZeroDivisionError):
        await house.reloader.check()


async def test_other_policies_are_watched_from_then_on(house: House) -> None:
    elsewhere = house.path.parent / "elsewhere"
    elsewhere.mkdir()
    house.path.write_text("policies: elsewhere\n")
    await house.looks()
    await house.looks()
    (house.rules / "a.cedar").write_text("of no interest")
    assert await house.looks() == 0
    (elsewhere / "a.cedar").write_text("new")
    assert await house.looks() == 1


async def test_what_changes_while_it_is_taken_is_seen_afterwards(house: House) -> None:
    def apply(settings: Settings) -> None:
        if not house.taken:
            (house.rules / "a.cedar").write_text("newer")
        house.taken.append(settings)

    house.reloader = Reloader(house.path, load(house.path), apply)
    (house.rules / "a.cedar").write_text("new")
    assert await house.looks() == 1
    assert await house.looks() == 1
    assert await house.looks() == 0


async def test_on_demand_it_is_taken_unchanged(house: House) -> None:
    house.reloader.reload()
    assert len(house.taken) == 1
    assert await house.looks() == 0


async def test_a_policy_file_that_cannot_be_read_is_a_change_not_the_end(house: House) -> None:
    (house.rules / "a.cedar").unlink()
    (house.rules / "a.cedar").mkdir()
    assert await house.looks() == 1


def test_policy_files_in_a_fixed_order(house: House) -> None:
    made = [f"{n * 7 % 20:02}.cedar" for n in range(20)]
    for name in made:
        (house.rules / name).write_text("")
    named = Settings(policies=("single.cedar", "rules"))
    names = [f.name for f in policy_files(named, house.path.parent)]
    assert names == ["single.cedar", *sorted(made), "a.cedar"]


async def test_what_changed_while_it_was_read_for_the_first_time_is_taken(house: House) -> None:
    content = content_digest(house.path)
    settings = load(house.path)
    house.path.write_text("policies: rules\nlimits: {burst: 3}\n")
    seen = fingerprint(house.path, content, settings)
    house.reloader = Reloader(house.path, settings, house.apply, seen)
    assert await house.looks() == 1
    assert house.taken[0].limits.burst == 3


async def test_what_was_read_whole_is_not_taken_again(house: House) -> None:
    content = content_digest(house.path)
    settings = load(house.path)
    seen = fingerprint(house.path, content, settings)
    house.reloader = Reloader(house.path, settings, house.apply, seen)
    assert await house.looks() == 0
