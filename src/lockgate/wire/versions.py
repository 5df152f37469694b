"""The protocol versions we speak, and how we say which."""

import re

from lockgate.model import Json
from lockgate.wire.refusal import WireRefusal

LEGACY = ("2025-06-18", "2025-11-25")
"""With an ``initialize`` handshake. The newest is last, and is what we offer."""
MODERN = ("2026-07-28",)
SUPPORTED = MODERN + LEGACY[::-1]
"""Newest first."""
UPSTREAM_LEGACY = ("2024-11-05", "2025-03-26", *LEGACY)
"""What an upstream may answer to our ``initialize``."""

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def is_modern(version: str) -> bool:
    """Whether ``version`` belongs to the stateless era, also one that we do not speak yet."""
    return bool(_DATE.fullmatch(version)) and version > LEGACY[-1]


def negotiate(requested: str) -> str:
    """The version a session will speak: the one asked for, or else our newest with sessions."""
    return requested if requested in LEGACY else LEGACY[-1]


def unsupported(requested: str) -> WireRefusal:
    data: dict[str, Json] = {"supported": list(SUPPORTED), "requested": requested[:40]}
    return WireRefusal("wire.unsupported-version", data=data)
