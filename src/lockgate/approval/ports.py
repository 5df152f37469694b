"""What this room needs of the store. Everything blocks, and raises ``model.StoreDown``."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from lockgate.model.inquiry import Asked, Asker, Delegation, Inquiry, InquiryState, Kept, Vote
from lockgate.model.notification import ChannelHealth, Notification, NotificationState


class InquiryStore(Protocol):
    def add(self, one: Inquiry, payload: bytes) -> Inquiry:
        """Durable on return. Where the same holder asks the same (by ``digest``) and it is live,
        or its result is still kept, that one comes back instead. ``payload`` is kept sealed."""
        ...

    def replace(self, changed: Inquiry, vote: Vote | None = None) -> bool:
        """Both or neither. False where somebody else changed it first (``version``)."""
        ...

    def claim(self, ids: Sequence[str], node: str, now: int) -> bool:
        """Use each once, all or none: only what is approved, not expired, and has uses left."""
        ...

    def get(self, id: str) -> Asked | None: ...

    def listed(
        self, states: Sequence[InquiryState] = (), most: int = 1_000, holder: str = ""
    ) -> tuple[Asked, ...]:
        """Newest first; of all states where none is named, of everybody where no holder is."""
        ...

    def earlier(self, one: Inquiry, by: Asker, most: int) -> tuple[Asked, ...]:
        """Questions of the same title that the same holder or agent asked before, newest first."""
        ...

    def yeses(self, voter: str, since: int) -> int:
        """How often this identity said yes after that time."""
        ...

    def payload(self, id: str) -> bytes | None:
        """None where it is kept no more."""
        ...

    def keep(self, id: str, result: Kept) -> None:
        """Sealed, until ``Inquiry.kept_until``."""
        ...

    def kept(self, id: str) -> Kept | None: ...

    def forget(self, now: int) -> int:
        """Destroy payloads and results that are not kept any more. How many."""
        ...

    def delegate(self, one: Delegation) -> None: ...

    def delegations(self) -> tuple[Delegation, ...]: ...


class NotificationStore(Protocol):
    def put(self, rows: Sequence[Notification]) -> None:
        """Durable on return. What is there already stays as it is."""
        ...

    def lease(
        self, channel: str, now: int, until: int, begun_before: int
    ) -> Sequence[Notification]:
        """What goes out in one message, for whoever gets it alone until then: what was begun and
        is due again; else, where none is under way and none was begun since ``begun_before``, all
        that waits and is of one kind. Empty: nothing to do."""
        ...

    def finish(
        self, leased: Sequence[Notification], state: NotificationState, now: int, fault: str = ""
    ) -> bool:
        """These rows of one message are over. False where the lease has passed to another."""
        ...

    def retry(self, leased: Sequence[Notification], due: int, now: int, fault: str) -> bool:
        """The try failed; again at ``due``. False likewise."""
        ...

    def undecided(self, channel: str) -> frozenset[str]:
        """Ids of questions that this channel was told of, and not yet how they ended."""
        ...

    def health(self) -> Mapping[str, ChannelHealth]:
        """By channel, of what is still kept."""
        ...

    def forget(self, made_before: int) -> int:
        """Delete what is that old, whatever became of it. How many."""
        ...
