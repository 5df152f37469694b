"""Words that stand nowhere else, and who has seen them."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from lockgate.model import Call, Catalogue, Effect, FactKey, Facts, Notice, Reply, Verdict
from lockgate.pipeline.order import Order

_WORD = re.compile(r"cnry\d{6}q")


class Mint:
    """Makes words, each said once, and remembers who said it where."""

    def __init__(self) -> None:
        self.made: dict[str, tuple[str, str]] = {}
        """Side (``client`` or ``upstream``) and place of each word."""

    def word(self, side: str, place: str) -> str:
        word = f"cnry{len(self.made):06}q"
        self.made[word] = (side, place)
        return word

    def of(self, side: str, found: set[str]) -> set[str]:
        return {word for word in found if self.made[word][0] == side}

    def places(self, found: set[str]) -> list[str]:
        return sorted({": ".join(self.made[word]) for word in found})


def words_in(said: Any) -> set[str]:
    """Every word in a text, or in keys and values of decoded JSON."""
    if isinstance(said, bytes):
        return set(_WORD.findall(said.decode(errors="replace")))
    return {word for text in _texts(said) for word in _WORD.findall(text)}


def _texts(said: Any) -> Iterator[str]:
    if isinstance(said, str):
        yield said
    elif isinstance(said, dict):
        for key, value in said.items():
            yield key
            yield from _texts(value)
    elif isinstance(said, list):
        for value in said:
            yield from _texts(value)


class Sight:
    """What controls could have read so far: all of it, and that of list entries alone."""

    def __init__(self) -> None:
        self.all: set[str] = set()
        self.catalogue: set[str] = set()


class Watching:
    """A control that notes what it is shown, and permits."""

    id = "canary.watch"
    needs: frozenset[FactKey[Any]] = frozenset()

    def __init__(self, sight: Sight) -> None:
        self._sight = sight

    def _shown(self, said: Any) -> Verdict:
        self._sight.all |= words_in(said)
        return Verdict(self.id, Effect.PERMIT, "inspection.clean")


class WatchCall(Watching):
    id = "canary.call"

    def check(self, call: Call, facts: Facts) -> Verdict:
        return self._shown(call.decoded)


class WatchReply(Watching):
    id = "canary.reply"

    def check(self, reply: Reply, facts: Facts) -> Verdict:
        return self._shown(reply.decoded)


class WatchNotice(Watching):
    id = "canary.notice"

    def check(self, notice: Notice, facts: Facts) -> Verdict:
        return self._shown(notice.decoded)


class WatchCatalogue(Watching):
    id = "canary.catalogue"

    def check(self, catalogue: Catalogue, facts: Facts) -> Verdict:
        entries = [msgspec.json.decode(item.raw) for item in catalogue.items]
        self._sight.catalogue |= words_in(entries)
        return self._shown(entries)


WATCHERS = {
    "on_call": WatchCall,
    "on_reply": WatchReply,
    "on_notice": WatchNotice,
    "on_list": WatchCatalogue,
    "on_own": WatchCall,
    "on_kept": WatchCall,
}
"""One for each kind of subject that ``Order`` has controls for."""


def watched(order: Order, sight: Sight) -> Order:
    """The order in force, and one more control for each kind of subject."""
    more = {kind: (*getattr(order, kind), watch(sight)) for kind, watch in WATCHERS.items()}
    return msgspec.structs.replace(order, **more)
