"""What adapters raise. Each closes the gate; none is caught and ignored."""


class SendFailed(Exception):
    """A permitted call was not answered. ``reason`` is a catalogue code under ``upstream.``;
    ``detail`` is for operators and may name hosts or exit codes, never data."""

    def __init__(self, reason: str, detail: str = "", told: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
        self.told = told
        """What whoever called may read besides: how they can help it themselves."""


class JournalDown(Exception):
    """Nothing can be recorded, so nothing may happen."""


class StoreDown(Exception):
    """A store cannot be read or written; what depends on it is unknown."""


class EventRefused(Exception):
    """The store works but will not take this event; others are not affected."""

    def __init__(self, event: str, why: str, *, duplicate: bool = False) -> None:
        super().__init__(event, why)
        self.event = event
        self.duplicate = duplicate
        """An event with this id is on record already."""


class PeerGone(Exception):
    """Another worker cannot be reached, or ended before it answered."""

    def __init__(self, why: str, *, sent: bool = True) -> None:
        super().__init__(why)
        self.sent = sent
        """It may have heard the question, and acted on it."""
