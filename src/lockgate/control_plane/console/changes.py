"""What pages need to know of changes, and how far a page goes as text."""

import re
from collections.abc import Mapping
from typing import Protocol

_ONE = re.compile(r"([a-z_]{1,32}):(\d{1,18})")
_MOST_TOPICS = 16

Versions = Mapping[str, int]
"""A number a topic, which rises or becomes another with every change."""


class Stopping(Exception):
    """The gateway ends."""


class Changes(Protocol):
    """What has changed, whichever worker changed it. Raises ``StoreDown``."""

    async def now(self, topics: frozenset[str]) -> Versions: ...

    async def wait(self, topics: frozenset[str], since: Versions) -> Versions:
        """Those of now, once one of them is another than in ``since``. Raises ``Stopping``."""
        ...


def written(versions: Versions) -> str:
    return ",".join(f"{topic}:{version}" for topic, version in sorted(versions.items()))


def read(text: str) -> Versions | None:
    """What ``written`` wrote; None for anything else."""
    parts = text.split(",", _MOST_TOPICS)
    found = [_ONE.fullmatch(part) for part in parts]
    if len(parts) > _MOST_TOPICS:
        return None
    known = {one[1]: int(one[2]) for one in found if one}
    return known if len(known) == len(parts) else None
