"""One request, with what it takes to keep its client waiting for a person."""

import msgspec

from lockgate.app.asking import Put
from lockgate.model.inquiry import Inquiry
from lockgate.pipeline.caller import Caller
from lockgate.pipeline.ports import Questions
from lockgate.pipeline.run import Gate
from lockgate.pipeline.sessions import RoundState
from lockgate.wire.capabilities import asks_of
from lockgate.wire.request import Request


class Turn(msgspec.Struct, frozen=True):
    """One request, by a client that may be asked something before it is answered."""

    request: Request
    caller: Caller
    gate: Gate
    put: Put
    questions: Questions
    console: str = ""
    """Its origin; empty where there is none."""
    earlier: RoundState | None = None
    """What the client carried here from an earlier turn of this call."""

    @property
    def asks(self) -> bytes:
        return asks_of(self.request.capabilities)

    def number(self, one: Inquiry) -> int:
        """How often the client was sent away for this very question."""
        mine = self.earlier is not None and self.earlier.asked == one.id
        return self.earlier.turn if self.earlier is not None and mine else 0
