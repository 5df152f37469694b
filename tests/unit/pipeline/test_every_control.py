"""Every control in the shipped order passes the same examination, found by discovery."""

from pathlib import Path

import pytest

from lockgate.model import REASONS, Effect, Facts, Unknown
from support.controls import Shipped, shipped

ROOMS = {"approval", "inspection", "policy", "identity", "upstream"}
ROOT = Path(__file__).parents[3]
SHIPPED = shipped()


@pytest.mark.parametrize("one", SHIPPED, ids=lambda one: one.control.id)
class TestEveryControl:
    def test_its_id_is_its_room_and_a_noun(self, one: Shipped) -> None:
        room, _, noun = one.control.id.partition(".")
        assert room in ROOMS
        assert type(one.control).__module__.startswith(f"lockgate.{room}.")
        assert noun

    def test_it_lives_in_a_file_of_its_room(self, one: Shipped) -> None:
        module = type(one.control).__module__
        assert (ROOT / "src" / Path(*module.split("."))).with_suffix(".py").is_file()

    def test_it_gives_the_same_answer_twice(self, one: Shipped) -> None:
        facts = Facts({key: Unknown("down") for key in one.control.needs})
        for subject in one.subjects:
            assert one.control.check(subject, facts) == one.control.check(subject, facts)

    def test_it_never_permits_a_guarded_subject_on_unknown_facts(self, one: Shipped) -> None:
        facts = Facts({key: Unknown("down") for key in one.control.needs})
        verdict = one.control.check(one.guarded, facts)
        assert not one.control.needs or verdict.effect is Effect.DENY

    def test_each_fact_it_needs_matters_on_its_own(self, one: Shipped) -> None:
        for missing in one.control.needs:
            known = {k: v for k, v in one.facts.items() if k != missing}
            verdict = one.control.check(one.guarded, Facts({**known, missing: Unknown("down")}))
            assert verdict.effect is Effect.DENY, missing.name

    def test_it_speaks_for_itself_with_a_catalogued_reason(self, one: Shipped) -> None:
        for subject in one.subjects:
            verdict = one.control.check(subject, Facts(one.facts))
            assert verdict.control == one.control.id
            assert verdict.reason in REASONS

    def test_it_has_a_scenario(self, one: Shipped) -> None:
        scenarios = (ROOT / "tests" / "scenarios").glob("*.toml")
        assert any(one.control.id in path.read_text() for path in scenarios)

    def test_it_is_explained(self, one: Shipped) -> None:
        assert f"`{one.control.id}`" in (ROOT / "docs" / "controls.md").read_text()


def test_ids_are_unique() -> None:
    ids = [one.control.id for one in SHIPPED]
    assert len(set(ids)) == len(ids)
