"""What an upstream tells while it works, unasked: nothing but what is known, and short."""

from collections.abc import Callable, Mapping
from typing import Any

from lockgate.model import Effect, FactKey, Facts, Notice, Verdict
from lockgate.wire.meta import LEVELS

_LONGEST_NOTICE = 4_096
_LONGEST_LOG = 16_384
_UPDATED, _SUBSCRIBE = "notifications/resources/updated", "resources/subscribe"


class NoticeShape:
    """What an upstream tells without being asked: progress, a log message, that a resource was
    updated. Everything else stays behind."""

    id = "inspection.notice-shape"
    needs: frozenset[FactKey[Any]] = frozenset()

    def check(self, notice: Notice, facts: Facts) -> Verdict:  # noqa: ARG002
        sound, longest = _NOTICES.get(notice.method, (_is_nothing, 0))
        said = notice.decoded
        if not isinstance(said, Mapping) or not sound(said) or len(notice.raw) > longest:
            return Verdict(self.id, Effect.DENY, "reply.shape")
        if notice.method == _UPDATED and notice.call.method != _SUBSCRIBE:
            return Verdict(self.id, Effect.DENY, "reply.shape")  # told to who never asked
        return Verdict(self.id, Effect.PERMIT, "inspection.clean")


def _is_nothing(_: Mapping[str, Any]) -> bool:
    return False


def _is_progress(said: Mapping[str, Any]) -> bool:
    """A short text beside two numbers."""
    numbers = [said.get("progress"), said.get("total", 0)]
    numeric = all(isinstance(n, int | float) and not isinstance(n, bool) for n in numbers)
    return numeric and isinstance(said.get("message", ""), str)


def _is_log(said: Mapping[str, Any]) -> bool:
    """Whatever ``data`` holds is text for a reader."""
    named = isinstance(said.get("logger", ""), str)
    return said.get("level") in LEVELS and named and "data" in said


def _is_update(said: Mapping[str, Any]) -> bool:
    return isinstance(said.get("uri"), str)


_NOTICES: dict[str, tuple[Callable[[Mapping[str, Any]], bool], int]] = {
    "notifications/progress": (_is_progress, _LONGEST_NOTICE),
    "notifications/message": (_is_log, _LONGEST_LOG),
    _UPDATED: (_is_update, _LONGEST_NOTICE),
}
"""What passes, its shape, and the most bytes it may have."""
