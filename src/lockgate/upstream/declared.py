"""What an upstream says it may tell without being asked."""

import msgspec
import orjson

from lockgate.wire.era_2026_07_listen import KINDS


class Declared(msgspec.Struct, frozen=True):
    kinds: frozenset[str] = frozenset()
    """Lists whose changes it tells: ``tools``, ``prompts``, ``resources``."""
    subscribe: bool = False
    """It tells about single resources."""
    logging: bool = False

    @property
    def anything(self) -> bool:
        return bool(self.kinds) or self.subscribe or self.logging


def declared(capabilities: bytes) -> Declared:
    said = orjson.loads(capabilities)

    def has(name: str, what: str) -> bool:
        found = said.get(name)
        return isinstance(found, dict) and found.get(what) is True

    return Declared(
        frozenset(kind for kind in KINDS if has(kind, "listChanged")),
        has("resources", "subscribe"),
        isinstance(said.get("logging"), dict),
    )
