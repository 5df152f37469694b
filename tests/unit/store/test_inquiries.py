"""The contract is in ``tests/contract/test_inquiries.py``."""

import pytest
from sqlalchemy import Engine, text

from lockgate.model import StoreDown
from lockgate.model.inquiry import Kept
from lockgate.store.inquiries import StoredInquiries, claimed, stands
from support.inquiries import AT, approved, inquiry

KEY = b"k" * 32


def test_arguments_and_results_are_sealed_and_bound_to_their_question(engine: Engine) -> None:
    store = StoredInquiries(engine, KEY, lambda: AT)
    for id in ("q1", "q2"):
        store.add(inquiry(id, digest=id), b"secret-" + id.encode())
    store.keep("q1", Kept(b"secret-result"))
    with engine.begin() as connection:
        rows = connection.execute(text("SELECT * FROM inquiry")).all()
        assert "secret" not in str(rows)
        connection.execute(text("UPDATE inquiry SET payload = (SELECT payload FROM inquiry WHERE "
                                "id = 'q2') WHERE id = 'q1'"))  # fmt: skip
    with pytest.raises(StoreDown, match="cannot be opened"):
        store.payload("q1")
    with pytest.raises(StoreDown, match="cannot be opened"):
        StoredInquiries(engine, b"x" * 32, lambda: AT).kept("q1")


def test_without_a_database_nothing_is_asked_or_used(engine: Engine) -> None:
    store = StoredInquiries(engine, KEY, lambda: AT)
    store.add(approved(), b"")
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE vote"))
        connection.execute(text("DROP TABLE inquiry"))
    for step in (lambda: store.add(inquiry(), b""), lambda: store.claim(["q1"], "w", AT),
                 lambda: store.get("q1"), lambda: store.replace(inquiry())):  # fmt: skip
        with pytest.raises(StoreDown):
            step()


def test_a_use_leaves_the_rest() -> None:
    grant = approved(kind="grant", uses=2)
    once = claimed(grant, "w", AT)
    assert once is not None
    assert (once.state, once.uses) == ("approved", 1)
    twice = claimed(once, "w", AT)
    assert twice is not None
    assert (twice.state, twice.uses, claimed(twice, "w", AT)) == ("used", 0, None)


def test_what_stands_in_for_the_same_question() -> None:
    assert stands(inquiry(state="used"), 10**15), "nobody knows yet what came of it"
    assert not stands(inquiry(), inquiry().expires)
