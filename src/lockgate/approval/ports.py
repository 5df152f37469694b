"""What this room needs of the store. Everything blocks, and raises ``model.StoreDown``."""

from collections.abc import Sequence
from typing import Protocol

from lockgate.model.inquiry import Asked, Delegation, Inquiry, InquiryState, Kept, Vote


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
