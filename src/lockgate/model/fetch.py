"""Asking another server for a document or a token: metadata, key sets, token endpoints."""

from collections.abc import Mapping
from typing import Protocol

import msgspec


class FetchFailed(Exception):
    """It may not be asked, could not be reached, or did not answer as HTTP demands. The text is for
    operators; it names the host, and never holds what was sent."""


class Fetched(msgspec.Struct, frozen=True):
    status: int
    body: bytes
    headers: Mapping[str, str] = {}
    """By lower-case name; of repeated ones the first."""


class Fetch(Protocol):
    """One HTTP request to an address that a configuration or another server's document named.

    Whoever implements it decides which addresses may be asked at all, follows no redirect unless
    each step may be asked, and bounds time and size. Any HTTP status is an answer.
    """

    async def __call__(
        self,
        verb: str,
        url: str,
        headers: Mapping[str, str] = ...,
        body: bytes = ...,
    ) -> Fetched:
        """Raises ``FetchFailed``."""
        ...
