"""What a principal may send, whether it becomes a judged call or not.

``initialize``, ``DELETE`` and all that is refused are outside the calls' own quota.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from lockgate.model import Principal
from lockgate.store.quota import MemoryBuckets, QuotaLimits
from lockgate.wire.refusal import WireRefusal

LARGE_BYTES = 64 * 1024
"""Smaller bodies are read without a place: what they hold is bounded by the connections."""
BODIES = 8
"""Large bodies of one principal that are read at the same time."""


_FREE = nullcontext()


class Brake:
    """``limits``: of messages; ``clock``: milliseconds."""

    def __init__(self, limits: QuotaLimits, clock: Callable[[], int]) -> None:
        self.limits = limits
        """May be replaced: the next message is measured by the new ones."""
        self._rate = MemoryBuckets(clock)
        self._bodies: Counter[str] = Counter()

    def take(self, principal: Principal) -> None:
        """One message's token. Raises ``WireRefusal`` ``quota.messages``."""
        wait = self._rate.spend(principal.id, self.limits)
        if wait:
            raise WireRefusal("quota.messages", data={"retry_after_ms": wait})

    def reading(self, principal: Principal, declared: str | None) -> AbstractContextManager[None]:
        """While a body is read. ``declared``: its ``Content-Length``, None where it has none.

        Entering it raises ``WireRefusal`` ``quota.messages`` where too many are read already.
        """
        if declared is not None and declared.isdecimal() and int(declared) <= LARGE_BYTES:
            return _FREE
        return self._reading_large(principal)

    @contextmanager
    def _reading_large(self, principal: Principal) -> Iterator[None]:
        if self._bodies[principal.id] >= BODIES:
            raise WireRefusal("quota.messages", "too many large bodies at once")
        self._bodies[principal.id] += 1
        try:
            yield
        finally:
            self._bodies[principal.id] -= 1
            self._bodies += Counter()  # forgets who has none
