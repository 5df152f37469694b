"""What the same person and the same agent asked for before, and what came of it: for whoever is to
answer now."""

from collections.abc import Sequence

import msgspec

from lockgate.approval.ports import InquiryStore
from lockgate.model.inquiry import Asked, Inquiry, InquiryState

MOST = 20
"""Of each. Bounded: it is read whenever a question is shown."""


class Earlier(msgspec.Struct, frozen=True):
    id: str
    asked: int
    """Milliseconds since the Unix epoch."""
    state: InquiryState
    same: bool
    """Exactly this was asked, not only the same tool."""


class History(msgspec.Struct, frozen=True):
    """Newest first."""

    by_holder: tuple[Earlier, ...] = ()
    by_agent: tuple[Earlier, ...] = ()
    """Empty where no agent is known."""

    @property
    def first_of_holder(self) -> bool:
        return not self.by_holder

    @property
    def first_of_agent(self) -> bool:
        return not self.by_agent


def history(store: InquiryStore, one: Inquiry, now: int) -> History:
    """Raises ``StoreDown``."""
    agents = store.earlier(one, "agent", MOST) if one.agent else ()
    return History(
        _earlier(store.earlier(one, "holder", MOST), one, now), _earlier(agents, one, now)
    )


def _earlier(found: Sequence[Asked], one: Inquiry, now: int) -> tuple[Earlier, ...]:
    past = (asked.inquiry.at(now) for asked in found)
    return tuple(Earlier(p.id, p.created, p.state, p.digest == one.digest) for p in past)
