"""One request while it runs at an upstream, and what is heard of it meanwhile."""

import orjson

from lockgate.model import Envelope
from lockgate.model.call import EraName
from lockgate.upstream.deadline import Deadline
from lockgate.upstream.link import Hears, LinkReply
from lockgate.wire import edit
from lockgate.wire.meta import LEVELS

PROGRESS = "notifications/progress"
LOG = "notifications/message"


class Running:
    """Known by ``number``, its JSON-RPC id, which is its progress token too."""

    def __init__(
        self, number: int, hears: Hears, envelope: Envelope, deadline: Deadline, era: EraName
    ) -> None:
        self.number = number
        self._hears = hears
        self._envelope = envelope
        self._deadline = deadline
        self._era = era
        self._progress = float("-inf")
        self._over = False

    def progress(self, params: bytes) -> None:
        """Passed on only while it grows (MCP, "Progress": it MUST increase with each one)."""
        said = orjson.loads(edit.get(params, "/progress") or b"null")
        known = isinstance(said, int | float) and not isinstance(said, bool)
        if self._over or not self._envelope.progress or not known or said <= self._progress:
            return
        self._progress = said
        self._hears.note(PROGRESS, edit.drop(params, "/progressToken"))

    def log(self, params: bytes) -> None:
        """Passed on only if it is as severe as the client wants."""
        wanted = self._envelope.log_level
        if wanted and not self._over and severity(params) >= LEVELS.index(wanted):
            self._hears.note(LOG, params)

    async def ask(self, method: str, params: bytes) -> LinkReply:
        with self._deadline.paused():
            return await self._hears.ask(method, params, self._era)

    def end(self) -> None:
        """Nothing is passed on any more."""
        self._over = True


def severity(params: bytes) -> int:
    """Of a log message, as an index of ``LEVELS``; -1 where it says none that is known."""
    said = orjson.loads(edit.get(params, "/level") or b"null")
    return LEVELS.index(said) if isinstance(said, str) and said in LEVELS else -1
