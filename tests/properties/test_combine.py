"""The algebra of decisions, as properties. Names follow Cedar's theorems where one exists."""

import random

import hypothesis.strategies as st
from hypothesis import given

from lockgate.model import Decision, Effect, Finding, Obligation, Verdict, combine

NAMES = ["a.x", "b.y", "c.z"]
REASONS = ["policy.permitted", "policy.denied", "approval.needed"]

verdicts = st.lists(
    st.builds(
        Verdict,
        control=st.sampled_from(NAMES),
        effect=st.sampled_from(Effect),
        reason=st.sampled_from(REASONS),
        findings=st.lists(
            st.builds(Finding, st.sampled_from("fg"), st.just("/x"), st.just(0), st.just(1)),
            max_size=1,
        ).map(tuple),
        obligations=st.lists(
            st.builds(Obligation, st.sampled_from(["drop", "hide"]), st.sampled_from(["/a", "/b"])),
            max_size=2,
        ).map(tuple),
        because=st.lists(st.sampled_from("pq"), max_size=1).map(tuple),
        retry_after_ms=st.sampled_from([0, 5]),
        factors=st.sampled_from([(), ("owner",)]),
        enforced=st.booleans(),
    ),
    max_size=6,
)
required = st.frozensets(st.sampled_from(NAMES))


@given(verdicts, required)
def test_forbid_trumps_permit(vs: list[Verdict], req: frozenset[str]) -> None:
    if any(v.effect is Effect.DENY and v.enforced for v in vs):
        assert combine("d", vs, required=req).effect is Effect.DENY


@given(verdicts, required)
def test_allowed_only_if_explicitly_permitted(vs: list[Verdict], req: frozenset[str]) -> None:
    if combine("d", vs, required=req).effect is Effect.PERMIT:
        assert req
        assert req <= {v.control for v in vs}
        assert all(v.effect is Effect.PERMIT for v in vs if v.enforced)


@given(required)
def test_default_deny(req: frozenset[str]) -> None:
    assert combine("d", [], required=req).effect is Effect.DENY


@given(verdicts, required, st.integers())
def test_order_and_duplicates_do_not_matter(
    vs: list[Verdict], req: frozenset[str], seed: int
) -> None:
    shuffled = vs + vs[:2]
    random.Random(seed).shuffle(shuffled)  # noqa: S311
    assert combine("d", vs, required=req) == combine("d", shuffled, required=req)


@given(verdicts, required, st.sampled_from(Effect))
def test_adding_a_control_never_loosens(vs: list[Verdict], req: frozenset[str], e: Effect) -> None:
    extra = Verdict("new.one", e, "policy.denied")
    before = combine("d", vs, required=req)
    after = combine("d", [*vs, extra], required=req | {"new.one"})
    if before.reason not in {"pipeline.no-controls", "pipeline.control-silent"}:
        assert after.effect >= before.effect


@given(verdicts, required)
def test_observing_is_recorded_and_not_counted(vs: list[Verdict], req: frozenset[str]) -> None:
    observed = Verdict("d.w", Effect.DENY, "policy.denied", enforced=False)
    watched = combine("d", [*vs, observed], required=req)
    assert watched.effect is combine("d", vs, required=req).effect
    assert observed in watched.verdicts


@given(verdicts, required, st.sampled_from(Effect))
def test_a_decision_cannot_say_more_than_its_verdicts(
    vs: list[Verdict], req: frozenset[str], claimed: Effect
) -> None:
    honest = combine("d", vs, required=req)
    forged = Decision("d", honest.verdicts, req, effect=claimed, reason="policy.permitted")
    assert (forged.effect, forged.reason) == (honest.effect, honest.reason)


@given(verdicts, required)
def test_obligations_are_the_counted_ones_once_each(vs: list[Verdict], req: frozenset[str]) -> None:
    owed = combine("d", vs, required=req).obligations
    assert len(owed) == len(set(owed))
    assert set(owed) == {o for v in vs if v.enforced for o in v.obligations}
